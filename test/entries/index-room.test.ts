// Room in the index: what is on disk does not leave for want of a slot while there are many.

import { expect, test } from "vitest";

import { names, open, scratchDirectory } from "../disk-log/scratch-cache.js";

test("no entry leaves for want of index room while half of it and the disk are free", async () => {
  const disk = { path: scratchDirectory(), capacity: "16mb", preload: false as const };
  const cache = await open<string>({ memory: "1mb", disk });
  const { indexBytes } = cache.stats().memory;
  const slots = (indexBytes / 64) * 7;
  const keys = names("key", Math.floor(slots / 2));
  const outcome = await cache.warm(keys.map((key): [string, string] => [key, `${key}!`]));
  expect(outcome).toEqual({ loaded: keys.length, present: 0, failed: 0, refused: 0 });
  await cache.flush();
  expect(cache.stats().disk?.bytes).toBeLessThan(8 * 2 ** 20);
  expect(cache.stats().evictions).toEqual({ memory: 0, disk: 0, index: 0 });
  // Of two that share home and fingerprint one leaves.
  let found = 0;
  for (const key of keys) if ((await cache.get(key)) === `${key}!`) found += 1;
  expect(found).toBeGreaterThanOrEqual(keys.length - 5);
});
