// What docs/guides/langchain.md says: its code is that of an example, which prints what it says.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

import { expectedOutput } from "../house/examples.js";
import { blocksOf } from "../house/pages.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string =>
  readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
const source = read("examples/langchain.ts");

test("the guide shows the code of the example", () => {
  const blocks = blocksOf(read("docs/guides/langchain.md"))
    .filter(({ language }) => language === "ts")
    .map(({ code }) => code);
  expect(blocks.length).toBe(2);
  expect(blocks.filter((code) => !source.includes(code))).toEqual([]);
});

test("the example prints what it says", async () => {
  const program = "dist/examples/langchain.js";
  const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: root });
  expect(stdout.trimEnd().split("\n")).toEqual(expectedOutput(source));
});
