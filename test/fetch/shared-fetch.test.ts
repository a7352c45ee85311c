// One load of a key over all threads, however it ends; errors are in shared-fetch-errors.test.ts.
// The threads are several caches attached in this one; real threads are in
// shared-fetch-threads.test.ts.

import { describe, expect, test } from "vitest";
import * as fl from "../../dist/src/kernel/flight-layout.js";
import { monotonicMs } from "../../dist/src/base/mod.js";
import { Kernel, KeyWindow } from "../../dist/src/kernel/mod.js";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { flightStatesOf, flightWordAt } from "../../dist/test/proof/flight-words.js";
import { errorOf, open, setUpCaches, until } from "../cache/opened.js";
import { Loads, never, openThree, waits } from "./loads.js";

setUpCaches();

/** Takes every flight that a key could have; returns a function that gives them back. */
function takeFlights(
  cache: Cache,
  key: string,
  count: number = fl.flightWindow * fl.flightWindows,
): () => void {
  const { module, memory } = cache.handle().worker;
  const kernel = Kernel.attach(module, memory);
  const keys = new KeyWindow(kernel);
  keys.write(key);
  const { hashLow, hashHigh } = keys.take(key);
  const taken = Array.from({ length: count }, () => kernel.verbs.beginFlight(hashLow, hashHigh));
  expect(taken).not.toContain(-1);
  return () => {
    for (const flight of taken) kernel.verbs.endFlight(flight, fl.flightAgain, 0);
  };
}

describe("a load in one thread", () => {
  test("answers all threads, each with its own value", async () => {
    const { cache, loads, all } = await openThree({ ttl: "1h", tags: ["t"] });
    loads.finish({ when: new Date(0), bytes: new Uint16Array([1, 2]) });
    const values = await Promise.all(all);
    for (const value of values) {
      expect(value).toEqual({ when: new Date(0), bytes: new Uint16Array([1, 2]) });
    }
    expect(new Set(values).size).toBe(3);
    const { loads: run, coalescedLoads, fillsSuperseded, flights } = cache.stats();
    const counted = { run, coalescedLoads, fillsSuperseded };
    expect(counted).toEqual({ run: 1, coalescedLoads: 2, fillsSuperseded: 0 });
    expect(flights).toEqual({
      coalescedAcross: 2,
      takeovers: 0,
      leaseExpiries: 0,
      queued: 0,
      cycles: 0,
      alone: { full: 0, busy: 0, twice: 0, unstored: 0 },
    });
    expect((await cache.getEntry("k"))?.tags).toEqual(["t"]);
  });

  test("that ends between another's miss and its own load is not run again", async () => {
    const cache = await open();
    const other = attachCache(cache.handle());
    // At one of these distances, in turns of the promises, the first load ends exactly then.
    for (let turns = 0; turns < 12; turns++) {
      const first = cache.fetch(`k${turns}`, () => "loaded");
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      expect(await other.fetch(`k${turns}`, never)).toBe("loaded");
      expect(await first).toBe("loaded");
    }
    expect(cache.stats().loads).toBe(12);
  });

  test("of undefined answers all threads for its negativeTtl", async () => {
    const clock = new ManualClock();
    const { cache, others, loads, all } = await openThree({ negativeTtl: "1m" }, clock);
    loads.finish(undefined);
    expect(await Promise.all(all)).toEqual([undefined, undefined, undefined]);
    for (const one of [cache, ...others]) {
      expect(await one.fetch("k", never, { negativeTtl: "1h" })).toBe(undefined);
    }
    clock.advance(60_001);
    cache.set("other", 1); // by which the opener's clock is read, for all
    expect(await others[0].fetch("k", () => "there now")).toBe("there now");
  });

  test("of a value too large to store is run by each thread, side by side", async () => {
    const { cache, loads, all } = await openThree();
    loads.finish(Buffer.alloc(3_000_000, 1));
    await until(() => loads.count === 3);
    loads.finish("second", 1);
    loads.finish("third", 2);
    expect(((await all[0]) as Buffer).length).toBe(3_000_000);
    expect(new Set(await Promise.all(all.slice(1)))).toEqual(new Set(["second", "third"]));
    expect(cache.stats().flights.alone.unstored).toBe(2);
  });
});

