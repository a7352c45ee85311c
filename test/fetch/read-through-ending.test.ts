import "./drivable-timers.js";

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { UndercroftError } from "../../dist/src/base/mod.js";
import type { Loader } from "../../dist/src/fetch/fetch-parts.js";
import { counterLoadErrors, counterLoads, counterStaleServed } from "../../dist/src/stats/mod.js";
import {
  aborter,
  fakeTimers,
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

describe("timeout.hard", () => {
  test("aborts the loader and rejects all waiters; its late value is ignored", async () => {
    const source = new Source();
    const both = Promise.allSettled([
      fetch("k", source.load, { hardTimeoutMs: 1 }),
      fetch("k", never),
    ]);
    const [first, second] = await both;
    expect(first).toMatchObject({ reason: { code: "ERR_LOADER_TIMEOUT" } });
    expect(second).toEqual(first);
    const { signal } = source.calls[0]!;
    expect(signal.reason).toBeInstanceOf(UndercroftError);
    expect(signal.reason).toMatchObject({
      code: "ERR_LOADER_TIMEOUT",
      message: expect.stringContaining('key "k": the loader took longer'),
    });
    expect(store.counted(counterLoadErrors)).toBe(1);
    expectIdle();
    source.resolve("late");
    await turn();
    expect(store.fills).toEqual([]);
  });

  test("a late rejection is ignored", async () => {
    const source = new Source();
    await expect(fetch("k", source.load, { hardTimeoutMs: 1 })).rejects.toThrow("Cannot load");
    source.reject(new Error("late"));
    await turn();
    expect(store.counted(counterLoadErrors)).toBe(1);
  });

  test("a loader that settles in its abort listener is too late", async () => {
    const loader: Loader<Value> = ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          resolve("partial");
        });
      });
    await expect(fetch("k", loader, { hardTimeoutMs: 1 })).rejects.toThrow("Cannot load");
    await turn();
    expect(store.fills).toEqual([]);
  });

  test("serves the stale value instead", async () => {
    setStale("k", "old");
    const source = new Source();
    const value = await fetch("k", source.load, { softTimeoutMs: 10_000, hardTimeoutMs: 1 });
    expect(value).toBe("old");
    expect(source.calls[0]!.signal.aborted).toBe(true);
    expect(store.counted(counterStaleServed)).toBe(1);
    expectIdle();
  });

  test("ends a background load, and the next fetch begins another", async () => {
    const pass = fakeTimers();
    setStale("k", "old");
    const source = new Source();
    expect(await fetch("k", source.load, { hardTimeoutMs: 1 })).toBe("old");
    await pass(5);
    expect(source.calls[0]!.signal.aborted).toBe(true);
    expectIdle();
    expect(store.refreshErrors[0]?.error.cause).toMatchObject({ code: "ERR_LOADER_TIMEOUT" });
    store.extend("k", 10_000);
    store.clock.advance(1000);
    expect(await fetch("k", () => "new")).toBe("old");
    await turn();
    expect(store.valueOf("k")).toBe("new");
  });

  test("of a fetch that joined ends its own wait only", async () => {
    const source = new Source();
    const first = fetch("k", source.load);
    await turn();
    await expect(fetch("k", never, { hardTimeoutMs: 1 })).rejects.toMatchObject({
      code: "ERR_LOADER_TIMEOUT",
    });
    expect(source.calls[0]!.signal.aborted).toBe(false);
    source.resolve(1);
    expect(await first).toBe(1);
    expect(store.counted(counterLoadErrors)).toBe(0);
    expectIdle();
  });

  test("does not count the disk's time as the loader's", async () => {
    const pass = fakeTimers();
    store.suspectOnDisk("k");
    store.readDelay = pass(10);
    expect(await fetch("k", () => 1, { hardTimeoutMs: 5 })).toBe(1);
  });
});

