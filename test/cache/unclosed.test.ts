// Scripts that end without close(): what they have set is there at the next run.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { brokenCopy, makeScratch, removeScratch } from "../crash/program.js";
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

test("what the exit has no time to write is told by an event, and at the next open", async () => {
  const scratch = makeScratch();
  onTestFinished(() => removeScratch(scratch));
  // A disk that is never done.
  const from = "flush(reach, now, betweenSegments) {";
  const patch = { file: "src/disk-log/flusher.js", from, to: `${from} return false;` };
  const door = brokenCopy(scratch, [patch]);
  const path = freshPath();
  const child = spawnSync(process.execPath, [script, path, "", door], { encoding: "utf8" });
  expect(child.status).toBe(0);
  expect(child.stdout).toMatch(/^ERR_DISK_IO .*500 entries are lost; await close\(\)/);
  const cache = await open(diskAt(path));
  expect(cache.recovery?.reason).toMatch(
    /process ended 500 entries were not written yet, and lost/,
  );
  expect(await cache.get("key-0")).toBeUndefined();
  await cache.close();
  const again = await open(diskAt(path));
  expect(again.recovery?.reason).not.toMatch(/lost/);
});
