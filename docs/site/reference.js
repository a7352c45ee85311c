// The reference: a page for each name that the package exports, from its docstring. typedoc reads
// the declarations in dist/, as users' editors do. Also what must have a page, asked of the
// TypeScript compiler and not of typedoc, so that check.js can tell what typedoc left out.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, Converter } from "typedoc";
import { pagesFolder, root } from "./pages.js";

const entriesFolder = fileURLToPath(new URL(".entries/", import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Name as users import it, and its declarations. */
export const doors = Object.entries(exports)
  .filter(([, target]) => typeof target === "object")
  .map(([path, target]) => ({
    module: `undercroft${path.slice(1)}`,
    declarations: join(root, target.types),
  }));

/** Files that say under which name a door is imported, which its path does not. */
function writeEntries() {
  rmSync(entriesFolder, { recursive: true, force: true });
  mkdirSync(entriesFolder, { recursive: true });
  return doors.map(({ module, declarations }) => {
    const file = join(entriesFolder, `${module.replace("/", "-")}.ts`);
    const path = relative(entriesFolder, declarations).replace(/\.d\.ts$/, ".js");
    writeFileSync(file, `/** @module ${module} */\nexport * from "${path}";\n`);
    return file;
  });
}

/** Writes the pages to .pages/reference, with the sidebar of the theme. */
export async function writeReference() {
  const app = await Application.bootstrapWithPlugins({
    entryPoints: writeEntries(),
    tsconfig: fileURLToPath(new URL("tsconfig.json", import.meta.url)),
    plugin: ["typedoc-plugin-markdown", "typedoc-vitepress-theme"],
    out: join(pagesFolder, "reference"),
    docsRoot: pagesFolder,
    name: "Reference",
    readme: "none",
    logLevel: "Warn",
    disableSources: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeExternals: true,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    sort: ["alphabetical"],
    validation: { notExported: false, invalidLink: true, invalidPath: true },
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const reflection of Object.values(project.reflections)) {
      const [first] = reflection.comment?.summary ?? [];
      if (first?.text.startsWith("Internal:")) project.removeReflection(reflection);
    }
  });
  const project = await app.convert();
  if (project === undefined) throw new Error("typedoc could not read the declarations in dist/");
  app.validate(project);
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error("typedoc found faults");
}
