// A cache whose caller keeps its key strings: hits come from the index of those strings, and everything that makes an
// entry old must be seen there too.

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { KeyHabit } from "../../dist/src/cache/key-habit.js";
import { NearCache } from "../../dist/src/cache/near-cache.js";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { open } from "./opened.js";

const clock = new ManualClock(1_700_000_000_000);
const keys = Array.from({ length: 64 }, (_, index) => `user:${index}:profile`);

/** Lets the cache learn that its caller keeps its keys, or builds them: one get in 1,024 is a sample. */
function learn(cache: Cache<number>, isKept: boolean): void {
  vi.spyOn(KeyHabit.prototype, "observe").mockReturnValue(isKept);
  for (let get = 0; get < 1024; get++) cache.getSync("nobody");
}

/** As many gets as fill a slot's frequency, and one that adds the entry to the index. */
function heat(cache: Cache<number>, key: string): void {
  for (let get = 0; get < 6; get++) cache.getSync(key);
}

/** What the index of kept keys answered, get by get. */
let answers: MockInstance<NearCache["findKept"]>;

beforeEach(() => {
  answers = vi.spyOn(NearCache.prototype, "findKept");
});
afterEach(() => vi.restoreAllMocks());

async function openKept(): Promise<Cache<number>> {
  // Not "auto", which has requests for every key of a small cache noted: those keys are not indexed.
  const cache = await open<number>({ clock, eviction: "s3-fifo" });
  learn(cache, true);
  return cache;
}

function lastAnswer(): unknown {
  return answers.mock.results.at(-1)?.value;
}

describe("a hot entry", () => {
  test("is answered by the index once its slot counts no more hits", async () => {
    const cache = await openKept();
    cache.set("k", 7);
    expect(cache.getSync("k")).toBe(7);
    expect(lastAnswer()).toBeUndefined();
    heat(cache, "k");
    expect(cache.getSync("k")).toBe(7);
    expect(lastAnswer()).toBe(7);
  });

  test("is gone from it after a set, a delete and a clear of any thread", async () => {
    const cache = await openKept();
    const other = attachCache<number>(cache.handle());
    for (const writer of [cache, other]) {
      cache.set("k", 1);
      heat(cache, "k");
      writer.set("k", 2);
      // Its frequency is at the maximum again, but not by this thread's hits.
      heat(other, "k");
      expect(cache.getSync("k")).toBe(2);
      heat(cache, "k");
      writer.delete("k");
      expect(cache.getSync("k")).toBeUndefined();
      cache.set("k", 3);
      heat(cache, "k");
      writer.clear();
      expect(cache.getSync("k")).toBeUndefined();
    }
    await other.close();
  });

  test("expires", async () => {
    const cache = await openKept();
    cache.set("k", 1, { ttl: 100 });
    heat(cache, "k");
    expect(cache.getSync("k")).toBe(1);
    expect(lastAnswer()).toBe(1);
    clock.advance(100);
    expect(cache.getSync("k")).toBeUndefined();
    expect(lastAnswer()).toBeUndefined();
  });

  test("is found by an equal string that was built anew", async () => {
    const cache = await openKept();
    cache.set("user:1", 1);
    heat(cache, "user:1");
    expect(cache.getSync(["user", "1"].join(":"))).toBe(1);
    expect(lastAnswer()).toBe(1);
  });
});

test("the index ends when callers build their keys again", async () => {
  const cache = await openKept();
  cache.set("k", 1);
  heat(cache, "k");
  learn(cache, false);
  expect(cache.getSync("k")).toBe(1);
  expect(lastAnswer()).toBeUndefined();
});

test("the bounds of the near cache hold for it too", async () => {
  const cache = await open<number>({ clock, eviction: "s3-fifo", near: { maxEntries: 8 } });
  learn(cache, true);
  for (const [index, key] of keys.entries()) cache.set(key, index);
  for (const key of keys) heat(cache, key);
  answers.mockClear();
  for (const [index, key] of keys.entries()) expect(cache.getSync(key)).toBe(index);
  const kept = answers.mock.results.filter(({ value }) => value !== undefined);
  expect(kept.length).toBeLessThanOrEqual(8);
});

interface Step {
  readonly act: "get" | "set" | "delete" | "clear" | "expire" | "pressure";
  readonly key: number;
  readonly byOther: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.oneof(
    { weight: 60, arbitrary: fc.constant("get" as const) },
    { weight: 20, arbitrary: fc.constant("set" as const) },
    { weight: 10, arbitrary: fc.constant("expire" as const) },
    { weight: 8, arbitrary: fc.constant("delete" as const) },
    { weight: 1, arbitrary: fc.constant("clear" as const) },
    { weight: 1, arbitrary: fc.constant("pressure" as const) },
  ),
  key: fc.nat(keys.length - 1),
  byOther: fc.boolean(),
});

test("never answers anything but the newest value or a miss", async () => {
  const cache = await openKept();
  const other = attachCache<number>(cache.handle());
  let written = 0;
  let kept = 0;
  const filler = "x".repeat(10_000) as unknown as number;
  fc.assert(
    fc.property(fc.array(step, { minLength: 200, maxLength: 400 }), (steps) => {
      cache.clear();
      answers.mockClear();
      const newest = new Map<string, number>();
      for (const { act, key: index, byOther } of steps) {
        const key = keys[index] as string;
        const writer = byOther ? other : cache;
        if (act === "set" || act === "expire") {
          const options = act === "set" ? {} : { ttl: 50 };
          if (writer.set(key, ++written, options) === "stored") newest.set(key, written);
          else newest.delete(key);
          heat(byOther ? other : cache, key);
        }
        if (act === "expire" && byOther) {
          clock.advance(50);
          newest.delete(key);
        }
        if (act === "delete") newest.delete(key);
        if (act === "delete") writer.delete(key);
        if (act === "clear") newest.clear();
        if (act === "clear") writer.clear();
        for (let at = 0; act === "pressure" && at < 300; at++) writer.set(`filler:${at}`, filler);
        const answer = cache.getSync(key);
        if (lastAnswer() !== undefined) kept += 1;
        if (answer !== undefined && answer !== newest.get(key)) {
          // An entry with a lifetime that another step's clock ended is a miss; any other value is a lie.
          throw new Error(`${key} answered ${answer}; its newest value is ${newest.get(key)}`);
        }
      }
    }),
    { numRuns: 25 },
  );
  expect(kept).toBeGreaterThan(500);
  await other.close();
});
