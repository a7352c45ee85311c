// What a cache did within the last seconds: the differences of samples. Called by `undercroft top`.
// Invariant: the samples of one history are of one cache, so no counter of a later one is less.
import type { Sample } from "../../operators/mod.js";
import {
  type CacheStats,
  type LatencyHistogram,
  type Percentiles,
  percentiles,
} from "../../stats/mod.js";

/** The windows of the display, in seconds. */
export const windowSeconds = [1, 10, 60] as const;
/** Samples kept, one a second: the longest window and one. */
const samplesMax = 61;

/** What happened within some seconds. */
export interface Activity {
  readonly seconds: number;
  readonly requests: number;
  readonly hits: { readonly near: number; readonly memory: number; readonly disk: number };
  readonly misses: number;
  /** Null without a request. */
  readonly hitRatio: number | null;
  readonly loads: number;
  readonly loadErrors: number;
  readonly coalescedLoads: number;
  readonly sets: number;
  readonly setBytes: number;
  readonly refused: number;
  readonly deletes: number;
  readonly evictions: { readonly memory: number; readonly disk: number; readonly index: number };
  readonly expirations: number;
  readonly diskReadBytes: number;
  readonly diskWriteBytes: number;
  /** Nanoseconds. */
  readonly latency: Readonly<Record<"near" | "memory" | "disk" | "load", Percentiles | null>>;
}

/** Requests of a namespace within some seconds. */
export interface SpaceActivity {
  readonly requests: number;
  readonly hitRatio: number | null;
}

interface Taken {
  readonly atMs: number;
  readonly sample: Sample;
}

export class History {
  #taken: Taken[] = [];

  /** `atMs` by a clock that does not step. */
  add(sample: Sample, atMs: number): void {
    this.#taken = [...this.#taken.slice(1 - samplesMax), { atMs, sample }];
  }

  /** What happened in the last `seconds`, or since the first sample; since the cache was opened if
   *  that is Infinity. Undefined with one sample. */
  within(seconds: number): Activity | undefined {
    const newest = this.#taken.at(-1);
    if (newest === undefined) return undefined;
    const { sample } = newest;
    if (seconds === Infinity) return activity(undefined, sample.stats, sample.openMs / 1000);
    const before = this.#before(newest, seconds);
    if (before === undefined) return undefined;
    return activity(before.sample.stats, sample.stats, (newest.atMs - before.atMs) / 1000);
  }

  /** The same for a namespace. */
  spaceWithin(name: string, seconds: number): SpaceActivity | undefined {
    const newest = this.#taken.at(-1);
    const before = newest && this.#before(newest, seconds);
    if (newest === undefined || before === undefined) return undefined;
    const of = ({ sample }: Taken): readonly [requests: number, hits: number] => {
      const found = sample.stats.namespaces.find((each) => each.name === name);
      return [found?.requests ?? 0, found?.hits.total ?? 0];
    };
    const [[requests, hits], [earlier, earlierHits]] = [of(newest), of(before)];
    return {
      requests: requests - earlier,
      hitRatio: ratio(hits - earlierHits, requests - earlier),
    };
  }

  /** The newest sample that is at least so old, or the oldest; with some grace, since samples come
   *  a little late. */
  #before(newest: Taken, seconds: number): Taken | undefined {
    const until = newest.atMs - seconds * 1000 + 200;
    const older = this.#taken.slice(0, -1);
    return older.findLast(({ atMs }) => atMs <= until) ?? older[0];
  }
}

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

function activity(before: CacheStats | undefined, now: CacheStats, seconds: number): Activity {
  const grown = (read: (stats: CacheStats) => number): number =>
    read(now) - (before === undefined ? 0 : read(before));
  const requests = grown((stats) => stats.requests);
  const slow = (name: "near" | "memory" | "disk" | "load"): Percentiles | null =>
    latencyOf(before?.histograms[name], now.histograms[name]);
  return {
    seconds,
    requests,
    hits: {
      near: grown(({ hits }) => hits.near),
      memory: grown(({ hits }) => hits.memory),
      disk: grown(({ hits }) => hits.disk),
    },
    misses: grown((stats) => stats.misses),
    hitRatio: ratio(
      grown(({ hits }) => hits.total),
      requests,
    ),
    loads: grown((stats) => stats.loads),
    loadErrors: grown((stats) => stats.loadErrors),
    coalescedLoads: grown((stats) => stats.coalescedLoads),
    sets: grown(({ sets }) => sets.stored),
    setBytes: grown(({ sets }) => sets.bytes),
    refused: grown(({ sets }) => sets.tooLarge + sets.overloaded),
    deletes: grown((stats) => stats.deletes),
    evictions: {
      memory: grown(({ evictions }) => evictions.memory),
      disk: grown(({ evictions }) => evictions.disk),
      index: grown(({ evictions }) => evictions.index),
    },
    expirations: grown((stats) => stats.expirations),
    diskReadBytes: grown(({ disk }) => disk?.readBytes ?? 0),
    diskWriteBytes: grown(({ disk }) => disk?.writeBytes ?? 0),
    latency: { near: slow("near"), memory: slow("memory"), disk: slow("disk"), load: slow("load") },
  };
}

function latencyOf(
  before: LatencyHistogram | undefined,
  now: LatencyHistogram,
): Percentiles | null {
  return percentiles(now.counts.map((count, bucket) => count - (before?.counts[bucket] ?? 0)));
}
