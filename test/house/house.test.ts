// The house rules over the whole tree. Each rule is first shown red on a seeded text, then run over
// every file.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, test } from "vitest";

import { importsOf, readFloors, roomOf, stairFaults } from "./floors.js";
import { publicNames } from "./public-names.js";
import {
  addressFaults,
  codeFaults,
  columnFaults,
  doorFaults,
  fileLinesMax,
  folderFaults,
  folderFilesMax,
  functionFaults,
  lengthFaults,
  openingFaults,
  retiredFaults,
  sameNameFaults,
  timerFaults,
  wordFaults,
  workerLinesMax,
} from "./rules.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const roomsPage = read("docs/internals/rooms.md");
const floors = readFloors(roomsPage);
const manifest = JSON.parse(read("package.json")) as {
  dependencies: Record<string, string>;
  imports: Record<string, unknown>;
};
const dependencies = new Set([manifest.dependencies, manifest.imports].flatMap(Object.keys));

const sources = filesUnder("src", /\.ts$/);
const workers = filesUnder("workers", /\.ts$/);
const code = [...sources, ...workers, ...["bench", "examples", "test"].flatMap(codeUnder)];
const pages = [
  "README.md",
  "CHANGELOG.md",
  ".ci/run",
  "package.json",
  // What is installed and built for the site is not ours.
  ...filesUnder("docs", /\.md$/).filter((file) => !file.startsWith("docs/site/")),
];

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function codeUnder(folder: string): string[] {
  return filesUnder(folder, /\.ts$/);
}

function filesUnder(folder: string, wanted: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && wanted.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((file) => !file.includes("/node_modules/")) // of bench/hosts and docs/site
    .toSorted();
}

test("the house test visits the tree", () => {
  expect(sources.length).toBeGreaterThan(20);
  expect(code.length).toBeGreaterThan(sources.length + 10);
  expect(sources).toContain("src/mod.ts");
  expect(sources).toContain("src/record/record-layout.ts");
  expect(sources.flatMap((file) => importsOf(read(file))).length).toBeGreaterThan(20);
});

describe("floors", () => {
  const page =
    "| 2 | `cache/` | top |\n| 1 | `disk/` `memory/` | middle |\n| 0 | `base/` | ground |";
  const faultsOf = (file: string, text: string): string[] =>
    stairFaults(readFloors(page), new Set(["fs-extra"]), file, text);

  test.each([
    ["src/disk/a.ts", 'import { b } from "../cache/mod.js";', "not on a lower floor"],
    ["src/disk/a.ts", 'import type { B } from "../memory/mod.js";', "not on a lower floor"],
    ["src/disk/a.ts", 'export { b } from "../base/clock.js";', "not that room's door"],
    ["src/disk/a.ts", 'const b = await import("../cache/mod.js");', "not on a lower floor"],
    ["src/disk/a.ts", 'import { b } from "../cellar/mod.js";', "has no floor"],
    ["src/attic/a.ts", 'import { b } from "../base/mod.js";', "has no floor"],
    ["src/disk/a.ts", 'import { b } from "../../bench/b.js";', "outside src/"],
    ["src/disk/a.ts", 'import { b } from "left-pad";', "not a dependency"],
    ["src/disk/a.ts", 'import { b } from "fs";', "not a dependency"],
    ["src/disk/a.ts", 'import { b } from "../kernel/assembly/mod.js";', "AssemblyScript"],
    ["src/kernel/assembly/a.ts", 'import { b } from "../kernel";', "the shared constants only"],
    [
      "src/kernel/assembly/a.ts",
      'import { b } from "../../base/mod";',
      "the shared constants only",
    ],
  ])("%s is refused %s", (file, text, words) => {
    expect(faultsOf(file, text).join()).toContain(words);
  });

  test("what is allowed is not refused", () => {
    const disk = 'import { a } from "./b.js";\nimport { c } from "../base/mod.js";\n';
    expect(faultsOf("src/disk/a.ts", `${disk}import fs from "fs-extra";`)).toEqual([]);
    const assembly = 'import { a } from "./b";\nimport { c } from "../layout";\n';
    const record = 'import { d } from "../../record/record-layout";';
    expect(faultsOf("src/kernel/assembly/a.ts", assembly + record)).toEqual([]);
  });

  test("docs/internals/rooms.md names a floor for every room there is", () => {
    const rooms = new Set(sources.map(roomOf));
    expect([...rooms].filter((room) => !floors.has(room))).toEqual([]);
    expect(floors.get("base")).toBe(0);
    expect(rooms.size).toBeGreaterThan(6);
  });

  test("imports climb down, through doors", () => {
    const faults = sources.flatMap((file) => stairFaults(floors, dependencies, file, read(file)));
    expect(faults).toEqual([]);
  });

  test("files of a directory are reached by the seam alone", () => {
    const rooms = new Set([
      "device",
      "directory",
      "disk",
      "disk-log",
      "tiers",
      "janitor",
      "inspection",
    ]);
    const own = "src/device/file-system.ts";
    const importers = sources.filter((file) =>
      importsOf(read(file)).some(({ specifier }) => /^(node:)?fs(\/promises)?$/.test(specifier)),
    );
    expect(importers).toContain(own);
    expect(importers.filter((file) => file !== own && rooms.has(roomOf(file)))).toEqual([]);
  });

  test("workers and examples come in by a door", () => {
    const inner = /^\.\.\/src\/(?:[a-z-]+\/)?mod\.js$/;
    const faultsIn = (files: readonly string[], door: RegExp): string[] =>
      files.flatMap((file) =>
        importsOf(read(file))
          .filter(({ specifier }) => specifier.startsWith("..") && !door.test(specifier))
          .map(({ specifier }) => `${file}: imports ${specifier}`),
      );
    expect(faultsIn(workers, inner)).toEqual([]);
    expect(faultsIn(filesUnder("examples", /\.ts$/), /^\.\.\/src\/mod\.js$/)).toEqual([]);
    expect(inner.test("../src/disk/reader.js")).toBe(false);
  });
});

