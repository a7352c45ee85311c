import { describe, expect, test } from "vitest";
import { UndercroftError } from "../../dist/src/base/mod.js";
import type { LoadContext, Loader } from "../../dist/src/fetch/fetch-parts.js";
import {
  counterFillsSuperseded,
  counterFlightsRefused,
  counterLoadErrors,
  counterLoads,
  counterLoadsCoalesced,
  counterStaleServed,
} from "../../dist/src/stats/mod.js";
import {
  expectIdle,
  fetch,
  never,
  reading,
  setStale,
  setUpFetching,
  Source,
  store,
  turn,
} from "./fetching.js";
import type { Value } from "./map-parts.js";

setUpFetching();

describe("fetch()", () => {
  test("of a fresh value in memory runs no loader and reads no disk", async () => {
    store.set("k", 1);
    expect(await fetch("k", never)).toBe(1);
    expect([store.peeks, store.reads, store.flights.begun, reading.size]).toEqual([1, 0, 0, 0]);
  });

  test("tells falsy values from undefined", async () => {
    for (const value of [null, 0, "", false]) {
      expect(await fetch(`k${String(value)}`, () => value)).toBe(value);
      expect(await fetch(`k${String(value)}`, never)).toBe(value);
    }
  });

  test("of a value on disk does not run the loader", async () => {
    store.setOnDisk("k", 1);
    expect(await fetch("k", never)).toBe(1);
    expect(store.counted(counterLoads)).toBe(0);
    expectIdle();
  });

  test("of an absent key loads, fills and returns what a later hit returns", async () => {
    const loaded = { a: 1 };
    let context: LoadContext<Value> | undefined;
    const value = await fetch("k", (given) => {
      context = given;
      expect(store.flights.size).toBe(1);
      return Promise.resolve(loaded);
    });
    expect(value).toEqual(loaded);
    expect(value).not.toBe(loaded);
    expect(await fetch("k", never)).toEqual(loaded);
    expect(context).toMatchObject({ key: "k", stale: undefined });
    expect(context!.signal.aborted).toBe(false);
    expect(store.fills).toEqual([
      {
        key: "k",
        fields: { ttlMs: 1000, staleForMs: 500, tags: ["t"] },
        flight: 0,
        outcome: "stored",
      },
    ]);
    expect(store.counted(counterLoads)).toBe(1);
    expect(store.meter.samples).toHaveLength(1);
    expect(store.meter.samples[0]).toBeGreaterThanOrEqual(0);
    expectIdle();
  });

  test("of undefined returns it and stores nothing", async () => {
    expect(await fetch("k", () => undefined)).toBeUndefined();
    expect(await fetch("k", () => Promise.resolve(undefined))).toBeUndefined();
    expect(store.fills).toEqual([]);
    expect(store.counted(counterLoads)).toBe(2);
    expectIdle();
  });

  test("refuses a loader that is not a function, even if none is needed", async () => {
    store.set("k", 1);
    for (const loader of [undefined, null, 5, Promise.resolve(1)]) {
      await expect(fetch("k", loader as never)).rejects.toThrow(TypeError);
    }
    await expect(fetch("k", "load" as never)).rejects.toThrow(
      'Cannot fetch key "k": the loader is "load"; it must be a function',
    );
  });

  test("rejects when the tiers reject, and runs no loader", async () => {
    const closed = new UndercroftError("ERR_CACHE_CLOSED", "closed");
    store.suspectOnDisk("k");
    store.readDelay = Promise.reject(closed);
    await expect(fetch("k", never)).rejects.toBe(closed);
    expect(store.counted(counterLoadErrors)).toBe(0);
    expectIdle();
  });
});

