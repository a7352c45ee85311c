// Makes what the package ships of dist/modules, where tsc has put each module of src/ in a file of its own: all that
// `import "undercroft"` needs is in one file, dist/src/shared/undercroft.js, and each module's own file names what is in there.
// A thread that opens 200 modules takes three times as long to import them. Run by `npm run build`, behind tsc and what
// makes the workers' text.
import { cpSync, readdirSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const modules = fileURLToPath(new URL("../../dist/modules/src/", import.meta.url));
const shipped = fileURLToPath(new URL("../../dist/src/", import.meta.url));

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

const names = readdirSync(modules, { recursive: true }).filter((name) => name.endsWith(".js"));
const main = await opened(join(modules, "mod.js"));
const bundle = await rolldown({
  ...options,
  input: Object.fromEntries(
    names.map((name) => [name.slice(0, -".js".length), join(modules, name)]),
  ),
  preserveEntrySignatures: "strict",
});
for (const name of readdirSync(shipped, { recursive: true })) {
  if (/\.js(\.map)?$/.test(name)) rmSync(join(shipped, name));
}
const { output } = await bundle.write({
  dir: shipped,
  format: "esm",
  // With its names, so that a stack says where it was; the declarations have the docs.
  comments: { legal: false, annotation: true, jsdoc: false },
  entryFileNames: "[name].js",
  chunkFileNames: "shared/[name].js",
  codeSplitting: { groups: [{ name: "undercroft", test: (path) => main.has(path) }] },
});
await bundle.close();
// What the dashboard serves to browsers, as it is.
const page = "cli/dashboard/page/";
cpSync(fileURLToPath(new URL(`../../src/${page}`, import.meta.url)), join(shipped, page), {
  recursive: true,
});
const { code } = output.find(({ name, isEntry }) => name === "undercroft" && !isEntry);
process.stdout.write(`undercroft.js: ${code.length} bytes\n`);
