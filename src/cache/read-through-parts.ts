// What read-through is made of in a cache: its entries, the flights and back-offs of all threads,
// its counters and events. Called by the cache.
import type { EntryReader, EntryWriter, ThreadCore } from "../entries/mod.js";
import { type FetchTiers, ReadThrough, SharedBackoffs, SharedFlights } from "../fetch/mod.js";
import { histogramLoad } from "../stats/mod.js";
import type { SpaceParts } from "./spaces/space-parts.js";

export function readThroughOf<V>(
  core: ThreadCore,
  reader: EntryReader<V>,
  writer: EntryWriter<V>,
  refreshFailed: SpaceParts["refreshFailed"],
  cacheId: string,
  tiers: FetchTiers<V> | null,
): ReadThrough<V> {
  return new ReadThrough<V>({
    name: core.config.name,
    reader,
    writer,
    tiers,
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
