// What read-through is made of in a cache: its entries, the flights and back-offs of all threads,
// its counters and events. Called by the cache.
import type { EntryReader, EntryWriter } from "../entries/mod.js";
import { type FetchTiers, ReadThrough, SharedBackoffs, SharedFlights } from "../fetch/mod.js";
import { histogramLoad } from "../stats/mod.js";
import type { SpaceParts } from "./spaces/space-parts.js";

/** What a key space has besides its reader and writer. */
interface Around<V> extends Pick<SpaceParts, "core" | "refreshFailed" | "cacheId"> {
  readonly tiers: FetchTiers<V> | null;
  readonly settle: () => Promise<void> | undefined;
}

export function readThroughOf<V>(
  reader: EntryReader<V>,
  writer: EntryWriter<V>,
  { core, refreshFailed, cacheId, tiers, settle }: Around<V>,
): ReadThrough<V> {
  return new ReadThrough<V>({
    name: core.config.name,
    reader,
    writer,
    tiers,
    settle,
    flights: new SharedFlights(core, cacheId),
    backoffs: new SharedBackoffs(core),
    meter: {
      count: (counter, amount) => core.count(counter, amount),
      sampleLoad: (nanoseconds) => core.sample(histogramLoad, nanoseconds),
    },
    clock: core.clock,
    wallOf: (ms) => ms - core.clockAheadMs,
    refreshFailed,
  });
}
