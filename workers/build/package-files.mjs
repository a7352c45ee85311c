// Makes the modules that the package ships of dist/modules, where tsc has put each module in a file of its own: one
// bundle of all entries, of the workers and, for the tests, of every module by its own name, so that all share each
// class. What `import "undercroft"` opens is in two files of dist/src/shared/: worker.js has what the workers need too,
// undercroft.js the rest. A thread that opens 200 modules takes three times as long to import them. Run by
// `npm run build`, behind tsc and what makes the workers' text.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { readable } from "./readable.mjs";

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

/** The modules that `paths` open at once, with all that any export of these needs: a file that holds them imports no
 *  other. */
async function closed(...paths) {
  // A constant that is written where it is used would hide the module that has it.
  const optimization = { inlineConst: false };
  const bundle = await rolldown({ ...options, optimization, input: paths });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  const chunks = new Map(output.map((chunk) => [chunk.fileName, chunk]));
  const reached = new Set(output.filter(({ isEntry }) => isEntry));
  for (const { imports } of reached) {
    for (const name of imports) if (chunks.has(name)) reached.add(chunks.get(name));
  }
  const found = new Set([...paths, ...[...reached].flatMap(({ moduleIds }) => moduleIds)]);
  found.delete("\0rolldown/runtime.js");
  return found.size === paths.length ? found : await closed(...found);
}

const { exports, bin } = JSON.parse(readFileSync(at("../package.json"), "utf8"));
const published = Object.values(exports)
  .map((entry) => entry.default ?? "")
  .concat(bin.undercroft, "dist/src/pool/file-threads.js", "dist/src/pool/source-threads.js")
  .filter((name) => name.endsWith(".js"))
  .map((name) => join(modules, relative("dist/src", name)));
const [main, janitor, stores, all] = await Promise.all([
  closed(join(modules, "mod.js")),
  closed(workers["workers/janitor-worker"]),
  closed(workers["workers/store-worker"]),
  closed(...published),
]);

const programs = new Set([
  ...Object.values(workers),
  join(modules, relative("dist/src", bin.undercroft)),
]);

/** The file of dist/src/shared/ that a module is part of; null for its own, as the tests have it. What a module imports is
 *  in the same file, or in one that is named before, or in that of a lower room: no two files import each other. */
function fileOf(path) {
  // What is run, not imported: its file is opened for what it does.
  if (programs.has(path)) return null;
  if (stores.has(path) || (janitor.has(path) && main.has(path))) return "worker";
  if (main.has(path)) return "undercroft";
  if (janitor.has(path)) return "janitor-worker";
  // What only the tests open, and doors, which have no code.
  if (!all.has(path) || basename(path) === "mod.js") return null;
  // The workers' text is only read where they have no files.
  if (/(?:source-threads|worker-source)\.js$/.test(path)) return "source-threads";
  return relative(modules, path).split(sep)[0];
}

const names = readdirSync(modules, { recursive: true }).filter((name) => name.endsWith(".js"));
const bundle = await rolldown({
  ...options,
  input: {
    ...Object.fromEntries(
      names.map((name) => [`src/${name.slice(0, -".js".length)}`, join(modules, name)]),
    ),
    ...workers,
  },
  preserveEntrySignatures: "allow-extension",
});
const { output } = await bundle.generate({
  format: "esm",
  comments: false,
  entryFileNames: "[name].js",
  chunkFileNames: "src/shared/[name].js",
  codeSplitting: {
    groups: [{ name: fileOf, debugName: "files" }],
    includeDependenciesRecursively: false,
  },
});
await bundle.close();
for (const name of readdirSync(shipped, { recursive: true })) {
  if (/\.js(\.map)?$/.test(name)) rmSync(join(shipped, name));
}
for (const { fileName, code, isEntry, exports: exported } of output) {
  // Of types alone.
  if (!isEntry && exported.length === 0) continue;
  // Types, and constants that are written where they are used, leave an import behind; no module is imported for what it
  // does (package.json's sideEffects), but for `programs`.
  const text = code.replaceAll(/^import "\.[^"]+";\n/gm, "");
  mkdirSync(dirname(at(fileName)), { recursive: true });
  writeFileSync(at(fileName), readable(text));
}
// What the dashboard serves to browsers.
const page = "cli/dashboard/page/";
cpSync(at(`../src/${page}`), join(shipped, page), { recursive: true });
for (const name of readdirSync(join(shipped, page)).filter((each) => each.endsWith(".js"))) {
  const file = join(shipped, page, name);
  writeFileSync(file, readable(readFileSync(file, "utf8")));
}
process.stdout.write(`${output.length} modules in dist/src and dist/workers\n`);