describe("sizes", () => {
  test("a long file and a long function are refused", () => {
    expect(lengthFaults("src/a.ts", "x\n".repeat(fileLinesMax + 1), fileLinesMax)).toHaveLength(1);
    expect(lengthFaults("src/a.ts", "x\n".repeat(fileLinesMax), fileLinesMax)).toEqual([]);
    const long = `function a(): void {\n${"  step();\n".repeat(69)}}\n`;
    expect(functionFaults("src/a.ts", long)).toHaveLength(1);
    expect(functionFaults("src/a.ts", long.replace("  step();", "  // why"))).toEqual([]);
  });

  test("files are short", () => {
    expect(code.flatMap((file) => lengthFaults(file, read(file), fileLinesMax))).toEqual([]);
  });

  test("a full folder, two files of one name and a long line are refused", () => {
    const many = Array.from({ length: folderFilesMax + 1 }, (_, i) => `src/a/f${i}.ts`);
    expect(folderFaults(many)).toHaveLength(1);
    expect(folderFaults(many.slice(1))).toEqual([]);
    expect(sameNameFaults(["src/a/index.ts", "src/b/index.ts"])).toHaveLength(1);
    expect(sameNameFaults(["src/a/mod.ts", "src/b/mod.ts", "src/b/c.ts"])).toEqual([]);
    expect(columnFaults("src/a.ts", `// ${"x".repeat(98)}\n`)).toHaveLength(1);
    expect(columnFaults("src/a.ts", `// ${"x".repeat(97)}\n`)).toEqual([]);
  });

  test("folders are short, and a file's name is its own", () => {
    const outside = sources.filter((file) => !file.startsWith("src/kernel/assembly/"));
    expect(folderFaults(sources)).toEqual([]);
    expect(sameNameFaults(outside)).toEqual([]);
  });

  test("lines fit the screen, comments included", () => {
    expect(code.flatMap((file) => columnFaults(file, read(file)))).toEqual([]);
  });

  // oxlint holds every other folder to the same number; it does not read AssemblyScript.
  test("functions are short", () => {
    expect([...sources, ...workers].flatMap((file) => functionFaults(file, read(file)))).toEqual(
      [],
    );
  });

  test("workers/ is wiring only", () => {
    expect(workers.flatMap((file) => lengthFaults(file, read(file), workerLinesMax))).toEqual([]);
  });
});