describe("a load that another thread's write supersedes", () => {
  test.each<[string, (cache: Cache) => unknown]>([
    ["a set", (cache) => cache.set("k", "newer")],
    ["an asynchronous set", (cache) => cache.setAsync("k", "newer")],
  ])("(%s) is not stored, and who waits in other threads gets what was set", async (_n, write) => {
    const { cache, loads, all } = await openThree();
    await write(attachCache(cache.handle()));
    loads.finish("older");
    expect(await Promise.all(all)).toEqual(["older", "newer", "newer"]);
    expect(cache.getSync("k")).toBe("newer");
    expect(loads.count).toBe(1);
    expect(cache.stats()).toMatchObject({ fillsSuperseded: 1 });
  });

  test.each<[string, (cache: Cache) => unknown]>([
    ["a delete", (cache) => cache.delete("k")],
    ["a clear", (cache) => cache.clear()],
  ])("(%s) is not stored, and one of who wait in other threads loads anew", async (_n, write) => {
    const { cache, loads, all } = await openThree();
    write(attachCache(cache.handle()));
    loads.finish("older");
    expect(await all[0]).toBe("older");
    await until(() => loads.count === 2);
    expect(cache.getSync("k")).toBe(undefined);
    loads.finish("newest", 1);
    expect(await Promise.all(all.slice(1))).toEqual(["newest", "newest"]);
    expect(cache.getSync("k")).toBe("newest");
    expect(loads.count).toBe(2);
    expect(cache.stats()).toMatchObject({ fillsSuperseded: 1, flights: { takeovers: 0 } });
  });

  test("is not joined by a fetch that comes after the write", async () => {
    const { cache, others, loads, all } = await openThree();
    const writer = attachCache(cache.handle());
    writer.delete("k");
    expect(await writer.fetch("k", () => "after")).toBe("after");
    loads.finish("before");
    expect(await all[0]).toBe("before");
    expect(await Promise.all(all.slice(1))).toEqual(["after", "after"]);
    expect(await others[0].get("k")).toBe("after");
  });
});

describe("a waiter that leaves", () => {
  test("does not affect the others, in its thread or another", async () => {
    const { cache, others, loads, all } = await openThree();
    const leaver = new AbortController();
    const left = errorOf(() => others[0].fetch("k", never, { signal: leaver.signal }));
    const reason = new Error("enough");
    leaver.abort(reason);
    expect(await left).toBe(reason);
    expect(loads.signals[0]?.aborted).toBe(false);
    loads.finish("loaded");
    expect(await Promise.all(all)).toEqual(["loaded", "loaded", "loaded"]);
    expect(cache.stats().loads).toBe(1);
  });

  test("as the last of its thread leaves the load to waiters in other threads", async () => {
    const cache = await open();
    const other = attachCache(cache.handle());
    const loads = new Loads();
    const [one, two] = [new AbortController(), new AbortController()];
    const first = errorOf(() => cache.fetch("k", loads.loader, { signal: one.signal }));
    await until(() => loads.count === 1);
    const second = errorOf(() => other.fetch("k", never, { signal: two.signal }));
    await until(() => waits(cache) === 1);
    one.abort(new Error("first"));
    expect((await first).message).toBe("first");
    expect(loads.signals[0]?.aborted).toBe(false);
    two.abort(new Error("second"));
    expect((await second).message).toBe("second");
    await until(() => loads.signals[0]?.aborted === true);
    // The key is free again.
    expect(await other.fetch("k", () => "anew")).toBe("anew");
    expect(cache.stats().flights.alone.twice).toBe(0);
  });

  test("leaves a load that goes on, and the others get its value", async () => {
    const cache = await open();
    const other = attachCache(cache.handle());
    const loads = new Loads();
    const one = new AbortController();
    const first = errorOf(() => cache.fetch("k", loads.loader, { signal: one.signal }));
    await until(() => loads.count === 1);
    const second = other.fetch("k", never);
    await until(() => waits(cache) === 1);
    one.abort(new Error("first"));
    await first;
    loads.finish("loaded");
    expect(await second).toBe("loaded");
    expect(cache.getSync("k")).toBe("loaded");
  });

  test("by its own hard timeout ends only its own wait", async () => {
    const { cache, loads, all } = await openThree();
    const third = attachCache(cache.handle());
    const error = await errorOf(() => third.fetch("k", never, { timeout: "10ms" }));
    expect(error.code).toBe("ERR_LOADER_TIMEOUT");
    expect(loads.signals[0]?.aborted).toBe(false);
    loads.finish("loaded");
    expect(await Promise.all(all)).toEqual(["loaded", "loaded", "loaded"]);
  });
});

