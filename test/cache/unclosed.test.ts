// Scripts that end without close(): what they have set is there at the next run.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { diskAt, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

const script = fileURLToPath(new URL("./unclosed.mjs", import.meta.url));

test.each([
  ["by itself", "", 0],
  ["by process.exit()", "exit", 0],
  ["by an error", "throw", 1],
])("what a script has set that ends %s is there at the next open", async (_, how, code) => {
  const path = freshPath();
  const child = spawnSync(process.execPath, [script, path, how]);
  expect(child.status).toBe(code);
  const cache = await open<{ key: number }>(diskAt(path));
  expect(cache.recovery).toMatchObject({ kind: "scan", entries: 500 });
  expect(await cache.get("key-499")).toEqual({ key: 499 });
});
