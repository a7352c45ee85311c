// What a cache keeps alive in the V8 heap, seen from a process of its own in which garbage is
// collected at will. The bounds are generous: what they exclude is several times larger.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("held-memory.mjs", import.meta.url));

async function run(scenario: string): Promise<Record<string, unknown>> {
  const args = ["--expose-gc", program, scenario];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("keys that callers interned do not keep what they were cut from", async () => {
  const { keptMB, near } = await run("interned");
  expect(near).toBeGreaterThan(1_000_000); // so they were in the index
  expect(keptMB).toBeLessThan(10); // of 50
});

test("loads under way do not keep what their keys were cut from", async () => {
  const { keptMB, loads } = await run("loads");
  expect(loads).toBe(500);
  expect(keptMB).toBeLessThan(10); // of 50
});

test("no call keeps what its key or tags were cut from", async () => {
  expect((await run("calls"))["keptMB"]).toBeLessThan(10); // of 50 and more
});

test.each(["cleared", "closed"])("a %s cache keeps no object of its callers", async (scenario) => {
  const { givenGone, nearBefore, gotGone } = await run(scenario);
  expect(givenGone).toBe(true);
  expect(nearBefore).toBeGreaterThan(0);
  expect(gotGone).toBe(true);
});

test("another thread drops its near values at its first call after a clear or close", async () => {
  const gone = { before: 50, gone: true };
  expect(await run("elsewhere")).toEqual({ clear: gone, close: gone });
});

test("the heap goes back after a clear and after a close", async () => {
  const { filledMB, clearedMB, closedMB } = await run("heap");
  expect(filledMB).toBeGreaterThan(10);
  expect(clearedMB).toBeLessThan(4);
  expect(closedMB).toBeLessThan(4);
});