describe("coalescing", () => {
  test.each([
    ["before the loader runs and while it does", (): void => store.suspectOnDisk("k")],
    ["while the loader runs, which begins at once", (): void => undefined],
  ])("one loader serves all who ask for a key %s", async (_name, prepare) => {
    prepare();
    const source = new Source();
    const first = fetch("k", source.load);
    const callsBefore = source.calls.length;
    const second = fetch("k", never);
    await turn();
    expect([callsBefore, source.calls.length]).toEqual([store.reads === 0 ? 1 : 0, 1]);
    const third = fetch("k", never);
    source.resolve(7);
    expect(await Promise.all([first, second, third])).toEqual([7, 7, 7]);
    expect(store.counted(counterLoads)).toBe(1);
    expect(store.counted(counterLoadsCoalesced)).toBe(2);
    expect(store.fills).toHaveLength(1);
    expectIdle();
  });

  test("fetches answered by a disk read count as waiting for no loader", async () => {
    store.setOnDisk("k", 1);
    expect(await Promise.all([fetch("k", never), fetch("k", never)])).toEqual([1, 1]);
    expect(store.reads).toBe(1);
    expect(store.counted(counterLoadsCoalesced)).toBe(0);
  });

  test("another key has a loader of its own", async () => {
    const source = new Source();
    const both = [fetch("a", source.load), fetch("b", source.load)];
    await turn();
    source.resolve("A", 0);
    source.resolve("B", 1);
    expect(await Promise.all(both)).toEqual(["A", "B"]);
    expect(store.counted(counterLoadsCoalesced)).toBe(0);
  });

  test.each([
    ["nowhere", (): void => undefined],
    ["on disk, as it seems", (): void => store.suspectOnDisk("k")],
  ])(
    "a load that ended after this fetch's lookup (%s) is not run again",
    async (_name, prepare) => {
      prepare();
      store.flights.beforeEnter = (): void => store.set("k", "loaded");
      expect(await fetch("k", never)).toBe("loaded");
      expect(store.counted(counterLoads)).toBe(0);
      expect(store.counted(counterLoadsCoalesced)).toBe(1);
      expectIdle();
    },
  );

  test("a load that has ended is not joined", async () => {
    expect(await fetch("k", () => 1)).toBe(1);
    store.delete("k");
    expect(await fetch("k", () => 2)).toBe(2);
  });

  test("a string and its UTF-8 are one key, and keys that differ by one byte are two", async () => {
    const source = new Source();
    const texts = ["é", "\ufeffé", "Ã©"];
    const bytes = [...texts.map((text) => Buffer.from(text)), new Uint8Array([0xe9])];
    const all = [...texts, ...bytes].map((key) => fetch(key, source.load));
    await turn();
    expect(source.calls).toHaveLength(4);
    for (const call of source.calls.keys()) source.resolve(call, call);
    expect(await Promise.all(all)).toEqual([0, 1, 2, 0, 1, 2, 3]);
  });

  test("a key's bytes are copied: the caller may change them meanwhile", async () => {
    // The first change comes before the loader is called, the second while it runs.
    store.suspectOnDisk("abc");
    const source = new Source();
    const key = Buffer.from("abc");
    const value = fetch(key, source.load);
    expect(source.calls).toHaveLength(0);
    key.fill(0);
    await turn();
    expect(Buffer.from(source.calls[0]!.key).toString()).toBe("abc");
    key.fill(1);
    source.resolve(1);
    await value;
    expect(store.valueOf("abc")).toBe(1);
  });
});

