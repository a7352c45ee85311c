// Makes the modules that the package ships of dist/modules, where tsc has put each module in a file of its own: one
// bundle of all entries, of the workers and, for the tests, of every module by its own name, so that all share each
// class. What `import "undercroft"` opens is in three files of dist/src/shared/: worker.js has what the workers of
// asynchronous sets need too, janitor.js what the janitor needs beside that, undercroft.js the rest. A thread that opens
// 200 modules takes three times as long to import them. Run by `npm run build`, behind tsc and what makes the workers'
// text.
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { withLines } from "./line-breaks.mjs";

const at = (path) => fileURLToPath(new URL(`../../dist/${path}`, import.meta.url));
const modules = at("modules/src/");
const shipped = at("src/");
const workers = {
  "workers/janitor-worker": at("modules/workers/janitor.js"),
  "workers/store-worker": at("modules/workers/stores.js"),
};

/** What is neither a path nor a name in the package is left to Node. */
const options = {
  platform: "node",
  external: (name) => isBuiltin(name) || /^[#@\w]/.test(name),
  onLog(_level, log) {
    throw new Error(`the package's files: ${log.message}`);
  },
};

/** The modules that an import of `path` opens at once. */
async function opened(path) {
  const bundle = await rolldown({ ...options, input: path });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  return new Set(output.find(({ isEntry }) => isEntry).moduleIds);
}

const [main, janitor, stores] = await Promise.all(
  [join(modules, "mod.js"), ...Object.values(workers)].map(opened),
);
const names = readdirSync(modules, { recursive: true }).filter((name) => name.endsWith(".js"));
const bundle = await rolldown({
  ...options,
  input: {
    ...Object.fromEntries(
      names.map((name) => [`src/${name.slice(0, -".js".length)}`, join(modules, name)]),
    ),
    ...workers,
  },
  preserveEntrySignatures: "strict",
});
for (const name of readdirSync(shipped, { recursive: true })) {
  if (/\.js(\.map)?$/.test(name)) rmSync(join(shipped, name));
}
// What a module imports is in its own group or in one above: no two files import each other.
const groups = [
  { name: "worker", priority: 3, test: (path) => stores.has(path) && !path.endsWith("workers/stores.js") },
  { name: "janitor", priority: 2, test: (path) => main.has(path) && janitor.has(path) },
  { name: "undercroft", priority: 1, test: (path) => main.has(path) },
];
const { output } = await bundle.generate({
  format: "esm",
  // The names of functions and classes stay, so a stack says where it was. Only names that no stack shows are shortened.
  minify: { compress: false, mangle: { keepNames: true }, codegen: { removeWhitespace: true } },
  comments: false,
  entryFileNames: "[name].js",
  chunkFileNames: "src/shared/[name].js",
  codeSplitting: { groups },
});
await bundle.close();
for (const { fileName, code } of output) {
  mkdirSync(dirname(at(fileName)), { recursive: true });
  writeFileSync(at(fileName), withLines(code));
}
// What the dashboard serves to browsers, as it is.
const page = "cli/dashboard/page/";
cpSync(fileURLToPath(new URL(`../../src/${page}`, import.meta.url)), join(shipped, page), {
  recursive: true,
});
const bytes = output.reduce((sum, { code }) => sum + code.length, 0);
process.stdout.write(`the package's ${output.length} modules: ${bytes} bytes\n`);