describe("timeout.hard of the thread that loads", () => {
  test("is reported to all threads", async () => {
    const { loads, all } = await openThree({ timeout: "2s" });
    const errors = await Promise.all(all.map((one) => errorOf(() => one)));
    expect(errors.map(({ code }) => code)).toEqual(Array(3).fill("ERR_LOADER_TIMEOUT"));
    expect(loads.count).toBe(1);
    expect(loads.signals[0]?.aborted).toBe(true);
  });
});

test("a thread that begins many loads without a turn of its loop keeps its leases", async () => {
  const cache = await open({ memory: "16mb" });
  const { buffer } = cache.handle().worker.memory;
  const loads = new Loads();
  // Half of it is the lease.
  void cache.fetch("k", loads.loader, { timeout: { hard: "4s" } }).catch(() => undefined);
  await until(() => loads.count === 1);
  const active = flightStatesOf(buffer).map((word) => (word & 255) === fl.flightActive);
  const lease = flightWordAt(buffer, active.indexOf(true), fl.flightLease) / 8;
  const words = new Float64Array(buffer);
  const first = words[lease] as number;
  for (let key = 0; monotonicMs() <= first; key++) {
    void cache.fetch(`k${key}`, () => key);
    for (const next = monotonicMs() + 5; monotonicMs() < next;);
  }
  expect(words[lease]).toBeGreaterThan(first);
});

describe("a stale value", () => {
  test("is refreshed by one thread and served to all at once", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    const others = [attachCache(cache.handle()), attachCache(cache.handle())];
    cache.set("k", "old", { ttl: 10, staleFor: "1h" });
    clock.advance(11);
    const loads = new Loads();
    for (const one of [cache, ...others]) {
      expect(await one.fetch("k", loads.loader, { ttl: "1h" })).toBe("old");
    }
    expect(loads.count).toBe(1);
    loads.finish("new");
    await until(() => cache.getSync("k") === "new");
    for (const one of others) expect(one.getSync("k")).toBe("new");
    expect(loads.count).toBe(1);
    expect(cache.stats()).toMatchObject({ loads: 1, staleServed: 3 });
  });
});

describe("forceRefresh", () => {
  test("replaces a load of another thread, ordinary or forced; others wait for it", async () => {
    const { cache, others, loads, all } = await openThree();
    const older = new Loads();
    const newer = new Loads();
    const third = attachCache(cache.handle());
    const forced = { forceRefresh: true };
    const before = third.fetch("k", older.loader, forced);
    await until(() => older.count === 1);
    const after = attachCache(cache.handle()).fetch("k", newer.loader, forced);
    await until(() => newer.count === 1);
    loads.finish("ordinary");
    expect(await all[0]).toBe("ordinary");
    older.finish("before");
    expect(await before).toBe("before");
    expect(cache.getSync("k")).toBe(undefined);
    const joined = others[0].fetch("k", never);
    newer.finish("after");
    expect([await after, await joined]).toEqual(["after", "after"]);
    expect(await Promise.all(all.slice(1))).toEqual(["after", "after"]);
    expect(cache.getSync("k")).toBe("after");
    expect([loads.count, older.count, newer.count]).toEqual([1, 1, 1]);
  });
});