describe("a loader that fails", () => {
  test("rejects all waiters with its own error", async () => {
    for (const error of [new Error("down"), "text", undefined, null, 0]) {
      const source = new Source();
      const both = Promise.allSettled([fetch("k", source.load), fetch("k", never)]);
      await turn();
      source.reject(error);
      expect(await both).toEqual([
        { status: "rejected", reason: error },
        { status: "rejected", reason: error },
      ]);
      expectIdle();
    }
    expect(store.counted(counterLoadErrors)).toBe(5);
    expect(store.meter.samples).toHaveLength(5);
  });

  test("by throwing is the same, even inside fetch itself", async () => {
    const error = new Error("thrown");
    const thrower: Loader<Value> = () => {
      throw error;
    };
    await expect(fetch("k", thrower)).rejects.toBe(error);
    await expect(fetch("k", thrower, { forceRefresh: true })).rejects.toBe(error);
    expect(store.counted(counterLoadErrors)).toBe(2);
    expectIdle();
  });

  test("is not remembered", async () => {
    await expect(fetch("k", () => Promise.reject(new Error("down")))).rejects.toThrow("down");
    expect(await fetch("k", () => 1)).toBe(1);
  });

  test("by a value that the codec refuses rejects with its TypeError, never stale", async () => {
    setStale("k", 1);
    const refused = fetch("k", (() => () => 1) as never, { softTimeoutMs: 10_000 });
    await expect(refused).rejects.toThrow(TypeError);
    expect(store.counted(counterLoadErrors)).toBe(1);
    expectIdle();
  });

  test("gives way to a stale value, which is counted", async () => {
    setStale("k", "old");
    const source = new Source();
    const both = [0, 1].map(() => fetch("k", source.load, { softTimeoutMs: 10_000 }));
    await turn();
    expect(source.calls).toHaveLength(1);
    expect(source.calls[0]!.stale).toBe("old");
    source.reject(new Error("down"));
    expect(await Promise.all(both)).toEqual(["old", "old"]);
    expect(store.counted(counterLoadErrors)).toBe(1);
    expect(store.counted(counterStaleServed)).toBe(2);
    expectIdle();
  });

  test("does not bring back a stale value that was deleted or became too old", async () => {
    for (const spoil of [() => store.delete("k"), () => store.clock.advance(100)]) {
      setStale("k", "old");
      const source = new Source();
      const value = fetch("k", source.load, { softTimeoutMs: 10_000 });
      await turn();
      spoil();
      source.reject(new Error("down"));
      await expect(value).rejects.toThrow("down");
    }
    expect(store.counted(counterStaleServed)).toBe(0);
  });

  test("gives way to a value that was set meanwhile", async () => {
    const source = new Source();
    const value = fetch("k", source.load);
    await turn();
    store.set("k", "set");
    source.reject(new Error("down"));
    expect(await value).toBe("set");
    expect(store.counted(counterStaleServed)).toBe(0);
  });
});

describe("a fill that was superseded", () => {
  test("is returned and not stored", async () => {
    for (const supersede of [() => store.set("k", "newer"), () => store.delete("k")]) {
      store.delete("k");
      const source = new Source();
      const value = fetch("k", source.load);
      await turn();
      supersede();
      const kept = store.valueOf("k");
      source.resolve("older");
      expect(await value).toBe("older");
      expect(store.valueOf("k")).toBe(kept);
    }
    expect(store.counted(counterFillsSuperseded)).toBe(2);
    expectIdle();
  });

  test("is not joined by a fetch after the write, whichever thread wrote", async () => {
    const source = new Source();
    const before = fetch("k", source.load);
    await turn();
    store.delete("k");
    const after = fetch("k", source.load);
    await turn();
    expect(source.calls).toHaveLength(2);
    source.resolve("new", 1);
    expect(await after).toBe("new");
    source.resolve("old", 0);
    expect(await before).toBe("old");
    expect(store.valueOf("k")).toBe("new");
    expectIdle();
  });

  test("of a loader, without a free flight, is returned, not stored, and counted", async () => {
    const loaded = await fetch("outer", async () => {
      store.flights.isFull = true;
      return fetch("k", () => 1);
    });
    expect(loaded).toBe(1);
    expect(store.valueOf("k")).toBeUndefined();
    expect(store.valueOf("outer")).toBe(1);
    expect(store.flights.refused).toBe(1);
    expect(store.counted(counterFlightsRefused)).toBe(1);
    expect(store.counted(counterFillsSuperseded)).toBe(0);
    expectIdle();
  });
});

describe("forget()", () => {
  test("keeps later fetches from a load that began before it", async () => {
    Object.assign(store.flights, { isSuperseded: () => false }); // a board that knows of no write
    for (const forget of [() => reading.forget("k"), () => reading.forgetAll()]) {
      const source = new Source();
      const before = fetch("k", source.load);
      await turn();
      forget();
      const after = fetch("k", source.load);
      await turn();
      expect(source.calls).toHaveLength(2);
      source.resolve(undefined, 0);
      source.resolve(undefined, 1);
      expect(await Promise.all([before, after])).toEqual([undefined, undefined]);
      expectIdle();
    }
  });

  test("of another key changes nothing", async () => {
    const source = new Source();
    const before = fetch("k", source.load);
    await turn();
    reading.forget("other");
    const after = fetch("k", never);
    source.resolve(1);
    expect(await Promise.all([before, after])).toEqual([1, 1]);
  });
});
