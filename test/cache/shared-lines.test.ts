// Reads of a hot key write nothing that other threads read. A cache line that one core writes must
// be fetched again by all others, so a counter or a mark there would keep reads from scaling with
// threads.

import { expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { attachCache, type Cache } from "../../dist/src/mod.js";
import { open, setUpCaches } from "./opened.js";

setUpCaches();

const hits = 10_000;

/** The lines of the control block that a hit reads. */
const readByHits = [at.controlState, at.controlSeed, at.controlClearEpoch, at.controlNearEpoch].map(
  (offset) => Math.floor(offset / at.cacheLineSize),
);

function linesOf(cache: Cache<string>): { readonly control: string[]; readonly index: string } {
  const bytes = Buffer.from(new Uint8Array(cache.handle().worker.memory.buffer));
  const [buckets, base] = [at.controlBucketCount, at.controlBucketBase].map((word) =>
    bytes.readUInt32LE(word),
  ) as [number, number];
  const control = readByHits.map((line) =>
    bytes.subarray(line * at.cacheLineSize, (line + 1) * at.cacheLineSize).toString("hex"),
  );
  return { control, index: bytes.subarray(base, base + buckets * at.bucketSize).toString("hex") };
}

test.each([{ near: false as const }, { near: { maxEntries: 100 } }])(
  "a key that was hit often is not marked again, with %o",
  async (options) => {
    const cache = await open<string>({ memory: "1mb", ...options });
    const other = attachCache<string>(cache.handle());
    cache.set("hot", "value", { ttl: "1h" });
    for (let hit = 0; hit < 10; hit++) {
      cache.getSync("hot");
      other.getSync("hot");
    }
    const before = linesOf(cache);
    for (let hit = 0; hit < hits; hit++) {
      expect(cache.getSync("hot")).toBe("value");
      expect(other.getSync("hot")).toBe("value");
    }
    // One more, to see a bit that every hit toggles.
    cache.getSync("hot");
    expect(linesOf(cache)).toEqual(before);
    await other.close();
  },
);

test("words that threads write often are on lines that no hit reads", () => {
  const written = [
    at.controlSequence,
    at.controlClock,
    at.controlFlightThreads,
    at.controlDoorbell,
    at.controlFlushRequested,
    at.controlFlushDone,
  ];
  const lines = written.map((offset) => Math.floor(offset / at.cacheLineSize));
  expect(lines.filter((line) => readByHits.includes(line))).toEqual([]);
  // Each thread's results and counters have lines of their own.
  expect(at.threadTable % at.cacheLineSize).toBe(0);
  expect(at.threadBlockSize % at.cacheLineSize).toBe(0);
});
