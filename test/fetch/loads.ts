// What the tests of shared fetches have in common: loaders that end when told to, and caches that
// wait for one load. Several caches attached in one thread count as threads: each has its own
// thread id, near cache and flights.

import {
  attachCache,
  type Cache,
  type FetchOptions,
  type ManualClock,
} from "../../dist/src/mod.js";
import { open, until } from "../cache/opened.js";

/** Loaders that end when told to, and the signals they were given. */
export class Loads {
  readonly signals: AbortSignal[] = [];
  readonly #settlers: { resolve: (value: unknown) => void; reject: (error: unknown) => void }[] =
    [];

  readonly loader = ({ signal }: { readonly signal: AbortSignal }): Promise<unknown> => {
    this.signals.push(signal);
    return new Promise((resolve, reject) => {
      this.#settlers.push({ resolve, reject });
    });
  };

  get count(): number {
    return this.#settlers.length;
  }

  finish(value: unknown, load = 0): void {
    this.#settlers[load]?.resolve(value);
  }

  fail(error: unknown, load = 0): void {
    this.#settlers[load]?.reject(error);
  }
}

/** A loader that must not run. */
export function never(): never {
  throw new Error("the loader is not to run");
}

/** Fetches that waited for another thread's load. */
export const waits = (cache: Cache): number => cache.stats().flights.coalescedAcross;

/** One cache that loads "k" and two that wait for it. */
export async function openThree(options: FetchOptions = {}, clock?: ManualClock) {
  const cache = await open(clock === undefined ? {} : { clock });
  const others = [attachCache(cache.handle()), attachCache(cache.handle())] as const;
  const loads = new Loads();
  const first = cache.fetch("k", loads.loader, options);
  await until(() => loads.count === 1);
  const waiting = others.map((other) => other.fetch("k", loads.loader, options));
  await until(() => waits(cache) === 2);
  return { cache, others, loads, all: [first, ...waiting] as const };
}
