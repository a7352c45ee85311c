// What the documentation site leans on, shown red on seeded texts: its build (`npm run site`) fails
// by these. Also that each page has a place in the sidebar, which the build would say only later.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The modules of docs/site that need no package of the site's own. */
const load = (file: string): Promise<unknown> =>
  import(pathToFileURL(join(root, "docs/site", file)).href);

type Files = ReadonlyMap<string, string>;
const { linkFaults, nameFaults, exportedNames } = (await load("check.js")) as {
  linkFaults: (files: Files, base?: string) => string[];
  nameFaults: (names: readonly Exported[], files: Files) => string[];
  exportedNames: (doors: readonly string[], typeRoot: string) => Exported[];
};
const { contentFaults, sitePage } = (await load("pages.js")) as {
  contentFaults: (pages: readonly string[], listed: readonly string[]) => string[];
  sitePage: (file: string, page: string, sources: Files) => string;
};
const { groups } = (await load("contents.js")) as { groups: { pages: string[] }[] };

interface Exported {
  readonly name: string;
  readonly members: readonly string[];
}

test("a dead link, a dead anchor and an asset of another host are found", () => {
  const files = new Map([
    [
      "a.html",
      `<a href="/b.html#there"></a><a class="x" href="./c/d.html"></a><a href="c/"></a>
      <a href="https://example.org"></a><img src="/x.png"><h2 id="own"></h2><a href="#own"></a>`,
    ],
    ["b.html", '<h2 id="there" tabindex="-1">There</h2><a href="/a.html"></a>'],
    ["c/d.html", '<a href="../b.html"></a>'],
    ["c/index.html", ""],
    ["x.png", ""],
  ]);
  expect(linkFaults(files)).toEqual([]);
  const broken = new Map([
    ...files,
    ["e.html", '<a href="/b.html#gone"></a><a href="./gone.html"></a><a href="#gone"></a>'],
    ["f.html", '<script src="https://cdn.example.org/x.js"></script><img src="/gone.png">'],
    ["g.css", "@font-face { src: url(//fonts.example.org/x.woff2) }"],
  ]);
  expect(linkFaults(broken)).toEqual([
    "e.html links to /b.html#gone, which names no heading",
    "e.html links to ./gone.html, which is not there",
    "e.html links to #gone, which names no heading",
    "f.html loads https://cdn.example.org/x.js",
    "f.html links to /gone.png, which is not there",
    "g.css loads //fonts.example.org/x.woff2",
  ]);
  const under = new Map([["a.html", '<a href="/base/a.html"></a><a href="/a.html"></a>']]);
  expect(linkFaults(under, "/base/")).toHaveLength(1);
});

test("a name without a page and an option without a heading are found", () => {
  const names = [
    { name: "aOptions", members: ["ttl", "staleFor"] },
    { name: "b", members: [] },
  ];
  const files = new Map([["reference/u/aOptions.html", '<h3 id="ttl"></h3>']]);
  expect(nameFaults(names, files)).toEqual([
    "aOptions.staleFor has no heading in the reference",
    "b has no page in the reference",
  ]);
});

test("what the package exports is found, with methods and options", () => {
  const door = join(root, "dist/types/mod.d.ts");
  const names = exportedNames([door], join(root, "node_modules/@types"));
  const members = (name: string): readonly string[] =>
    names.find((each) => each.name === name)?.members ?? [];
  expect(members("Cache")).toEqual(expect.arrayContaining(["fetch", "close", "asyncDispose"]));
  expect(members("CacheOptions")).toEqual(
    expect.arrayContaining(["memory", "ttl", "refreshAfter"]),
  );
});

test("a block that no file has, and a link out of the site, fail a page", () => {
  const sources = new Map([["examples/a.ts", "before();\na();\nb();\n"]]);
  const fence = (code: string): string => `\`\`\`ts\n${code}\n\`\`\``;
  expect(sitePage("docs/a.md", fence("a();\nb();"), sources)).toBe(fence("a();\nb();"));
  expect(() => sitePage("docs/a.md", fence("c();"), sources)).toThrow('begins with "c();"');
  expect(() => sitePage("docs/a.md", "[x](../src/mod.ts)", sources)).toThrow("is no page");
  const links = "[a](../README.md#x) [b](guides/b.md) [c](internals/c.md) [d](https://e.org)";
  expect(sitePage("docs/a.md", links, sources)).toBe(
    "[a](./index.md#x) [b](./guides/b.md) c [d](https://e.org)",
  );
});

test("every page has a place in the sidebar", () => {
  expect(contentFaults(["a", "b"], ["b", "c"])).toHaveLength(2);
  const pages = ["docs", "docs/guides"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}/${name}`.replace(/^docs\//, "").replace(/\.md$/, "")),
  );
  const listed = groups.flatMap((group) => group.pages);
  expect(contentFaults(["index", "changelog", ...pages], listed)).toEqual([]);
});
