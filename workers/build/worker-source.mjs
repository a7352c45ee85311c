// Makes one text of worker-program.js and all that it imports, for the threads of bundles, and writes it as a module
// (src/pool/worker-source.d.ts). Run by `npm run build`, behind tsc.
import { writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { rolldown } from "rolldown";

const built = new URL("../../dist/modules/", import.meta.url);

const bundle = await rolldown({
  input: fileURLToPath(new URL("workers/worker-program.js", built)),
  platform: "node",
  // A worker starts no workers.
  external: (name) => isBuiltin(name) || name === "#threads",
  onLog(_level, log) {
    throw new Error(`the workers' text: ${log.message}`);
  },
});
const { output } = await bundle.generate({ format: "cjs", minify: true, comments: false });
await bundle.close();
const [chunk, ...others] = output;
if (others.length > 0) throw new Error("the workers' text is in more than one file");
const strange = chunk.imports.filter((name) => !isBuiltin(name));
if (strange.length > 0) throw new Error(`the workers' text imports ${strange.join(", ")}`);
// A text that is run takes its modules from the process: `require` is there only in CommonJS, and a process started
// with --input-type=module runs texts as ES modules.
const text = `((require) => {${chunk.code}})(process.getBuiltinModule);`;
// A third of the text's size in each bundle; it is read once in a process, in about a millisecond.
const packed = brotliCompressSync(text).toString("base64");
writeFileSync(
  new URL("src/pool/worker-source.js", built),
  `import { brotliDecompressSync } from "node:zlib";
const packed = "${packed}";
export const workerSource = () => brotliDecompressSync(Buffer.from(packed, "base64")).toString();
`,
);
process.stdout.write(`worker-source.js: ${packed.length} bytes\n`);
