// What docs/guides/sqlite.md says: its code is that of examples, which run and print what they
// should.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

function read(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
}

const examples = [
  ["sqlite-1-add", "0 0"],
  ["sqlite-2-read", "{ name: 'Ada' } { name: 'Ada' } undefined\n{ name: 'Grace' } 3"],
  ["sqlite-3-groups", "{ type: 'helper' } { type: 'critic' }\nundefined undefined"],
  ["sqlite-4-write", "{ prompt: 'be kind', words: 2 } 1"],
  ["sqlite-5-drop", "{ words: 2 } 0\n{ words: 2 } 1"],
] as const;

test("the guide shows the code of the examples", () => {
  const guide = read("docs/guides/sqlite.md");
  const sources = examples.map(([name]) => read(`examples/${name}.ts`));
  const blocks = Array.from(guide.matchAll(/^```ts\n(.*?)^```$/gms), (match) => match[1] ?? "");
  expect(blocks.length).toBe(examples.length);
  expect(blocks.filter((block, step) => !sources[step]?.includes(block))).toEqual([]);
  for (const [name] of examples) expect(guide).toContain(`examples/${name}.ts`);
});

test.each(examples)("%s runs", async (name, printed) => {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [`dist/examples/${name}.js`],
    { cwd: root },
  );
  expect([stdout.trim(), stderr]).toEqual([printed, ""]);
});
