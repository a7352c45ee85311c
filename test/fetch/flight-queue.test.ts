// The queue of loads that wait for a free flight: its order, its bounds and its end; and `fetch`
// over a table that is full.

import "./drivable-timers.js";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { FlightRegistry, flightsInThreadMax } from "../../dist/src/fetch/flight-registry.js";
import {
  FlightQueue,
  queuedFlightsMax,
  type QueuedLoad,
  queuePollMs,
  queueStallMs,
} from "../../dist/src/fetch/queue/flight-queue.js";
import { RefreshBackoff } from "../../dist/src/fetch/refresh-backoff.js";
import { counterFlightsQueued, counterLoads } from "../../dist/src/stats/mod.js";
import {
  aborter,
  expectIdle,
  fakeTimers,
  fetch,
  never,
  reading,
  setStale,
  setUpFetching,
  Source,
  store,
  turn,
} from "./fetching.js";
import { MapParts } from "./map-parts.js";

setUpFetching();

/** A table of windows with so many free flights each, and who got one. */
class Windows {
  readonly free = new Map<number, number>();
  readonly entered: string[] = [];
  readonly alone: string[] = [];

  load(name: string, windows: readonly number[]): QueuedLoad {
    return {
      windows,
      isAwaited: () => true,
      tryEnter: () => {
        const window = windows.find((candidate) => (this.free.get(candidate) ?? 0) > 0);
        if (window === undefined) return false;
        this.free.set(window, (this.free.get(window) as number) - 1);
        this.entered.push(name);
        return true;
      },
      goAlone: () => void this.alone.push(name),
    };
  }
}

/** A queue whose time stands still until the test lets it pass. */
function stillQueue(): { queue: FlightQueue; pass: (ms: number) => Promise<void> } {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const queue = new FlightQueue(() => Date.now());
  return { queue, pass: async (ms) => void (await vi.advanceTimersByTimeAsync(ms)) };
}

