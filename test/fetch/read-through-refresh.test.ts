import "./drivable-timers.js";

import { describe, expect, test } from "vitest";
import {
  counterFillsSuperseded,
  counterLoadErrors,
  counterLoads,
  counterLoadsCoalesced,
  counterStaleServed,
} from "../../dist/src/stats/mod.js";
import {
  aborter,
  fakeTimers,
  expectIdle,
  fetch,
  never,
  setStale,
  setUpFetching,
  Source,
  stale,
  store,
  turn,
} from "./fetching.js";

setUpFetching();

describe("a stale value", () => {
  test("is served at once, and one loader refreshes it", async () => {
    setStale("k", "old");
    const source = new Source();
    expect(await fetch("k", source.load)).toBe("old");
    expect(await fetch("k", source.load)).toBe("old");
    await turn();
    expect(source.calls).toHaveLength(1);
    expect(source.calls[0]!.stale).toBe("old");
    source.resolve("new");
    await turn();
    expect(await fetch("k", never)).toBe("new");
    expect(store.counted(counterStaleServed)).toBe(2);
    expect(store.counted(counterLoads)).toBe(1);
    expect(store.counted(counterLoadsCoalesced)).toBe(0);
    expectIdle();
  });

  test("stays when its refresh fails, which is counted and not thrown", async () => {
    setStale("k", "old");
    store.extend("k", 10_000);
    const source = new Source();
    expect(await fetch("k", source.load)).toBe("old");
    source.reject(new Error("down"));
    await turn();
    expect(store.counted(counterLoadErrors)).toBe(1);
    expectIdle();
    store.clock.advance(1000);
    expect(await fetch("k", source.load)).toBe("old");
    expect(source.calls).toHaveLength(2);
    source.resolve((() => 1) as never);
    await turn();
    expect(store.counted(counterLoadErrors)).toBe(2);
    expectIdle();
  });

  test("on disk is not refreshed while that backs off, and served to every waiter", async () => {
    store.setOnDisk("k", "old", { ttl: 10, staleFor: 100_000 });
    store.clock.advance(11);
    const source = new Source();
    expect(await fetch("k", source.load)).toBe("old");
    await turn();
    source.reject(new Error("down"));
    await turn();
    const soft = fetch("k", never, { softTimeoutMs: 10_000 });
    expect(await Promise.all([soft, fetch("k", never), fetch("k", never)])).toEqual([
      "old",
      "old",
      "old",
    ]);
    expect([store.counted(counterLoads), store.counted(counterStaleServed)]).toEqual([1, 4]);
    expect(store.flights.begun).toBe(1);
    expectIdle();
    store.clock.advance(1000);
    expect(await fetch("k", source.load)).toBe("old");
    await turn();
    expect(source.calls).toHaveLength(2);
  });

  test("is not refreshed if another thread's load of it fails first", async () => {
    setStale("k", "old");
    const { sequence } = store.peekAgain(store.readKey("k"))!;
    const retryAtMs = store.clock.now() + 1000;
    store.flights.beforeEnter = () => {
      store.backoffs.write(store.readKey("k"), { sequence, failures: 1, retryAtMs }, Infinity);
    };
    expect(await fetch("k", never, { softTimeoutMs: 10_000 })).toBe("old");
    expect([store.counted(counterLoads), store.counted(counterStaleServed)]).toEqual([0, 1]);
    expectIdle();
  });

  test("found on disk is served at once too, to every waiter", async () => {
    store.setOnDisk("k", "old", stale);
    store.clock.advance(11);
    const source = new Source();
    const both = [fetch("k", source.load), fetch("k", source.load)];
    expect(await Promise.all(both)).toEqual(["old", "old"]);
    expect(await fetch("k", source.load)).toBe("old"); // joins what has met it
    expect(source.calls).toHaveLength(1);
    expect(source.calls[0]!.stale).toBe("old");
    expect(store.counted(counterStaleServed)).toBe(3);
    source.resolve("new");
    await turn();
    expect(await fetch("k", never)).toBe("new");
    expectIdle();
  });

  test("past its staleFor is not served", async () => {
    store.set("k", "old", stale);
    store.clock.advance(110);
    expect(await fetch("k", () => "new")).toBe("new");
    expect(store.counted(counterStaleServed)).toBe(0);
  });

  test("that was served keeps the loader running when the other waiters leave", async () => {
    setStale("k", "old");
    const source = new Source();
    const { signal, abort } = aborter();
    const waiting = fetch("k", source.load, { softTimeoutMs: 10_000, signal });
    expect(await fetch("k", never)).toBe("old");
    abort();
    await expect(waiting).rejects.toThrow("aborted");
    expect(source.calls[0]!.signal.aborted).toBe(false);
    source.resolve("new");
    await turn();
    expect(store.valueOf("k")).toBe("new");
    expectIdle();
  });
});

