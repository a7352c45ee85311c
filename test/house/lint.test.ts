// The lint rules the house leans on, shown red on seeded files: a linter that reads nothing also
// prints no errors.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "undercroft-lint-"));

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("oxlint is red on each seeded fault", () => {
  const compilerOptions = { strict: true, module: "NodeNext", target: "ES2023" };
  seed("tsconfig.json", JSON.stringify({ compilerOptions }));
  seed("cycle-a.ts", 'import type { B } from "./cycle-b.js";\nexport type A = B[];\n');
  seed("cycle-b.ts", 'import type { A } from "./cycle-a.js";\nexport type B = { a: A };\n');
  seed("floating.ts", "async function go(): Promise<void> {}\ngo();\n");
  seed("kind.ts", 'import { A } from "./cycle-a.js";\nexport const a: A = [];\n');
  seed("long.ts", `export function long(): void {\n${"  void 0;\n".repeat(70)}}\n`);
  seed("printing.ts", 'console.log("x");\n');
  seed("silent.test.ts", 'import { test } from "vitest";\ntest("x", () => {});\n');
  const lint = spawnSync(
    join(root, "node_modules/.bin/oxlint"),
    ["--type-aware", "--deny-warnings", "-f", "unix", "-c", join(root, ".oxlintrc.json"), folder],
    { cwd: root, encoding: "utf8" },
  );
  const red = (file: string, rule: string): boolean =>
    lint.stdout.split("\n").some((line) => line.includes(file) && line.includes(`(${rule})`));
  expect(lint.status).not.toBe(0);
  expect(red("cycle-a.ts", "no-cycle")).toBe(true);
  expect(red("floating.ts", "no-floating-promises")).toBe(true);
  expect(red("kind.ts", "consistent-type-imports")).toBe(true);
  expect(red("long.ts", "max-lines-per-function")).toBe(true);
  expect(red("printing.ts", "no-console")).toBe(true);
  expect(red("silent.test.ts", "expect-expect")).toBe(true);
});

function seed(file: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), text);
}
