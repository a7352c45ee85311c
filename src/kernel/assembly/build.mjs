// Builds the kernel: asc compiles and optimizes, then every call of the imported `fence` becomes the instruction
// `atomic.fence` (see fence.ts). Three builds: kernel.wasm; kernel-tso.wasm without the fences, for machines that
// never reorder loads (x86-64, total store order), where a fence costs a hit 30 ns for nothing; and for the tests
// kernel-checked.wasm, which traps where a protocol's assumption does not hold (assert.ts). The first two ship as
// base64 in kernel-code.js, so that no bundler need know of a file; the files themselves are for the tests.
// Run by `npm run build:kernel`; needs only npm packages.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import binaryen from "binaryen";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const shipped = new URL("../../../dist/modules/src/kernel/", import.meta.url);
const forTests = new URL("../../../dist/test/kernel/", import.meta.url);

/** The compiled kernel as text, and the name of the imported fence in it. */
async function compile(...options) {
  const outputs = new Map();
  const result = await asc.main(
    [
      "src/kernel/assembly/mod.ts",
      "--config",
      "src/kernel/assembly/asconfig.json",
      "--baseDir",
      root,
      ...options,
    ],
    {
      stdout: process.stdout,
      stderr: process.stderr,
      writeFile: (name, bytes) => void outputs.set(name, bytes),
    },
  );
  if (result.error) throw result.error;
  const text = binaryen.readBinary([...outputs.values()][0]).emitText();
  const fence = /\(import "env" "fence" \(func ([^\s)]+)/.exec(text)?.[1];
  if (fence === undefined) throw new Error("the kernel imports no fence");
  return { text, call: `(call ${fence})` };
}

/** Writes a kernel with `instruction` where the source has fence(), for the tests; answers it as base64. */
function emit({ text, call }, file, instruction) {
  const module = binaryen.parseText(
    text.replaceAll(call, instruction).replace(/ *\(import "env" "fence"[^\n]*\n/, ""),
  );
  module.setFeatures(binaryen.Features.All);
  if (!module.validate()) throw new Error(`${file} does not validate`);
  const bytes = module.emitBinary();
  if (!WebAssembly.validate(bytes)) throw new Error(`the engine refuses ${file}`);
  mkdirSync(forTests, { recursive: true });
  writeFileSync(new URL(file, forTests), bytes);
  const fences = instruction === "(nop)" ? 0 : text.split(call).length - 1;
  console.log(`${file}: ${bytes.length} bytes, ${fences} fences`);
  return Buffer.from(bytes).toString("base64");
}

const release = await compile();
const fenced = emit(release, "kernel.wasm", "(atomic.fence)");
const totalStoreOrder = emit(release, "kernel-tso.wasm", "(nop)");
emit(await compile("--target", "checked"), "kernel-checked.wasm", "(atomic.fence)");
mkdirSync(shipped, { recursive: true });
writeFileSync(
  new URL("kernel-code.js", shipped),
  `export const totalStoreOrderCode = "${totalStoreOrder}";\nexport const fencedCode = "${fenced}";\n`,
);
