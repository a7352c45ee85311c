// Builds the kernel: asc compiles and optimizes, then every call of the imported `fence` becomes the instruction
// `atomic.fence` (see fence.ts). Three builds: kernel.wasm; kernel-tso.wasm with nops for the fences, for machines that
// never reorder loads (x86-64, total store order), where a fence costs a hit 30 ns for nothing; and for the tests
// kernel-checked.wasm, which traps where a protocol's assumption does not hold (assert.ts). The first ships as deflated
// base64 in kernel-code.js, so that no bundler need know of a file, with the places of its fences, which make it the
// second; the files themselves are for the tests. Run by `npm run build:kernel`; needs only npm packages.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";
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

const fence = Buffer.from([0xfe, 0x03, 0x00]);
const nop = 0x01;

/** Writes a kernel for the tests. */
function write(file, bytes) {
  if (!WebAssembly.validate(bytes)) throw new Error(`the engine refuses ${file}`);
  mkdirSync(forTests, { recursive: true });
  writeFileSync(new URL(file, forTests), bytes);
  console.log(`${file}: ${bytes.length} bytes`);
}

/** The bytes of a kernel with its fences, and where they are. */
function assemble({ text, call }) {
  const module = binaryen.parseText(
    text.replaceAll(call, "(atomic.fence)").replace(/ *\(import "env" "fence"[^\n]*\n/, ""),
  );
  module.setFeatures(binaryen.Features.All);
  if (!module.validate()) throw new Error("the kernel does not validate");
  const bytes = Buffer.from(module.emitBinary());
  const places = [];
  for (let at = bytes.indexOf(fence); at >= 0; at = bytes.indexOf(fence, at + 1)) places.push(at);
  // The same bytes may be there by chance, as part of another instruction.
  const fences = text.split(call).length - 1;
  if (places.length !== fences) throw new Error(`${places.length} places of ${fences} fences`);
  return { bytes, places };
}

const { bytes, places } = assemble(await compile());
write("kernel.wasm", bytes);
const totalStoreOrder = Buffer.from(bytes);
for (const at of places) totalStoreOrder.fill(nop, at, at + fence.length);
write("kernel-tso.wasm", totalStoreOrder);
write("kernel-checked.wasm", assemble(await compile("--target", "checked")).bytes);
mkdirSync(shipped, { recursive: true });
writeFileSync(
  new URL("kernel-code.js", shipped),
  `export const kernelCode = "${deflateRawSync(bytes, { level: 9 }).toString("base64")}";
export const fencesAt = ${JSON.stringify(places)};
export const fenceBytes = ${fence.length};
`,
);