describe("the table of flights", () => {
  test("that is full lets loads wait, and one of them loads for all threads then", async () => {
    const cache = await open();
    const giveBack = takeFlights(cache, "k");
    const other = attachCache(cache.handle());
    const loads = new Loads();
    const both = [cache.fetch("k", loads.loader), other.fetch("k", loads.loader)];
    await until(() => cache.stats().flights.queued === 2);
    expect(loads.count).toBe(0);
    giveBack();
    await until(() => loads.count === 1 && waits(cache) === 1);
    loads.finish(1, 0);
    expect(await Promise.all(both)).toEqual([1, 1]);
    expect(cache.getSync("k")).toBe(1);
    expect(cache.stats()).toMatchObject({ loads: 1, fillsRefused: 0, flights: { queued: 2 } });
  });

  test("that is full leaves a loader its own load, counted and not stored", async () => {
    const cache = await open();
    const giveBack = takeFlights(cache, "k");
    expect(await cache.fetch("outer", () => cache.fetch("k", () => 1))).toBe(1);
    expect([cache.getSync("outer"), cache.getSync("k")]).toEqual([1, undefined]);
    expect(cache.stats()).toMatchObject({ fillsRefused: 1, flights: { alone: { full: 1 } } });
    giveBack();
    expect(await cache.fetch("k", () => 3)).toBe(3);
    expect(cache.getSync("k")).toBe(3);
  });

  test("that is full lets a load that waits go on alone once a loader waits for it", async () => {
    const cache = await open();
    takeFlights(cache, "k");
    const waiting = cache.fetch("k", () => 1);
    await until(() => cache.stats().flights.queued === 1);
    expect(await cache.fetch("outer", () => cache.fetch("k", never))).toBe(1);
    expect(await waiting).toBe(1);
    expect(cache.getSync("k")).toBe(undefined);
    expect(cache.stats().flights.alone.full).toBe(1);
  });

  test("that is full is no hindrance to join another thread's load", async () => {
    const cache = await open();
    const other = attachCache(cache.handle());
    const loads = new Loads();
    const first = cache.fetch("k", loads.loader);
    await until(() => loads.count === 1);
    takeFlights(cache, "k", fl.flightWindow * fl.flightWindows - 1);
    const second = other.fetch("k", never);
    await until(() => waits(cache) === 1);
    loads.finish("loaded");
    expect(await Promise.all([first, second])).toEqual(["loaded", "loaded"]);
    expect(cache.stats().flights.queued).toBe(0);
  });
});

test("a load without an entry in the table is not joined by other fetches", async () => {
  const cache = await open();
  takeFlights(cache, "k");
  const loads = new Loads();
  const before = cache.fetch("outer", () => cache.fetch("k", loads.loader));
  await until(() => loads.count === 1);
  attachCache(cache.handle()).delete("k");
  const after = cache.fetch("outer 2", () => cache.fetch("k", loads.loader));
  await until(() => loads.count === 2);
  loads.finish("old", 0);
  loads.finish("new", 1);
  expect([await before, await after]).toEqual(["old", "new"]);
});

test("a loading thread that closes hands its load over; the opener ends all", async () => {
  const cache = await open();
  const [one, two] = [attachCache(cache.handle()), attachCache(cache.handle())];
  const loads = new Loads();
  const first = errorOf(() => one.fetch("k", loads.loader));
  await until(() => loads.count === 1);
  const second = errorOf(() => two.fetch("k", loads.loader));
  await until(() => waits(cache) === 1);
  await one.close();
  expect((await first).code).toBe("ERR_CACHE_CLOSED");
  await until(() => loads.count === 2);
  const third = errorOf(() => attachCache(cache.handle()).fetch("k", never));
  await until(() => waits(cache) === 2);
  await cache.close();
  expect((await third).code).toBe("ERR_CACHE_CLOSED");
  await two.close();
  expect((await second).code).toBe("ERR_CACHE_CLOSED");
});
