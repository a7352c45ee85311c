// The counters that each namespace has of its own. A thread adds to its own words of a buffer
// beside the cache's memory; readers sum over all threads, dead ones included. No atomics: each
// word has one writer. Invariant: what is counted for a namespace is counted there and not among
// the cache's, which are those of the cache's own key space. So the whole is a sum, and no part is
// a difference, which may fall while threads count. What any thread counts of entries that leave
// is in the namespace table (removalCounters).
import * as counter from "./counters.js";

/** The counters of a namespace, in the order of their words. */
export const spaceCounters = [
  counter.counterNearHits,
  counter.counterMemoryHits,
  counter.counterDiskHits,
  counter.counterMisses,
  counter.counterExpiredHits,
  counter.counterStaleServed,
  counter.counterNegativesServed,
  counter.counterLoads,
  counter.counterLoadErrors,
  counter.counterLoadsCoalesced,
  counter.counterFillsSuperseded,
  counter.counterSetsStored,
  counter.counterSetsTooLarge,
  counter.counterSetsOverloaded,
  counter.counterSetBytes,
  counter.counterDeletes,
  counter.counterInvalid,
] as const;

/** The counters of a namespace that are in the namespace table: any thread may count in them, also
 *  before one has asked for the namespace in this session. Evictions for want of room in the index
 *  are not among them: a slot on disk does not tell its key space. */
export const removalCounters = [
  counter.counterEvictionsMemory,
  counter.counterEvictionsDisk,
  counter.counterExpirations,
] as const;

export type RemovalCounter = (typeof removalCounters)[number];

const wordOf: readonly number[] = (() => {
  const words: number[] = [];
  for (const [word, number] of spaceCounters.entries()) words[number] = word;
  return words;
})();

/** Where counts of one thread go. */
export interface CounterSink {
  add(counter: number, amount: number): void;
  /** What this thread has counted. */
  own(counter: number): number;
}

/** Bytes of the counters of so many threads and spaces. */
export function spaceCountsBytes(threads: number, spaces: number): number {
  return threads * spaces * spaceCounters.length * 8;
}

/** The counters of one namespace in one thread; what it has no word for is the cache's. */
export class SpaceCounters implements CounterSink {
  readonly #cache: CounterSink;
  readonly #words: Float64Array;

  constructor(cache: CounterSink, counts: SharedArrayBuffer, position: number) {
    this.#cache = cache;
    const bytes = spaceCountsBytes(1, 1);
    this.#words = new Float64Array(counts, position * bytes, spaceCounters.length);
  }

  add(counter: number, amount: number): void {
    const word = wordOf[counter];
    if (word === undefined) this.#cache.add(counter, amount);
    else this.#words[word] = (this.#words[word] as number) + amount;
  }

  own(counter: number): number {
    const word = wordOf[counter];
    return word === undefined ? this.#cache.own(counter) : (this.#words[word] as number);
  }
}

/** What one thread has counted of one of these counters, summed over all spaces. */
export function threadTotal(
  counts: SharedArrayBuffer,
  spaces: number,
  thread: number,
  counter: number,
): number {
  const word = wordOf[counter];
  if (word === undefined) return 0;
  const words = new Float64Array(counts);
  let sum = 0;
  for (let space = 0; space < spaces; space++) {
    sum += words[(thread * spaces + space) * spaceCounters.length + word] as number;
  }
  return sum;
}

/** The counters of a space, summed over all threads, by their numbers. */
export function spaceTotals(
  counts: SharedArrayBuffer,
  threads: number,
  spaces: number,
  space: number,
): Map<number, number> {
  const words = new Float64Array(counts);
  const totals = new Map<number, number>(spaceCounters.map((counter) => [counter, 0]));
  for (let thread = 0; thread < threads; thread++) {
    const first = (thread * spaces + space) * spaceCounters.length;
    for (const [word, counter] of spaceCounters.entries()) {
      totals.set(counter, (totals.get(counter) ?? 0) + (words[first + word] as number));
    }
  }
  return totals;
}
