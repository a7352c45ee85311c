// Builds the kernel: asc compiles and optimizes, then every call of the imported `fence` becomes the instruction
// `atomic.fence` (see fence.ts). A second build leaves them out, for machines whose loads are never reordered (x86-64,
// total store order): there the fence would cost a hit 30 ns for nothing. Run by `npm run build:kernel`; needs only npm packages.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import binaryen from "binaryen";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const target = new URL("../../../dist/src/kernel/", import.meta.url);

const outputs = new Map();
const result = await asc.main(
  [
    "src/kernel/assembly/mod.ts",
    "--config",
    "src/kernel/assembly/asconfig.json",
    "--baseDir",
    root,
  ],
  {
    stdout: process.stdout,
    stderr: process.stderr,
    writeFile: (name, bytes) => void outputs.set(name, bytes),
  },
);
if (result.error) throw result.error;

const module = binaryen.readBinary([...outputs.values()][0]);
const text = module.emitText();
const name = /\(import "env" "fence" \(func ([^\s)]+)/.exec(text)?.[1];
if (name === undefined) throw new Error("the kernel imports no fence");
const call = `(call ${name})`;
const fences = text.split(call).length - 1;

/** Writes the kernel with `instruction` where the source has fence(). */
function emit(file, instruction) {
  const module = binaryen.parseText(
    text.replaceAll(call, instruction).replace(/ *\(import "env" "fence"[^\n]*\n/, ""),
  );
  module.setFeatures(binaryen.Features.All);
  if (!module.validate()) throw new Error(`${file} does not validate`);
  const bytes = module.emitBinary();
  if (!WebAssembly.validate(bytes)) throw new Error(`the engine refuses ${file}`);
  mkdirSync(target, { recursive: true });
  writeFileSync(new URL(file, target), bytes);
  console.log(`${file}: ${bytes.length} bytes, ${instruction === "(nop)" ? 0 : fences} fences`);
}

emit("kernel.wasm", "(atomic.fence)");
emit("kernel-tso.wasm", "(nop)");
