// The site as vitepress builds it, over the pages that build.js laid out in .pages/.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitepress";
import { groups } from "../contents.js";
import { pagesFolder, root } from "../pages.js";

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const page = (path) => readFileSync(join(pagesFolder, `${path}.md`), "utf8");
const title = (path) => /^# (.+)$/m.exec(page(path))?.[1] ?? path;
const link = (path) => (path === "index" ? "/" : `/${path}`);

const referenceItems = () => {
  const file = join(pagesFolder, "reference/typedoc-sidebar.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
};

/** An anchor as GitHub makes it of a heading: pages are read there too. */
const slugify = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}_ -]/gu, "")
    .trim()
    .replace(/ /g, "-");

/** The headings of the changelog, newest first: one for each version, and what is to come. */
const versions = Array.from(page("changelog").matchAll(/^## (.+)$/gm), (match) => ({
  text: match[1].replace(/[[\]]/g, ""),
  link: `/changelog#${slugify(match[1])}`,
}));

export default defineConfig({
  title: "Undercroft",
  description: "A hybrid cache that every thread of a Node.js process shares",
  srcDir: ".pages",
  outDir: "dist",
  // Where the site is served under a path: SITE_BASE=/undercroft/
  base: process.env.SITE_BASE ?? "/",
  cleanUrls: false,
  lastUpdated: false,
  ignoreDeadLinks: false,
  markdown: { anchor: { slugify } },
  // The index of the search, which is fetched when it is opened, is larger than a page.
  vite: { build: { chunkSizeWarningLimit: 2_000 } },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Guides", link: "/guides/quick-start" },
      { text: "Adapters", link: "/guides/keyv" },
      { text: "Configuration", link: "/configuration" },
      { text: "API", link: "/api" },
      { text: version, items: versions },
    ],
    sidebar: groups.map(({ text, pages }) => ({
      text,
      collapsed: false,
      items: [
        ...pages.map((path) => ({ text: title(path), link: link(path) })),
        ...(text === "API" ? referenceItems() : []),
      ],
    })),
  },
});
