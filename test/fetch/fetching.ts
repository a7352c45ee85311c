// What the tests of ReadThrough share: its parts and a ReadThrough, made anew for each test, a
// loader that settles when the test says so, and a check that no rejection stays unhandled.

import { afterEach, beforeEach, expect, onTestFinished, vi } from "vitest";
import { setTimeout as boundSetTimeout } from "../../dist/src/base/mod.js";
import type { LoadContext, Loader } from "../../dist/src/fetch/fetch-parts.js";
import { ReadThrough } from "../../dist/src/fetch/read-through.js";
import type { ResolvedFetchOptions } from "../../dist/src/config/mod.js";
import { drivableSetTimeout } from "./drivable-timers.js";
import { MapParts, type Value } from "./map-parts.js";

const defaults: ResolvedFetchOptions = {
  ttlMs: 1000,
  staleForMs: 500,
  tags: ["t"],
  softTimeoutMs: Infinity,
  hardTimeoutMs: Infinity,
  negativeTtlMs: 0,
  refreshAfterMs: Infinity,
  jitter: 0,
  isValid: undefined,
  forceRefresh: false,
  signal: undefined,
};

/** The parts and the ReadThrough of the current test. */
export let store: MapParts;
export let reading: ReadThrough<Value>;
const unhandled: unknown[] = [];

function noteUnhandled(reason: unknown): void {
  unhandled.push(reason);
}

/** Call it once in a test file. */
export function setUpFetching(): void {
  beforeEach(() => {
    store = new MapParts();
    reading = new ReadThrough(store);
    unhandled.length = 0;
    process.on("unhandledRejection", noteUnhandled);
  });
  afterEach(async () => {
    await turn();
    process.off("unhandledRejection", noteUnhandled);
    if (unhandled.length > 0) throw new Error("a rejection was not handled", { cause: unhandled });
  });
}

export async function fetch(
  key: string | Uint8Array,
  loader: Loader<Value>,
  options: Partial<ResolvedFetchOptions> = {},
): Promise<Value | undefined> {
  return reading.fetch(key, loader, { ...defaults, ...options });
}

/** One turn of the event loop, after which every promise that can settle has settled. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A loader that settles when the test says so, and its calls. */
export class Source {
  readonly calls: LoadContext<Value>[] = [];
  readonly #settlers: {
    resolve: (value: Value | undefined) => void;
    reject: (reason: unknown) => void;
  }[] = [];

  readonly load = (context: LoadContext<Value>): Promise<Value | undefined> => {
    this.calls.push(context);
    return new Promise((resolve, reject) => {
      this.#settlers.push({ resolve, reject });
    });
  };

  resolve(value: Value | undefined, call = this.calls.length - 1): void {
    this.#settlers[call]!.resolve(value);
  }

  reject(reason: unknown, call = this.calls.length - 1): void {
    this.#settlers[call]!.reject(reason);
  }
}

/** No loader, timer, flight or waiter is left. */
export function expectIdle(): void {
  expect(reading.size).toBe(0);
  expect(store.flights.size).toBe(0);
}

export const stale = { ttl: 10, staleFor: 100 };

/** Stores an entry that has expired and may be served stale for 99 ms more. */
export function setStale(key: string, value: Value): void {
  store.set(key, value, stale);
  store.clock.advance(11);
}

export const never: Loader<Value> = () => {
  throw new Error("the loader must not run");
};

/** A signal, and a function that aborts it with the error "aborted". */
export function aborter(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    abort: () => {
      controller.abort(new Error("aborted"));
    },
  };
}

/** Fakes the timers until the test is over. Returns a function that lets so many milliseconds pass,
 *  with everything that follows from it. The test file imports drivable-timers.ts first. */
export function fakeTimers(): (ms: number) => Promise<void> {
  if (boundSetTimeout !== drivableSetTimeout) {
    throw new Error("the library has bound real timers: import ./drivable-timers.js first");
  }
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  return async (ms) => {
    await vi.advanceTimersByTimeAsync(ms);
    await turn();
  };
}