describe("timeout.soft", () => {
  test("waits for a fresh value that comes in time", async () => {
    setStale("k", "old");
    const source = new Source();
    const value = fetch("k", source.load, { softTimeoutMs: 10_000 });
    await turn();
    source.resolve("new");
    expect(await value).toBe("new");
    expect(store.counted(counterStaleServed)).toBe(0);
    expectIdle();
  });

  test("serves the stale value when it ends, and the load goes on", async () => {
    setStale("k", "old");
    const source = new Source();
    expect(await fetch("k", source.load, { softTimeoutMs: 1 })).toBe("old");
    expect(store.counted(counterStaleServed)).toBe(1);
    expect(source.calls[0]!.signal.aborted).toBe(false);
    source.resolve("new");
    await turn();
    expect(store.valueOf("k")).toBe("new");
    expectIdle();
  });

  test("that served a stale value keeps the loader running when the others leave", async () => {
    setStale("k", "old");
    const source = new Source();
    const { signal, abort } = aborter();
    const leaving = fetch("k", source.load, { softTimeoutMs: 10_000, signal });
    expect(await fetch("k", never, { softTimeoutMs: 1 })).toBe("old");
    abort();
    await expect(leaving).rejects.toThrow("aborted");
    expect(source.calls[0]!.signal.aborted).toBe(false);
    source.resolve("new");
    await turn();
    expect(store.valueOf("k")).toBe("new");
  });

  test("that was not needed causes no lookup later", async () => {
    const pass = fakeTimers();
    const source = new Source();
    const both = [0, 1].map(() =>
      fetch("k", source.load, { softTimeoutMs: 50, hardTimeoutMs: 50 }),
    );
    await turn();
    source.resolve("new");
    await Promise.all(both);
    const { peeks } = store;
    await pass(70);
    expect(store.peeks).toBe(peeks);
    expect(source.calls[0]!.signal.aborted).toBe(false);
  });

  test("serves a stale value from disk", async () => {
    store.setOnDisk("k", "old", stale);
    store.clock.advance(11);
    const source = new Source();
    expect(await fetch("k", source.load, { softTimeoutMs: 1 })).toBe("old");
    source.resolve("new");
    await turn();
    expectIdle();
  });

  test("without a stale value keeps waiting", async () => {
    const pass = fakeTimers();
    const source = new Source();
    const value = fetch("k", source.load, { softTimeoutMs: 1 });
    await pass(5);
    source.resolve("new");
    expect(await value).toBe("new");
  });

  test("does not serve what was deleted meanwhile", async () => {
    const pass = fakeTimers();
    setStale("k", "old");
    const source = new Source();
    const value = fetch("k", source.load, { softTimeoutMs: 1 });
    store.delete("k");
    await pass(5);
    source.resolve("new");
    expect(await value).toBe("new");
    expect(store.counted(counterFillsSuperseded)).toBe(1);
  });
});

describe("negativeTtl", () => {
  const negative = { negativeTtlMs: 50 };

  test("remembers a negative answer for that long", async () => {
    expect(await fetch("k", () => undefined, negative)).toBeUndefined();
    expect(await fetch("k", never, negative)).toBeUndefined();
    store.clock.advance(49);
    expect(await fetch("k", never)).toBeUndefined();
    store.clock.advance(1);
    expect(await fetch("k", () => 1)).toBe(1);
    expectIdle();
  });

  test("finds it under the key's bytes too", async () => {
    await fetch("k", () => undefined, negative);
    expect(await fetch(Buffer.from("k"), never)).toBeUndefined();
    store.delete(Buffer.from("k"));
    expect(await fetch("k", () => 1)).toBe(1);
  });

  test("is ended by a set and by a delete of any thread", async () => {
    for (const end of [() => store.set("k", 1), () => store.delete("k")]) {
      await fetch("k", () => undefined, negative);
      end();
      expect(await fetch("k", () => 1)).toBe(1);
      store.delete("k");
    }
  });

  test("remembers nothing of a load that a write superseded", async () => {
    for (const write of [() => store.set("k", 1, { ttl: 0 }), () => store.delete("k")]) {
      const source = new Source();
      const value = fetch("k", source.load, negative);
      await turn();
      write();
      source.resolve(undefined);
      expect(await value).toBeUndefined();
      expect(await fetch("k", () => 1)).toBe(1);
      store.delete("k");
    }
  });

  test("does not hide a value that another thread set, in memory or on disk", async () => {
    await fetch("k", () => undefined, negative);
    store.set("k", 1);
    expect(await fetch("k", never)).toBe(1);
    store.delete("k");
    store.setOnDisk("k", 2);
    expect(await fetch("k", never)).toBe(2);
  });

  test("hides an expired value, which is older", async () => {
    setStale("k", "old");
    expect(await fetch("k", () => undefined, { ...negative, softTimeoutMs: 100 })).toBeUndefined();
    expect(await fetch("k", never)).toBeUndefined();
    store.setOnDisk("d", "old", stale);
    store.clock.advance(11);
    await fetch("d", () => undefined, { ...negative, softTimeoutMs: 100 });
    expect(await fetch("d", never)).toBeUndefined();
  });

  test("is ended by forceRefresh", async () => {
    await fetch("k", () => undefined, { negativeTtlMs: Infinity });
    expect(await fetch("k", () => 1, { forceRefresh: true })).toBe(1);
    store.delete("k");
    expect(await fetch("k", () => 2)).toBe(2);
  });
});
