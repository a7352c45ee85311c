// What the README says and a test can hold. Its example is run as it stands, by the package's own
// name, so that it cannot rot; only the directory of its disk tier is moved out of the repository.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import ts from "typescript";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

const readme = readFileSync(join(root, "README.md"), "utf8");

test("the README links to pages that are there", () => {
  const links = Array.from(readme.matchAll(/\]\((?!https?:)([^)#]+)/g), (match) => match[1] ?? "");
  expect(links.length).toBeGreaterThan(2);
  expect(links.filter((link) => !existsSync(join(root, link)))).toEqual([]);
});

test("every guarantee of the README names a folder of tests", () => {
  const folders = Array.from(readme.matchAll(/`(test\/[a-z-]+)`/g), (match) => match[1] ?? "");
  expect(folders.length).toBeGreaterThan(5);
  const empty = folders.filter((folder) => {
    const path = join(root, folder);
    return !existsSync(path) || !readdirSync(path).some((file) => file.endsWith(".test.ts"));
  });
  expect(empty).toEqual([]);
});

test("every suite the README names is one of the benchmarks", () => {
  const rows = readme.slice(readme.indexOf("| suite"), readme.indexOf("## Where to read on"));
  const suites = Array.from(rows.matchAll(/^\| `([a-z-]+)`/gm), (match) => match[1] ?? "");
  const files = readdirSync(join(root, "bench/suites")).map((file) => file.replace(/\.ts$/, ""));
  expect(suites.toSorted()).toEqual(files.filter((file) => file !== "mod").toSorted());
});

test("the README's example runs", () => {
  const example = /^```ts\n(.*?)^```$/ms.exec(readme)?.[1] ?? "";
  expect(example).toContain('from "undercroft"');
  expect(example).toContain('"./cache"');
  const directory = mkdtempSync(join(tmpdir(), "undercroft-readme-"));
  const { outputText } = ts.transpileModule(
    `${example.replace('"./cache"', JSON.stringify(join(directory, "cache")))}
    process.stdout.write(JSON.stringify(user));`,
    { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 } },
  );
  // In the repository's root the package's own name resolves to what it exports.
  const run = spawnSync(process.execPath, ["--input-type=module", "--eval", outputText], {
    cwd: root,
    encoding: "utf8",
    timeout: 30_000,
  });
  rmSync(directory, { recursive: true, force: true });
  expect(run.stderr).toBe("");
  expect(JSON.parse(run.stdout)).toEqual({ name: "Grace" });
  expect(run.status).toBe(0);
});
