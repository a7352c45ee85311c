// Makes one file of each worker and all that it imports: dist/workers/janitor-worker.js of janitor.js, store-worker.js of
// stores.js. A thread that opens a hundred modules takes four times as long to start. Run by `npm run build`, behind tsc.
import { isBuiltin } from "node:module";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const at = (path) => fileURLToPath(new URL(`../../dist/${path}`, import.meta.url));

for (const [name, file] of [
  ["janitor", "janitor-worker.js"],
  ["stores", "store-worker.js"],
]) {
  const bundle = await rolldown({
    input: at(`modules/workers/${name}.js`),
    platform: "node",
    // A worker starts no workers.
    external: (specifier) => isBuiltin(specifier) || specifier === "#threads",
    onLog(_level, log) {
      throw new Error(`${file}: ${log.message}`);
    },
  });
  // With its names, so that a stack says where it was.
  const { output } = await bundle.write({
    file: at(`workers/${file}`),
    format: "esm",
    comments: false,
  });
  await bundle.close();
  const strange = output.flatMap(({ imports = [] }) => imports).filter((each) => !isBuiltin(each));
  if (strange.length > 0) throw new Error(`${file} imports ${strange.join(", ")}`);
  process.stdout.write(`${file}: ${output[0].code.length} bytes\n`);
}