describe("the queue", () => {
  test("gives a free flight to the first load that waits for its window", () => {
    const queue = new FlightQueue();
    const windows = new Windows();
    for (const [name, first, second] of [
      ["a", 1, 2],
      ["b", 3, 1],
      ["c", 2, 3],
    ] as const) {
      queue.add(windows.load(name, [first, second]));
    }
    expect([1, 2, 3, 4].map((window) => queue.isAwaited([window, 9]))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    windows.free.set(3, 1);
    queue.serve(3);
    expect(windows.entered).toEqual(["b"]);
    windows.free.set(3, 1);
    queue.serve(3);
    windows.free.set(1, 2);
    queue.serve(1);
    expect([windows.entered, queue.size]).toEqual([["b", "c", "a"], 0]);
    expect(queue.isAwaited([1, 2])).toBe(false);
  });

  test("does not serve a load that has left", () => {
    const queue = new FlightQueue();
    const windows = new Windows();
    const turns = ["a", "b"].map((name) => queue.add(windows.load(name, [1, 2])));
    turns[0]!.leave();
    turns[0]!.leave();
    windows.free.set(1, 2);
    queue.serve(1);
    expect([windows.entered, queue.size]).toEqual([["b"], 0]);
  });

  test("looks by itself for flights that other threads freed", async () => {
    const { queue, pass } = stillQueue();
    const windows = new Windows();
    // More windows than are tried at one poll.
    for (let load = 0; load < 3000; load++) queue.add(windows.load("x", [2 * load, 2 * load + 1]));
    queue.add(windows.load("last", [6000, 6001]));
    windows.free.set(6000, 1);
    await pass(queuePollMs);
    expect(windows.entered).toEqual([]);
    await pass(20 * queuePollMs * 8);
    expect(windows.entered).toEqual(["last"]);
  });

  test("is bounded", () => {
    const queue = new FlightQueue();
    const load = new Windows().load("x", [0, 1]);
    const turns = Array.from({ length: queuedFlightsMax - 1 }, () => queue.add(load));
    expect(queue.isFull).toBe(false);
    turns.push(queue.add(load));
    expect(queue.isFull).toBe(true);
    for (const one of turns) one.leave();
    expect(queue.size).toBe(0);
  });

  test("lets loads go on alone if none got a flight for long", async () => {
    const { queue, pass } = stillQueue();
    const windows = new Windows();
    queue.add(windows.load("a", [1, 2]));
    await pass(queueStallMs / 2);
    queue.add(windows.load("b", [1, 2]));
    await pass(queueStallMs * 0.6);
    expect(windows.alone).toEqual(["a"]);
    queue.add(windows.load("c", [1, 2]));
    windows.free.set(1, 1);
    await pass(queueStallMs * 0.1);
    expect(windows.entered).toEqual(["b"]);
    // One got a flight, so the others wait on.
    await pass(queueStallMs * 0.8);
    expect([windows.alone, queue.size]).toEqual([["a"], 1]);
    await pass(queueStallMs * 0.3);
    expect([windows.alone, queue.size]).toEqual([["a", "c"], 0]);
  });
});

test("a thread coalesces the loads of a bounded number of keys", () => {
  const parts = new MapParts();
  const registry = new FlightRegistry(parts, new RefreshBackoff(parts.backoffs, parts.clock));
  const options = {
    ttlMs: 1,
    staleForMs: 0,
    tags: [],
    softTimeoutMs: Infinity,
    hardTimeoutMs: Infinity,
    negativeTtlMs: 0,
    refreshAfterMs: Infinity,
    jitter: 0,
    isValid: undefined,
    forceRefresh: false,
    signal: undefined,
  };
  const begin = (key: string) => registry.begin(parts.readKey(Buffer.from(key)), options);
  for (let key = 0; key < flightsInThreadMax; key++) {
    if (begin(`k${key}`).isUnshared) throw new Error(`key ${key} is alone`);
  }
  expect([begin("one more").isUnshared, begin("k0").isUnshared]).toEqual([true, false]);
});

describe("a fetch while no flight is free", () => {
  /** Fetches that wait, and the source of them all. */
  async function fill(keys: readonly string[]): Promise<[Promise<unknown>[], Source]> {
    const source = new Source();
    store.flights.isFull = true;
    const all = keys.map((key) => fetch(key, source.load));
    await turn();
    expect(source.calls).toEqual([]);
    expect(store.counted(counterFlightsQueued)).toBe(keys.length);
    return [all, source];
  }

  test("waits, and is stored", async () => {
    const [all, source] = await fill(["a", "b"]);
    const joined = fetch("a", never);
    store.flights.free();
    await turn();
    expect(source.calls.map(({ key }) => key)).toEqual(["a", "b"]);
    source.resolve(1, 0);
    source.resolve(2, 1);
    expect(await Promise.all([...all, joined])).toEqual([1, 2, 1]);
    expect([store.valueOf("a"), store.valueOf("b")]).toEqual([1, 2]);
    expectIdle();
  });

  test("takes the value that another thread stored meanwhile", async () => {
    const [all] = await fill(["a"]);
    store.set("a", "theirs");
    store.flights.free();
    expect(await Promise.all(all)).toEqual(["theirs"]);
    expect(store.counted(counterLoads)).toBe(0);
    expectIdle();
  });

  test("ends with its signal, and its place is given up", async () => {
    const { signal, abort } = aborter();
    store.flights.isFull = true;
    const left = fetch("a", never, { signal });
    await turn();
    abort();
    await expect(left).rejects.toThrow("aborted");
    store.flights.free();
    await turn();
    expect(store.flights.begun).toBe(0);
    expectIdle();
  });

  test("ends with its hard timeout, with a stale value if there is one", async () => {
    const pass = fakeTimers();
    store.flights.isFull = true;
    const options = { hardTimeoutMs: 50 };
    setStale("old", "stale");
    const forced = fetch("a", never, { ...options, forceRefresh: true });
    const served = fetch("old", never, { ...options, softTimeoutMs: 40 });
    forced.catch(() => undefined);
    await pass(60);
    await expect(forced).rejects.toMatchObject({ code: "ERR_LOADER_TIMEOUT" });
    expect(await served).toBe("stale");
  });

  test("is rejected when the cache is closed", async () => {
    const [all] = await fill(["a"]);
    reading.abortAll(new Error("closed"));
    await expect(all[0]).rejects.toThrow("closed");
    expectIdle();
  });
});
