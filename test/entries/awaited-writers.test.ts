// A burst of more than memory has room for, into a disk that takes it all: who awaits loses
// nothing, and who does not is told what was refused.

import { expect, test } from "vitest";

import type { Cache } from "../../dist/src/mod.js";
import { names, open, scratchDirectory, textOf } from "../disk-log/scratch-cache.js";

const keys = names("key", 5000);
const valueOf = (key: string): string => textOf(key, 1, 1000);

function openTight(): Promise<Cache<string>> {
  const disk = { path: scratchDirectory(), capacity: "32mb", preload: false as const };
  return open<string>({ memory: "1mb", disk });
}

/** The keys that are found; each must have its value. */
async function found(cache: Cache<string>): Promise<Set<string>> {
  const there = new Set<string>();
  for (const key of keys) {
    const value = await cache.get(key);
    if (value === undefined) continue;
    expect(value).toBe(valueOf(key));
    there.add(key);
  }
  return there;
}

/** Of two entries that share home and fingerprint one leaves. */
const twins = 3;

test.each([
  [
    "setAsync",
    async (cache: Cache<string>) => {
      for (const key of keys) expect(await cache.setAsync(key, valueOf(key))).toBe("stored");
    },
  ],
  [
    "warm",
    async (cache: Cache<string>) => {
      const pairs = keys.map((key): [string, string] => [key, valueOf(key)]);
      const all = { loaded: keys.length, present: 0, failed: 0, refused: 0 };
      expect(await cache.warm(pairs)).toEqual(all);
    },
  ],
])("%s, awaited, waits for room and loses nothing", async (_, write) => {
  const cache = await openTight();
  await write(cache);
  await cache.flush();
  expect((await found(cache)).size).toBeGreaterThanOrEqual(keys.length - twins);
  const { evictions, admissions } = cache.stats();
  expect([evictions.disk, evictions.index, admissions.refusedQueue]).toEqual([0, 0, 0]);
});

test("setMany, which does not wait, says what it refused, and loses nothing else", async () => {
  const cache = await openTight();
  const outcomes = cache.setMany(keys.map((key): [string, string] => [key, valueOf(key)]));
  const stored = keys.filter((_, index) => outcomes[index] === "stored");
  expect(new Set(outcomes)).toEqual(new Set(["stored", "overloaded"]));
  await cache.flush();
  const there = await found(cache);
  for (const key of there) expect(stored).toContain(key);
  expect(there.size).toBeGreaterThanOrEqual(stored.length - twins);
});