describe("words", () => {
  test("promises and machine paths are refused", () => {
    for (const word of ["FIX" + "ME", "TO" + "DO"]) {
      expect(wordFaults("src/a.ts", `// ${word}: later`)).toHaveLength(1);
    }
    expect(wordFaults("src/a.ts", 'const a = "/' + 'home/me/cache";')).toHaveLength(1);
    expect(wordFaults("docs/a.md", "run `/" + "tmp/x.sh`")).toHaveLength(1);
    expect(wordFaults("src/a.ts", "const method = toDo; // a home/ of its own")).toEqual([]);
  });

  test("no file promises later work or names a machine", () => {
    expect([...code, ...pages].flatMap((file) => wordFaults(file, read(file)))).toEqual([]);
  });
});

describe("the glossary", () => {
  test.each([
    ["// takes a place of its own", "slot"],
    ["// a record that was killed", "tombstone"],
    ["const deadList = 1;", "tombstone list"],
    ["// the shapes that values share", "schema"],
    ["// learned phrases", "schema"],
    ["// the fill was overtaken", "superseded"],
    ["// lets go of the record", "drop"],
    ["function f(letGo: number): void {}", "drop"],
    ["// puts off the write", "defer"],
    ["// the change log", "invalidation log"],
    ["// kept keys", "interned key"],
    ["// an assisting writer", "foreground reclaim"],
  ])("%s is refused", (text, instead) => {
    expect(retiredFaults("src/a/b.ts", text).join()).toContain(instead);
  });

  test("what is no retired word is not refused", () => {
    const text = "// in place; after kill -9; takes place; undercroft.shapes";
    expect(retiredFaults("src/a/b.ts", text)).toEqual([]);
  });

  test("src/ speaks its words", () => {
    expect(sources.flatMap((file) => retiredFaults(file, read(file)))).toEqual([]);
  });
});

describe("addresses", () => {
  test.each([
    ["const a = kernel.views.u32[1];", "views"],
    ['import * as at from "../kernel/layout.js";', "layout"],
    ['import * as fl from "../kernel/flight-layout.js";', "layout"],
    ["const a = new Uint32Array(region.memory.buffer);", "maps shared memory"],
  ])("%s is refused outside kernel/", (text, words) => {
    expect(addressFaults("src/disk/a.ts", text).join()).toContain(words);
    expect(addressFaults("src/kernel/words/a.ts", text)).toEqual([]);
  });

  test("only kernel/ computes addresses", () => {
    expect(sources.flatMap((file) => addressFaults(file, read(file)))).toEqual([]);
  });
});

