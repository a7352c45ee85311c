// The README's example is run as it stands, by the package's own name, so that it cannot rot. Only the directory of its
// disk tier is moved out of the repository.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import ts from "typescript";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("the README's example runs", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
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
