// The policy "auto": requests for sampled keys reach the tuner, and its setting reaches the live
// cache.

import { expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { type Cache } from "../../dist/src/mod.js";
import { controlWord, open, textOf, until } from "../disk-log/scratch-cache.js";

const isOff = (cache: Cache<string>): boolean =>
  controlWord(cache, at.controlSampleMask) === (at.sampleNothing | 0);

async function fill(cache: Cache<string>, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    const key = `key-${number}`;
    cache.set(key, textOf(key, 1, 400));
    if (number % 100 === 99) await new Promise(setImmediate);
  }
}

/** Resolves when the tuner has counted every request of this thread, which has the first thread
 *  id. */
function noted(cache: Cache<string>): Promise<void> {
  const word = (field: number): number => controlWord(cache, at.threadTable + field);
  // A request leaves the ring before it is counted.
  return until(
    () =>
      word(at.threadSampleHead) === word(at.threadSampleTail) &&
      word(at.threadSampleHead) === cache.stats().tuning.samples,
  );
}

async function openFilled(near: false | object): Promise<Cache<string>> {
  const cache = await open<string>({ memory: "1mb", near });
  expect(isOff(cache)).toBe(true);
  await fill(cache, 600);
  await until(() => !isOff(cache));
  await noted(cache);
  return cache;
}

test("requests are sampled once the log knows how many entries it will hold", async () => {
  const cache = await openFilled(false);
  // So small a cache is simulated whole: every request is noted.
  expect(controlWord(cache, at.controlSampleMask)).toBe(0);
  const { samples, dropped } = cache.stats().tuning;
  for (let round = 0; round < 10; round++) {
    cache.getSync("key-590");
    cache.set("key-590", "value");
    // A get that misses is followed by a set, if the entry is wanted; that is the request.
    cache.getSync("never set");
  }
  await noted(cache);
  expect(cache.stats().tuning).toEqual({ samples: samples + 20, dropped, changes: 0 });
});

test("requests that a full ring has no room for are dropped and counted", async () => {
  const cache = await openFilled(false);
  const { samples, dropped } = cache.stats().tuning;
  for (let round = 0; round < 100_000; round++) cache.getSync("key-590");
  await noted(cache);
  const { tuning, readRetries } = cache.stats();
  expect(tuning.dropped).toBeGreaterThan(dropped);
  const more = tuning.samples + tuning.dropped - (samples + dropped + 100_000);
  // A read that begins anew, since the record was moved, is noted again.
  expect(more).toBeGreaterThanOrEqual(0);
  expect(more).toBeLessThanOrEqual(readRetries);
});

test("a get that decodes is one request", async () => {
  const cache = await openFilled({});
  cache.set("read", "value");
  await noted(cache);
  const { samples } = cache.stats().tuning;
  expect(cache.getSync("read")).toBe("value");
  await noted(cache);
  expect(cache.stats().tuning.samples).toBe(samples + 1);
});

test("requests that recency serves best change the setting of the live cache", async () => {
  const cache = await open<string>({ memory: "2mb" });
  await fill(cache, 3000);
  await until(() => !isOff(cache));
  // Every key is requested again after about half a memory of others, and then never: recency
  // serves that, frequency does not.
  let [next, changes] = [2000, 0];
  for (let turn = 0; turn < 4000 && changes === 0; turn++) {
    for (let step = 0; step < 20; step++, next++) {
      for (const key of [`key-${next}`, `key-${next - 1000}`]) {
        if (cache.getSync(key) === undefined) cache.set(key, textOf(key, 1, 400));
      }
    }
    await new Promise(setImmediate);
    // Requests that the tuner has no time for are dropped, and then it has nothing to compare.
    await noted(cache);
    changes = cache.stats().tuning.changes;
  }
  expect(changes).toBeGreaterThan(0);
});

test("with a fixed policy nothing is sampled", async () => {
  const cache = await open<string>({ memory: "1mb", eviction: "s3-fifo" });
  await fill(cache, 3000);
  expect(isOff(cache)).toBe(true);
  expect(cache.stats().tuning).toEqual({ samples: 0, dropped: 0, changes: 0 });
});