describe("code", () => {
  test.each([
    ["src/a/b.ts", "const a = b as any;", "casts to any"],
    ["src/a/b.ts", "console.log(1);", "prints"],
    ["src/a/b.ts", "export default class A {}\nexport default a;", "default"],
  ])("%s: %s is refused", (file, text, words) => {
    expect(codeFaults(file, text).join()).toContain(words);
  });

  test("prose and the command line may", () => {
    expect(codeFaults("src/a/b.ts", "// the same as any other: console.log()")).toEqual([]);
    expect(codeFaults("src/cli/b.ts", "console.log(1);")).toEqual([]);
  });

  test("src/ and workers/ keep to types and channels", () => {
    expect([...sources, ...workers].flatMap((file) => codeFaults(file, read(file)))).toEqual([]);
  });

  test.each([
    ["setTimeout(run, 1);", "setTimeout"],
    ["const later = setImmediate;", "setImmediate"],
    ["queueMicrotask(run);", "queueMicrotask"],
    ["globalThis.setInterval(run, 1);", "globalThis.setInterval"],
    ["process.nextTick(run);", "process.nextTick"],
    ["process.hrtime.bigint();", "process.hrtime"],
    ["AbortSignal.timeout(1);", "AbortSignal.timeout"],
    ["const now = performance.now();", "performance"],
    ["const now = Date.now();", "Date"],
    ["const read = Date.now;", "Date"],
    ["const start = new Date();", "Date"],
    ["const start = Date.UTC(2025, 0, 1);", "Date"],
    ['import { performance } from "node:perf_hooks";', "node:perf_hooks"],
    ['import { setTimeout } from "node:timers/promises";\nsetTimeout(1);', "node:timers/promises"],
    ['import { setTimeout } from "./elsewhere.js";\nsetTimeout(run, 1);', "setTimeout"],
  ])("a timer or clock that is not bound is refused: %s", (text, name) => {
    expect(timerFaults("src/a/b.ts", text).join()).toContain(`uses ${name} unbound`);
  });

  test("timers of base/, dates of given milliseconds, types and prose are not refused", () => {
    const bound = 'import { elapsedMs, setTimeout } from "../base/mod.js";\nsetTimeout(run, 1);\n';
    const dates = "const at = new Date(ms);\nconst is = prototype === Date.prototype;\n";
    const types = "let timer: ReturnType<typeof setTimeout>;\nlet date: Date;\ntimer.setTimeout();";
    expect(timerFaults("src/a/b.ts", `// Date.now()\n${bound}${dates}${types}`)).toEqual([]);
    expect(timerFaults("src/base/timers.ts", "const a = Date.now;")).toEqual([]);
  });

  test("src/ and workers/ take timers and clocks from base/", () => {
    expect([...sources, ...workers].flatMap((file) => timerFaults(file, read(file)))).toEqual([]);
  });

  test("a door that does something is refused", () => {
    expect(doorFaults("src/a/mod.ts", 'export { b } from "./b.js";')).toEqual([]);
    expect(doorFaults("src/a/mod.ts", "export const b = 1;")).toHaveLength(1);
    expect(doorFaults("src/a/mod.ts", 'import { b } from "./b.js";\nexport { b };')).toHaveLength(
      2,
    );
  });

  test("doors only re-export", () => {
    expect(sources.flatMap((file) => doorFaults(file, read(file)))).toEqual([]);
  });

  test("a file without a noun or an opening is refused", () => {
    expect(openingFaults("src/a/utils.ts", "// Things.\n")).toHaveLength(1);
    expect(openingFaults("src/a/indexTable.ts", "// The index table.\n")).toHaveLength(1);
    expect(openingFaults("src/a/b.ts", 'import { c } from "./c.js";\n')).toHaveLength(1);
    expect(openingFaults("src/a/index-table.ts", "// The index table.\n")).toEqual([]);
  });

  test("every file is named for its noun and opens by saying what it is", () => {
    // A test says what it holds in its name.
    const speaking = code.filter((file) => !file.startsWith("test/"));
    expect(speaking.flatMap((file) => openingFaults(file, read(file)))).toEqual([]);
  });
});

describe("public names", () => {
  test("a name or a method without a docstring is found behind two doors", () => {
    const tree = new Map([
      [
        "src/mod.ts",
        'export { a, b as c } from "./room/mod.js";\nexport { gone } from "./room/mod.js";',
      ],
      ["src/room/mod.ts", 'export * from "./a.js";\nexport type { Schema } from "./a.js";'],
      [
        "src/room/a.ts",
        "/** Says. */\nexport function a(): void {}\n// not a docstring\n" +
          "export class b {\n /** Says. */\n d(): void {}\n e(): void {}\n}",
      ],
    ]);
    const names = publicNames("src/mod.ts", (file) => tree.get(file));
    expect(names).toEqual([
      { name: "a", file: "src/room/a.ts", undocumented: [] },
      { name: "c", file: "src/room/a.ts", undocumented: ["c", "c.e"] },
      { name: "gone", file: undefined, undocumented: ["gone"] },
    ]);
  });

  test("every public name has a docstring", () => {
    const known = new Set(sources);
    const names = publicNames("src/mod.ts", (file) => (known.has(file) ? read(file) : undefined));
    expect(names.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["openCache", "attachCache", "UndercroftError"]),
    );
    expect(names.flatMap(({ undocumented }) => undocumented)).toEqual([]);
  });
});
