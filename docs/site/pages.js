// Lays the pages out for vitepress, in .pages/: the README, the changelog and docs/ without what is
// for maintainers. Nothing is kept there: each build makes it anew. A block of TypeScript is taken
// from the file of examples/ that has it, which the tests run; a page with another block, or that
// no group of contents.js names, fails the build.

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { groups } from "./contents.js";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const pagesFolder = fileURLToPath(new URL(".pages/", import.meta.url));

const read = (file) => readFileSync(join(root, file), "utf8");

function filesUnder(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

/** The files of docs/ that are shown: those at its top and the guides, not internals or the site. */
function shownFiles() {
  const top = readdirSync(join(root, "docs"), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => `docs/${name}`);
  return [...top, ...filesUnder("docs/guides")];
}

/** Where a file of the repository is in the site; undefined if it is not. */
function placeOf(file) {
  if (file === "README.md") return "index.md";
  if (file === "CHANGELOG.md") return "changelog.md";
  return file.startsWith("docs/") ? file.slice("docs/".length) : undefined;
}

/** What a page may name that is in the repository only: the link becomes its words. */
const forMaintainers = /^(?:docs\/internals|examples|bench|test)(?:\/|$)/;

/** Links by the places that files have in the site. */
function withLinks(file, page) {
  return page.replace(/(!?)\[([^\]]*)\]\((?!\w+:)([^)\s]+)\)/g, (whole, mark, words, link) => {
    const [path, anchor] = link.split("#");
    if (path === "") return whole;
    const target = posix.normalize(posix.join(posix.dirname(file), path));
    if (forMaintainers.test(target)) return words;
    const place = placeOf(target);
    if (place === undefined) throw new Error(`${file}: ${link} is no page of the site`);
    const from = posix.dirname(placeOf(file));
    const to = posix.relative(from, place);
    const relativePath = to.startsWith(".") ? to : `./${to}`;
    return `${mark}[${words}](${relativePath}${anchor === undefined ? "" : `#${anchor}`})`;
  });
}

/** Text and blocks in turns: every second part is a block with its fences. */
const partsOf = (page) => page.split(/^(```\w*\n.*?^```)$/gms);

/** The block as it stands in a file that the tests run. */
function fromSource(file, block, sources) {
  const [, language, code] = /^```(\w*)\n(.*)^```$/ms.exec(block);
  if (language !== "ts") return block;
  for (const text of sources.values()) {
    const at = text.indexOf(code);
    if (at < 0) continue;
    const part = text.slice(at, at + code.length);
    return `\`\`\`ts\n${part}\`\`\``;
  }
  const begin = code.split("\n", 1)[0];
  throw new Error(`${file}: the block that begins with "${begin}" is no part of a file that runs`);
}

/** The text of a page as the site has it. `sources` are the files that its blocks may come from. */
export function sitePage(file, page, sources) {
  return partsOf(page)
    .map((part, at) => (at % 2 === 0 ? withLinks(file, part) : fromSource(file, part, sources)))
    .join("");
}

/** Fails on a page that has no place in the sidebar, and on a place without a page. */
export function contentFaults(pages, listed) {
  return [
    ...pages
      .filter((page) => !listed.includes(page))
      .map((page) => `${page} is in no group of docs/site/contents.js`),
    ...listed
      .filter((page) => !pages.includes(page))
      .map((page) => `docs/site/contents.js names ${page}, which is no page`),
  ];
}

/** Writes .pages/; returns the title of each page by its path without `.md`. */
export function layOut() {
  rmSync(pagesFolder, { recursive: true, force: true });
  const examples = filesUnder("examples").filter((file) => file.endsWith(".ts"));
  const sources = new Map(examples.map((file) => [file, read(file)]));
  // Its first example is run as it stands (test/house/readme.test.ts).
  const readme = new Map([...sources, ["README.md", read("README.md")]]);
  const titles = new Map();
  for (const file of ["README.md", "CHANGELOG.md", ...shownFiles()]) {
    const place = placeOf(file);
    if (!file.endsWith(".md")) {
      // A picture is beside its page; what is for download is at the root of the site.
      const target = join(pagesFolder, file.endsWith(".png") ? place : `public/${place}`);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(root, file), target);
      continue;
    }
    const page = sitePage(file, read(file), file === "README.md" ? readme : sources);
    const target = join(pagesFolder, place);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, page);
    titles.set(place.replace(/\.md$/, ""), /^# (.+)$/m.exec(page)?.[1] ?? place);
  }
  const listed = groups.flatMap(({ pages }) => pages);
  const faults = contentFaults([...titles.keys()], listed);
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return titles;
}
