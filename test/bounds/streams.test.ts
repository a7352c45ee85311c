// The CI share of the proof of streams, in a process of its own.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { expect, test } from "vitest";

const proof = fileURLToPath(new URL("../../dist/test/proof/main.js", import.meta.url));

test("64 MiB go in and out by streams with less than 32 MiB of added memory", async () => {
  const args = ["--expose-gc", proof, "streams", "--mebibytes", "64", "--memory", "8"];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toMatch(/64 MiB went in and out with [\d.]+ MiB of added memory/);
});
