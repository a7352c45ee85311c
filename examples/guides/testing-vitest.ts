// A test file of a service, for vitest; shown in docs/guides/testing.md and run with the tests of
// the house.
import { type Cache, ManualClock, openCache } from "undercroft";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** What is under test takes its cache, as it takes its database. */
function priceList(cache: Cache<number>, ask: (item: string) => Promise<number>) {
  return cache.wrap(ask, { key: (item) => `price:${item}`, ttl: "1m" });
}

const clock = new ManualClock();
let cache: Cache<number>;

beforeEach(async () => {
  cache = await openCache<number>({ clock, memory: "1mb" }); // no disk: each test begins empty
});
afterEach(() => cache.close());

test("a price is asked for once a minute", async () => {
  const ask = vi.fn<(item: string) => Promise<number>>(async () => 5);
  const priceOf = priceList(cache, ask);
  await priceOf("pen");
  await priceOf("pen");
  expect(ask).toHaveBeenCalledTimes(1);

  clock.advance(60_000);
  await priceOf("pen");
  expect(ask).toHaveBeenCalledTimes(2);
});

test("fake timers do not stop the cache", async () => {
  vi.useFakeTimers();
  try {
    expect(await cache.fetch("a", async () => 1)).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});
