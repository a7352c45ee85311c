import "./drivable-timers.js";

import { describe, expect, test } from "vitest";
import {
  counterFillsSuperseded,
  counterLoadsCoalesced,
  counterStaleServed,
} from "../../dist/src/stats/mod.js";
import {
  expectIdle,
  fakeTimers,
  fetch,
  never,
  setStale,
  setUpFetching,
  Source,
  store,
  turn,
} from "./fetching.js";
import type { Value } from "./map-parts.js";

setUpFetching();

describe("forceRefresh", () => {
  const forced = { forceRefresh: true };

  test("loads even if there is a fresh value, which the loader is given", async () => {
    store.set("k", "old");
    const source = new Source();
    const value = fetch("k", source.load, forced);
    await turn();
    expect(source.calls[0]!.stale).toBe("old");
    source.resolve("new");
    expect(await value).toBe("new");
    expect(store.valueOf("k")).toBe("new");
    expectIdle();
  });

  test.each<[string, () => void, Value | undefined]>([
    ["an expired one", () => setStale("k", "old"), "old"],
    ["one on disk", () => store.setOnDisk("k", "old"), "old"],
    ["none", () => undefined, undefined],
    ["one past its staleFor", () => store.set("k", "old", { ttl: 0 }), undefined],
  ])("gives its loader the value that is there: %s", async (_name, set, expected) => {
    set();
    const source = new Source();
    const value = fetch("k", source.load, forced);
    await turn();
    expect(source.calls[0]!.stale).toBe(expected);
    source.resolve("new");
    expect(await value).toBe("new");
    expectIdle();
  });

  test("shares a forced load whose loader has not been called", async () => {
    const source = new Source();
    const both = [fetch("k", source.load, forced), fetch("k", never, forced)];
    expect(source.calls).toHaveLength(0);
    await turn();
    source.resolve(1);
    expect(await Promise.all(both)).toEqual([1, 1]);
    expect(store.counted(counterLoadsCoalesced)).toBe(1);
    expectIdle();
  });

  test("shares it too while that reads the value on disk", async () => {
    store.setOnDisk("k", "old");
    let read = (): void => undefined;
    store.readDelay = new Promise<void>((resolve) => (read = resolve));
    const source = new Source();
    const first = fetch("k", source.load, forced);
    await turn();
    const second = fetch("k", never, forced);
    read();
    await turn();
    expect(source.calls.map(({ stale: given }) => given)).toEqual(["old"]);
    source.resolve("new");
    expect(await Promise.all([first, second])).toEqual(["new", "new"]);
    expectIdle();
  });

  test("replaces a forced load that has begun, whichever ends first", async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const source = new Source();
      const first = fetch("k", source.load, forced);
      await turn();
      const second = fetch("k", source.load, forced);
      await turn();
      for (const call of order) {
        source.resolve(["before", "after"][call], call);
        await turn();
      }
      expect(await Promise.all([first, second])).toEqual(["before", "after"]);
      expect(store.valueOf("k")).toBe("after");
      expectIdle();
    }
    expect(store.counted(counterFillsSuperseded)).toBe(2);
  });

  test("that brings undefined before a newer one ends stores no negative answer", async () => {
    const source = new Source();
    const first = fetch("k", source.load, { ...forced, negativeTtlMs: 1000 });
    await turn();
    const second = fetch("k", source.load, forced);
    await turn();
    source.resolve("after", 1);
    expect(await second).toBe("after");
    source.resolve(undefined, 0);
    expect(await first).toBeUndefined();
    expect(await fetch("k", never)).toBe("after");
    expectIdle();
  });

  test("replaces an ordinary load, which is not stored, whichever ends first", async () => {
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
      await turn();
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

  test("replaces an ordinary load that still reads the disk", async () => {
    store.suspectOnDisk("k");
    const source = new Source();
    const ordinary = fetch("k", source.load);
    const fresh = fetch("k", source.load, forced);
    await turn();
    expect(source.calls).toHaveLength(2);
    for (const { key } of source.calls) expect(key).toBe("k");
    source.resolve("one", 0);
    source.resolve("two", 1);
    expect((await Promise.all([ordinary, fresh])).toSorted()).toEqual(["one", "two"]);
    expect(store.valueOf("k")).toBe(await fresh);
    expectIdle();
  });

  test("never returns what was stored before", async () => {
    const pass = fakeTimers();
    setStale("k", "old");
    const source = new Source();
    const value = fetch("k", source.load, { ...forced, softTimeoutMs: 1 });
    await pass(5);
    expect(source.calls[0]!.stale).toBe("old");
    source.reject(new Error("down"));
    await expect(value).rejects.toThrow("down");
    const timed = fetch("k", source.load, { ...forced, hardTimeoutMs: 1 });
    void turn().then(() => pass(1));
    await expect(timed).rejects.toMatchObject({ code: "ERR_LOADER_TIMEOUT" });
    expect(store.counted(counterStaleServed)).toBe(0);
    expectIdle();
  });

  test("that fails leaves ordinary waiters the stale value", async () => {
    setStale("k", "old");
    const source = new Source();
    const fresh = fetch("k", source.load, forced);
    const ordinary = fetch("k", never, { softTimeoutMs: 10_000 });
    await turn();
    source.reject(new Error("down"));
    await expect(fresh).rejects.toThrow("down");
    expect(await ordinary).toBe("old");
  });
});
