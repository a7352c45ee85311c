// Every name that the package exports has an example in its docstring, and every example compiles,
// runs against the built package and prints what it says.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

import { exampleFaults } from "./example-runner.js";
import { type Example, examplesOf, expectedOutput } from "./examples.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | { readonly default: string }>;
};

/** The sources of the public entries: `./dist/src/mod.js` is built from `src/mod.ts`. */
const doors = Object.values(exports)
  .filter((target) => typeof target === "object")
  .map((target) => target.default.replace("./dist/", "").replace(/\.js$/, ".ts"));

const found = doors.map((door) => examplesOf(door, read));
const examples = found.flatMap((each) => each.examples).filter(isFirst);

function read(file: string): string | undefined {
  const path = join(root, file);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** A name that two entries export is one example. */
function isFirst({ name, file }: Example, index: number, all: readonly Example[]): boolean {
  return all.findIndex((other) => other.name === name && other.file === file) === index;
}

function fenced(code: string): string {
  return `/**\n * Says.\n *\n * @example\n * \`\`\`ts\n * ${code}\n * \`\`\`\n */`;
}

test("a name without an example is found, and so is a method's example", () => {
  const tree = new Map([
    ["src/mod.ts", 'export { a, B, c } from "./room/mod.js";'],
    ["src/room/mod.ts", 'export * from "./a.js";'],
    [
      "src/room/a.ts",
      `${fenced("a();")}\nexport function a(): void {}
/** Says. */\nexport class B {\n ${fenced("new B().d();")}\n d(): void {}\n}
/**\n * Says.\n *\n * @example\n * c();\n */\nexport function c(): void {}`,
    ],
  ]);
  expect(examplesOf("src/mod.ts", (file) => tree.get(file))).toEqual({
    examples: [
      { name: "a", file: "src/room/a.ts", code: "a();\n" },
      { name: "B.d", file: "src/room/a.ts", code: "new B().d();\n" },
    ],
    missing: ["B", "c"],
  });
});

test("what an example prints is read from its comments", () => {
  expect(expectedOutput("a();\nconsole.log(a(1)); // { b: 1 }\n  console.log(2); // 2")).toEqual([
    "{ b: 1 }",
    "2",
  ]);
  expect(expectedOutput("console.log(a(1));")).toBeUndefined();
});

test("every public name has an example", () => {
  expect(doors).toEqual(expect.arrayContaining(["src/mod.ts", "src/shared-map/mod.ts"]));
  expect(examples.length).toBeGreaterThan(30);
  expect(found.flatMap(({ missing }) => missing)).toEqual([]);
});

test("every example compiles, runs and prints what it says", async () => {
  const code = 'import { openCache } from "undercroft";\n';
  const seeded = [
    { name: "seeded type", file: "", code: `${code}export const a: number = openCache;` },
    { name: "seeded throw", file: "", code: `${code}await openCache({ memory: -1 });` },
    { name: "seeded output", file: "", code: "console.log(1); // 2" },
    { name: "seeded silence", file: "", code: "console.log(1);" },
  ];
  const faults = await exampleFaults(root, [...examples, ...seeded]);
  expect(faults.filter((fault) => !fault.startsWith("seeded "))).toEqual([]);
  const seededFaults = faults.map((fault) => fault.split(":")[0]);
  expect(new Set(seededFaults)).toEqual(new Set(seeded.map(({ name }) => name)));
}, 180_000);
