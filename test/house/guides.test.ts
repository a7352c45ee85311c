// The pages for users, held to what can be run: every block of code in them is a part of an
// example, every example of examples/guides/ runs and prints what it says, links lead somewhere.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { describe, expect, test } from "vitest";

import { expectedOutput } from "./examples.js";
import { anchorsOf, blocksOf, linksOf } from "./pages.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = "examples/guides";
/** Not what other examples start, nor what vitest runs (shown-tests.test.ts). */
const isProgram = (name: string): boolean => !/-(?:worker|service|vitest)$/.test(name);

const examples = new Map(filesUnder("examples", ".ts").map((file) => [file, read(file)]));
const programs = readdirSync(join(root, folder))
  .map((file) => file.replace(/\.ts$/, ""))
  .filter(isProgram);

/** What is for users; the README's block has a test of its own, and internals are not. */
const forUsers = filesUnder("docs", ".md").filter(
  (file) => !/^docs\/(?:internals|site)\//.test(file),
);
const suites = readdirSync(join(root, "bench/suites")).map((file) => file.replace(/\.ts$/, ""));
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function filesUnder(under: string, extension: string): string[] {
  return readdirSync(join(root, under), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .toSorted();
}

/** Blocks of code that are no part of an example, and commands that npm does not know. */
function blockFaults(page: string, sources: readonly string[]): string[] {
  const faults = blocksOf(page).flatMap(({ language, code }) => {
    if (language === "sh" || language === "json") return [];
    if (language !== "ts") return [`a block of "${language}": use ts, sh or json`];
    if (sources.some((source) => source.includes(code))) return [];
    const begin = code.split("\n", 1)[0] ?? "";
    return [
      `the block that begins with "${begin}" is no part of a file in examples/: put it there`,
    ];
  });
  for (const [, script = "", suite] of page.matchAll(/npm run ([a-z:-]+)(?: -- ([a-z-]+))?/g)) {
    if (!(script in scripts)) faults.push(`npm run ${script} is no script of package.json`);
    const isSuite = suites.some((name) => name.startsWith(suite?.split("-")[0] ?? ""));
    if (script === "bench" && !isSuite) faults.push(`bench has no suite ${suite}`);
  }
  return faults;
}

/** Links of a page to files, or to headings in them, that are not there or not for users. */
function linkFaults(file: string, page: string): string[] {
  return linksOf(page).flatMap((link) => {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? file : posix.normalize(posix.join(dirname(file), path));
    if (!existsSync(join(root, target))) return [`${link} is not there`];
    // Pictures are for who reads in the repository; their words say what is on them.
    if (/^docs\/guides\/[a-z-]+\.png$/.test(target)) return [];
    const isForUsers = forUsers.includes(target) || /^docs\/[^/]+\.(?:yml|json)$/.test(target);
    if (!isForUsers && !/^(?:README|CHANGELOG)\.md$/.test(target)) {
      return [`${link} is not for users; name it as code instead`];
    }
    const isThere = anchor === undefined || anchorsOf(read(target)).includes(anchor);
    return isThere ? [] : [`${link} names no heading of ${target}`];
  });
}

describe("blocks and links", () => {
  test("a wrong block, command or link is found", () => {
    const fence = (language: string, code: string): string =>
      `\`\`\`${language}\n${code}\n\`\`\`\n`;
    expect(blockFaults(fence("ts", "a();"), ["b();\n"])).toHaveLength(1);
    expect(blockFaults(fence("js", "a();"), ["a();\n"])).toHaveLength(1);
    expect(blockFaults("`npm run benk`, `npm run bench -- nothing`", [])).toHaveLength(2);
    expect(blockFaults(`${fence("ts", "b();")}\`npm run bench -- bytes\``, ["b();\n"])).toEqual([]);
    const links = "[a](nowhere.md) [b](api.md#nothing) [c](internals/rooms.md) [d](api.md)";
    expect(linkFaults("docs/a.md", links)).toHaveLength(3);
  });

  test.each(forUsers)("%s", (file) => {
    const page = read(file);
    const faults = blockFaults(page, [...examples.values()]);
    // These name files of the repository for maintainers.
    if (file !== "docs/glossary.md") faults.push(...linkFaults(file, page));
    expect(faults).toEqual([]);
  });

  test("every example is shown by a page", () => {
    const blocks = forUsers.flatMap((file) => blocksOf(read(file)));
    const shown = (source: string): boolean => blocks.some(({ code }) => source.includes(code));
    const hidden = Array.from(examples).filter(([file]) => file.startsWith(folder));
    expect(hidden.filter(([, source]) => !shown(source)).map(([file]) => file)).toEqual([]);
  });

  test("the README links to every guide and reference", () => {
    const links = linksOf(read("README.md"));
    const pages = forUsers.filter((file) => !/docs\/(?:README|glossary)\.md$/.test(file));
    expect(pages.filter((page) => !links.includes(page))).toEqual([]);
  });
});

describe("examples print what they say", () => {
  test.concurrent.each(programs)("%s", async (name) => {
    const expected = expectedOutput(examples.get(`${folder}/${name}.ts`) ?? "");
    expect(expected, "a console.log does not say what it prints").toBeDefined();
    const cwd = mkdtempSync(join(tmpdir(), "undercroft-guide-"));
    try {
      const program = join(root, `dist/${folder}/${name}.js`);
      const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd });
      expect(stdout.trimEnd().split("\n")).toEqual(expected);
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });
});
