// A fetch or get that comes while an answer from disk is on its way must not get what was deleted
// before it came.

import { expect, test } from "vitest";

import { attachCache } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches } from "../cache/opened.js";

setUpCaches();

const loaded = "loaded";

/** Lets the event loop turn so often. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test.each(["fetch", "get"] as const)(
  "a value deleted by another thread is not handed to a later %s while an earlier one reads it",
  async (method) => {
    const cache = await open<Buffer | string>({
      memory: "2mb",
      ...diskAt(freshPath()),
      near: false,
    });
    // It has its own thread id, so this thread's read-through is not told of its delete.
    const other = attachCache<Buffer | string>(cache.handle());
    // In chunks, which are read from disk one after the other after the head.
    const large = Buffer.alloc(100_000, 7);
    const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`);
    for (const key of keys) {
      expect(cache.set(key, large)).toBe("stored");
      await cache.flush();
    }
    let handed = 0;
    let fromDisk = 0;
    for (const [index, key] of keys.entries()) {
      const earlier = cache.fetch(key, () => loaded);
      // Up to some 50 ms, for a machine that is busy.
      await turns(2 ** (index % 16) - 1);
      other.delete(key);
      const later = await (method === "fetch" ? cache.fetch(key, () => loaded) : cache.get(key));
      if (typeof later === "object") handed++;
      if (typeof (await earlier) === "object") fromDisk++;
    }
    expect(handed).toBe(0);
    // Some of the earlier ones read it before it was deleted.
    expect(fromDisk).toBeGreaterThan(0);
    await other.close();
  },
);
