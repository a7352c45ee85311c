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
  elapsed,
  expectIdle,
  fetch,
  never,
  reading,
  setStale,
  setUpFetching,
  Source,
  stale,
  store,
  turn,
} from "./fetching.js";

setUpFetching();

describe("a stale value", () => {
  test("is served at once, and one loader runs behind it", async () => {
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

  test("stays when the loader behind it fails, which is counted and not thrown", async () => {
    setStale("k", "old");
    const source = new Source();
    expect(await fetch("k", source.load)).toBe("old");
    source.reject(new Error("down"));
    await turn();
    expect(store.counted(counterLoadErrors)).toBe(1);
    expectIdle();
    expect(await fetch("k", source.load)).toBe("old");
    expect(source.calls).toHaveLength(2);
    source.resolve((() => 1) as never);
    await turn();
    expect(store.counted(counterLoadErrors)).toBe(2);
    expectIdle();
  });

  test("that was found on disk is served at once too, to all who wait", async () => {
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

  test("that others wait behind keeps the loader when they leave", async () => {
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
  test("waits for the fresh value that comes in time", async () => {
    setStale("k", "old");
    const source = new Source();
    const value = fetch("k", source.load, { softTimeoutMs: 10_000 });
    await turn();
    source.resolve("new");
    expect(await value).toBe("new");
    expect(store.counted(counterStaleServed)).toBe(0);
    expectIdle();
  });

  test("serves the stale value when it is over, and the load goes on", async () => {
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

  test("that served a stale value keeps the loader when the others leave", async () => {
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

  test("that did not come to pass looks for nothing later", async () => {
    const source = new Source();
    const both = [0, 1].map(() =>
      fetch("k", source.load, { softTimeoutMs: 50, hardTimeoutMs: 50 }),
    );
    await turn();
    source.resolve("new");
    await Promise.all(both);
    const { peeks } = store;
    await elapsed(70);
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

  test("without a stale value waits on", async () => {
    const source = new Source();
    const value = fetch("k", source.load, { softTimeoutMs: 1 });
    await elapsed(5);
    source.resolve("new");
    expect(await value).toBe("new");
  });

  test("does not serve what was deleted meanwhile", async () => {
    setStale("k", "old");
    const source = new Source();
    const value = fetch("k", source.load, { softTimeoutMs: 1 });
    store.delete("k");
    await elapsed(5);
    source.resolve("new");
    expect(await value).toBe("new");
    expect(store.counted(counterFillsSuperseded)).toBe(1);
  });
});

describe("forceRefresh", () => {
  const forced = { forceRefresh: true };

  test("loads though there is a fresh value, and reads nothing", async () => {
    store.set("k", "old");
    expect(await fetch("k", () => "new", forced)).toBe("new");
    expect([store.peeks, store.reads]).toEqual([0, 0]);
    expect(store.valueOf("k")).toBe("new");
    expectIdle();
  });

  test("joins a forced load", async () => {
    const source = new Source();
    const both = [fetch("k", source.load, forced), fetch("k", never, forced)];
    source.resolve(1);
    expect(await Promise.all(both)).toEqual([1, 1]);
    expect(store.counted(counterLoadsCoalesced)).toBe(1);
  });

  test("comes instead of an ordinary load, which is not published, whoever ends first", async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      store.delete("k");
      const source = new Source();
      const ordinary = fetch("k", source.load);
      await turn();
      const fresh = fetch("k", source.load, forced);
      const joined = fetch("k", never);
      for (const call of order) {
        source.resolve(["old", "new"][call], call);
        await turn();
      }
      expect(await Promise.all([ordinary, fresh, joined])).toEqual(["old", "new", "new"]);
      expect(store.valueOf("k")).toBe("new");
      expectIdle();
    }
    expect(store.counted(counterFillsSuperseded)).toBe(2);
  });

  test("comes instead of an ordinary load that is still at the disk", async () => {
    store.suspectOnDisk("k");
    const source = new Source();
    const ordinary = fetch("k", source.load);
    const fresh = fetch("k", source.load, forced);
    expect(source.calls).toHaveLength(1);
    await turn();
    source.resolve("new", 0);
    source.resolve("other", 1);
    expect(await Promise.all([ordinary, fresh])).toEqual(["other", "new"]);
    expect(store.valueOf("k")).toBe("new");
    expectIdle();
  });

  test("is never given what was there before", async () => {
    setStale("k", "old");
    const source = new Source();
    const value = fetch("k", source.load, { ...forced, softTimeoutMs: 1 });
    expect(source.calls[0]!.stale).toBeUndefined();
    await elapsed(5);
    source.reject(new Error("down"));
    await expect(value).rejects.toThrow("down");
    const timed = fetch("k", source.load, { ...forced, hardTimeoutMs: 1 });
    await expect(timed).rejects.toMatchObject({ code: "ERR_LOADER_TIMEOUT" });
    expect(store.counted(counterStaleServed)).toBe(0);
    expectIdle();
  });

  test("that fails leaves ordinary waiters the stale value", async () => {
    setStale("k", "old");
    const source = new Source();
    const fresh = fetch("k", source.load, forced);
    const ordinary = fetch("k", never, { softTimeoutMs: 10_000 });
    source.reject(new Error("down"));
    await expect(fresh).rejects.toThrow("down");
    expect(await ordinary).toBe("old");
  });
});

describe("negativeTtl", () => {
  const negative = { negativeTtlMs: 50 };

  test("remembers that there is nothing, for so long", async () => {
    expect(await fetch("k", () => undefined, negative)).toBeUndefined();
    expect(await fetch("k", never, negative)).toBeUndefined();
    store.clock.advance(49);
    expect(await fetch("k", never)).toBeUndefined();
    store.clock.advance(1);
    expect(await fetch("k", () => 1)).toBe(1);
    expectIdle();
  });

  test("is found under the key's bytes", async () => {
    await fetch("k", () => undefined, negative);
    expect(await fetch(Buffer.from("k"), never)).toBeUndefined();
    reading.forget(Buffer.from("k"));
    expect(await fetch("k", () => 1)).toBe(1);
  });

  test("is forgotten by forget() and forgetAll()", async () => {
    for (const forget of [() => reading.forget("k"), () => reading.forgetAll()]) {
      await fetch("k", () => undefined, negative);
      forget();
      expect(await fetch("k", () => 1)).toBe(1);
      store.delete("k");
    }
  });

  test("is not remembered of a load that a write came upon", async () => {
    for (const write of [() => reading.forget("k"), () => store.delete("k")]) {
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

  test("hides a value that expired, as it is newer", async () => {
    setStale("k", "old");
    expect(await fetch("k", () => undefined, { ...negative, softTimeoutMs: 100 })).toBeUndefined();
    expect(await fetch("k", never)).toBeUndefined();
    store.setOnDisk("d", "old", stale);
    store.clock.advance(11);
    await fetch("d", () => undefined, { ...negative, softTimeoutMs: 100 });
    expect(await fetch("d", never)).toBeUndefined();
  });

  test("does not stand in the way of forceRefresh, which ends it", async () => {
    await fetch("k", () => undefined, { negativeTtlMs: Infinity });
    expect(await fetch("k", () => 1, { forceRefresh: true })).toBe(1);
    store.delete("k");
    expect(await fetch("k", () => 2)).toBe(2);
  });
});
