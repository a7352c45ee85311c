// A disk that really stops taking writes: the cache goes on in memory and reports it, the tier
// comes back when the disk does, and after a kill in between no older value is there.

import { join } from "node:path";

import { expect, test } from "vitest";

import { builtDoor, compile, Program } from "../crash/program.js";
import { encryption, names, open, scratchDirectory } from "./scratch-cache.js";
import type { StarvedOptions, StarvedResult } from "./starved.js";

const value = (key: string, version: number): string => `${key}#${version};`.repeat(100);

const isAllEncrypted = encryption.encryption !== undefined;

/** Runs the program until it kills itself, and opens what it left. */
async function starve(limit: number, returns: boolean, isEncrypted = isAllEncrypted) {
  const scratch = scratchDirectory();
  const program = compile(scratch, new URL(".", import.meta.url), "starved.ts");
  const path = join(scratch, "cache");
  const options: StarvedOptions = { door: builtDoor, path, limit, returns, isEncrypted };
  const running = new Program(program, options);
  const { signal, errors } = await running.ended;
  expect([signal, errors]).toEqual(["SIGKILL", ""]);
  const result = JSON.parse(running.lines[0] ?? "null") as StarvedResult;
  const keys = isEncrypted ? { encryption: { key: Buffer.alloc(32, 7) } } : {};
  const cache = await open<string>({ memory: "1mb", disk: { path, capacity: "2mb", ...keys } });
  return { result, cache };
}

// 60,000: batches still fit at first, tombstones at the end of a segment do not. 100: only headers
// can be written. 0: nothing.
test.each([
  [60_000, false],
  [60_000, true],
  [100, false],
  [0, false],
])(
  "with room for %i bytes in each file (encrypted: %j) the cache goes on in memory",
  async (limit, isEncrypted) => {
    const { result, cache } = await starve(limit, false, isEncrypted || isAllEncrypted);
    expect(result).toMatchObject({
      outcomes: ["stored"],
      wrongReads: 0,
      missesInMemory: 0,
      flushWhileDown: "ERR_DISK_IO",
      stateWhileDown: "down",
      stateAfter: "down",
    });
    expect(result.events).toEqual(["down disk ERR_DISK_IO"]);
    expect(result.overloaded).toBeLessThan(200);
    for (const [index, key] of names("key", 400).entries()) {
      const found = await cache.get(key);
      const allowed = index % 3 === 0 ? value(key, 2) : index % 3 === 1 ? undefined : value(key, 1);
      expect([undefined, allowed], `${key} is ${found?.slice(0, 9)}`).toContain(found);
    }
  },
);

test("when the disk is back, the tier is up again and a flush reaches it", async () => {
  const { result, cache } = await starve(100, true);
  expect(result).toMatchObject({ flushWhileDown: "ERR_DISK_IO", flushAfter: "flushed" });
  expect(result).toMatchObject({ wrongReads: 0, stateAfter: "up" });
  expect(result.events).toEqual(["down disk ERR_DISK_IO", "up disk"]);
  for (const key of names("after", 50)) expect(await cache.get(key)).toBe(value(key, 1));
  for (const [index, key] of names("key", 400).entries()) {
    const found = await cache.get(key);
    const allowed = index % 3 === 0 ? value(key, 2) : index % 3 === 1 ? undefined : value(key, 1);
    expect([undefined, allowed], `${key} is ${found?.slice(0, 9)}`).toContain(found);
  }
});