describe("signal", () => {
  test("that has already aborted rejects at once, even if the value is in memory", async () => {
    store.set("k", 1);
    const reason = new Error("gone");
    await expect(fetch("k", never, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(store.peeks).toBe(0);
    expectIdle();
  });

  test("ends one wait and leaves the others", async () => {
    const source = new Source();
    const { signal, abort } = aborter();
    const leaving = fetch("k", source.load, { signal });
    const staying = fetch("k", never);
    await turn();
    abort();
    await expect(leaving).rejects.toBe(signal.reason);
    expect(source.calls[0]!.signal.aborted).toBe(false);
    source.resolve(1);
    expect(await staying).toBe(1);
    expect(store.counted(counterLoadErrors)).toBe(0);
    expectIdle();
  });

  test("of the last waiter aborts the loader, and a later fetch begins another", async () => {
    const source = new Source();
    const one = aborter();
    const two = aborter();
    const both = Promise.allSettled([
      fetch("k", source.load, { signal: one.signal }),
      fetch("k", never, { signal: two.signal }),
    ]);
    await turn();
    one.abort();
    expect(source.calls[0]!.signal.aborted).toBe(false);
    two.abort();
    expect(source.calls[0]!.signal.reason).toBe(two.signal.reason);
    expect((await both).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(store.counted(counterLoadErrors)).toBe(1);
    expectIdle();
    const value = fetch("k", source.load);
    await turn();
    source.resolve("late", 0);
    source.resolve("new", 1);
    expect(await value).toBe("new");
    expect(store.fills).toHaveLength(1);
  });

  test("during the disk read means that no loader runs", async () => {
    store.suspectOnDisk("k");
    const { signal, abort } = aborter();
    const value = fetch("k", never, { signal });
    abort();
    await expect(value).rejects.toBe(signal.reason);
    await turn();
    expect(store.counted(counterLoads)).toBe(0);
    expect(store.counted(counterLoadErrors)).toBe(0);
    expectIdle();
  });

  test("that aborts after the answer does nothing", async () => {
    const { signal, abort } = aborter();
    const source = new Source();
    const value = fetch("k", source.load, { signal });
    await turn();
    source.resolve(1);
    await value;
    abort();
    expect(source.calls[0]!.signal.aborted).toBe(false);
    expect(store.valueOf("k")).toBe(1);
  });

  test("shared by many fetches has one listener, which is removed at the end", async () => {
    const signal = new AbortController().signal;
    let listening = 0;
    const counting = new Proxy(signal, {
      get(target, name) {
        if (name === "addEventListener") listening++;
        if (name === "removeEventListener") listening--;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
    const source = new Source();
    const all = Array.from({ length: 50 }, (_, key) =>
      fetch(`k${key}`, source.load, { signal: counting }),
    );
    await turn();
    expect(listening).toBe(1);
    for (const call of source.calls.keys()) source.resolve(call, call);
    await Promise.all(all);
    expect(listening).toBe(0);
  });

  test("shared by fetches ends them all", async () => {
    const { signal, abort } = aborter();
    const source = new Source();
    const all = Promise.allSettled(
      ["a", "b", "a"].map((key) => fetch(key, source.load, { signal })),
    );
    await turn();
    abort();
    expect(await all).toEqual(
      [0, 1, 2].map(() => ({ status: "rejected", reason: signal.reason as unknown })),
    );
    expect(source.calls.map((call) => call.signal.aborted)).toEqual([true, true]);
    expectIdle();
  });
});

describe("abortAll()", () => {
  const closed = new UndercroftError("ERR_CACHE_CLOSED", "closed");

  test("rejects all waiters for loaders that never settle, and aborts the loaders", async () => {
    const source = new Source();
    setStale("s", "old");
    const all = Promise.allSettled([
      fetch("k", source.load, { hardTimeoutMs: 60_000 }),
      fetch("k", never, { softTimeoutMs: 60_000 }),
      fetch("f", source.load, { forceRefresh: true }),
      fetch("s", source.load, { softTimeoutMs: 60_000 }),
    ]);
    await turn();
    reading.abortAll(closed);
    expect(await all).toEqual([0, 1, 2, 3].map(() => ({ status: "rejected", reason: closed })));
    expect(source.calls.map(({ signal }) => signal.reason as unknown)).toEqual([
      closed,
      closed,
      closed,
    ]);
    expectIdle();
    source.resolve("late", 0);
    source.reject(new Error("late"), 1);
    await turn();
    expect(store.fills).toEqual([]);
  });

  test("ends background loads and reads of the disk", async () => {
    setStale("k", "old");
    const source = new Source();
    await fetch("k", source.load);
    store.suspectOnDisk("d");
    const atDisk = fetch("d", never);
    reading.abortAll(closed);
    await expect(atDisk).rejects.toBe(closed);
    expect(source.calls[0]!.signal.reason).toBe(closed);
    await turn();
    expectIdle();
  });

  test("rejects waiters that wait with a stale value", async () => {
    store.suspectOnDisk("k");
    const source = new Source();
    const value = fetch("k", source.load);
    await turn();
    store.readDelay = new Promise(() => {});
    source.reject(new Error("down"));
    await turn();
    expect(reading.size).toBe(1);
    reading.abortAll(closed);
    await expect(value).rejects.toBe(closed);
    expectIdle();
  });

  test("without loads does nothing", () => {
    reading.abortAll(closed);
    expectIdle();
  });
});

describe("the process", () => {
  const door = (room: string): string =>
    JSON.stringify(new URL(`../../dist/src/${room}`, import.meta.url).href);

  /** The output of a process that fetches a key with a hard timeout from a loader that never
   *  settles. */
  async function printedBy(
    peek: string,
    hardTimeoutMs: number,
    entered = '{ role: "lead", flight: 0 }',
  ): Promise<string> {
    const script = `
      import { ReadThrough } from ${door("fetch/read-through.js")};
      import { HashedKey } from ${door("kernel/mod.js")};
      const parts = {
        reader: {
          peek: () => (${peek}),
          takeKey: (key) => new HashedKey(Buffer.from(key), true, 1, 1),
          peekAgain: () => undefined,
          readDisk: async () => undefined,
          readAgain: async () => undefined,
        },
        backoffs: { read: () => undefined, write() {} },
        refreshFailed: () => undefined,
        flights: {
          cacheId: "c", listen() {}, end() {}, windowsOf: () => [0, 1],
          enter: () => (${entered}),
        },
        tiers: null,
        name: "fetching",
        meter: { count() {}, sampleLoad() {} },
        clock: { now: () => 0 },
      };
      const options = {
        ttlMs: 1, staleForMs: 1, tags: [], softTimeoutMs: Infinity, hardTimeoutMs: ${hardTimeoutMs},
        negativeTtlMs: 0, refreshAfterMs: Infinity, jitter: 0, forceRefresh: false,
        signal: undefined,
      };
      new ReadThrough(parts).fetch("k", () => new Promise(() => {}), options).then(
        (value) => console.log(value),
        (error) => console.log(error.code),
      );`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", script],
      { timeout: 30_000 },
    );
    return stdout.trim();
  }

  test("is not kept alive by a background load", async () => {
    expect(await printedBy('{ kind: "stale", value: "old" }', 1_000_000)).toBe("old");
  });

  test("is not kept alive by a background load that waits for a free flight", async () => {
    const entered = '{ role: "full", flight: -1 }';
    expect(await printedBy('{ kind: "stale", value: "old" }', 1_000_000, entered)).toBe("old");
  });

  test("is kept alive by a fetch that waits for a free flight", async () => {
    const entered = '{ role: "full", flight: -1 }';
    expect(await printedBy('{ kind: "absent" }', 200, entered)).toBe("ERR_LOADER_TIMEOUT");
  });

  test.each(["absent", "disk"])(
    "is kept alive by a timeout that somebody waits for, of a key that is %s",
    async (kind) => {
      expect(await printedBy(`{ kind: "${kind}" }`, 1)).toBe("ERR_LOADER_TIMEOUT");
    },
  );
});
