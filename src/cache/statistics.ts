// Builds what `stats()` returns: counters and histograms summed over the threads' blocks, and the
// gauges of this moment. Called by the cache.
import { memoryLimitOf, type ThreadCore } from "../entries/mod.js";
import { codes, threadsAttached } from "../kernel/mod.js";
import type { OuterSide } from "./outer/outer-side.js";
import {
  type CacheStats,
  counterDiskEntries,
  counterMemoryBytes,
  counterMemoryEntries,
  counterNegativeAnswers,
  makeSnapshot,
  type NamespaceReading,
  removalCounters,
  spaceTotals,
  type StatsGauges,
} from "../stats/mod.js";

/** The part of the numbers that is one namespace's. */
export function namespaceReading(core: ThreadCore, id: number): NamespaceReading {
  const { kernel, handle } = core;
  const { namespaces } = kernel;
  const spaces = codes.namespacesMax + 1;
  const totals = spaceTotals(handle.spaceCounts, codes.threadsMax, spaces, id);
  for (const counter of removalCounters) totals.set(counter, namespaces.removals(id, counter));
  return {
    name: namespaces.nameOf(id),
    totals,
    memory: {
      entries: namespaces.memoryEntries(id),
      bytes: namespaces.memoryBytes(id),
      shareBytes: namespaces.memoryShare(id),
    },
    disk: { shareBytes: namespaces.diskShare(id) },
  };
}

/** Those that a thread has asked for, and those of an earlier session that have lost entries. */
function namespaceReadings(core: ThreadCore): NamespaceReading[] {
  const { namespaces } = core.kernel;
  const readings: NamespaceReading[] = [];
  for (let id = 1; id <= codes.namespacesMax; id++) {
    if (!namespaces.isKnown(id)) continue;
    const reading = namespaceReading(core, id);
    const hasCounted = removalCounters.some((counter) => reading.totals.get(counter) !== 0);
    if (hasCounted || namespaces.isInUse(id)) readings.push(reading);
  }
  return readings;
}

export function snapshotOf(core: ThreadCore, outer: OuterSide | null): CacheStats {
  const { kernel, config } = core;
  const own = kernel.counters.totals();
  const namespaces = namespaceReadings(core);
  return makeSnapshot({
    name: config.name,
    total: (counter) =>
      namespaces.reduce((sum, { totals }) => sum + (totals.get(counter) ?? 0), own[counter] ?? 0),
    namespaces,
    histogram: (histogram) => kernel.counters.histogram(histogram),
    gauges: {
      memory: memoryGauges(core),
      disk: diskGauges(core),
      tiers: outer?.words.totals() ?? null,
      processes: outer?.lease?.totals() ?? null,
      near: {
        entries: core.near?.count ?? 0,
        bytes: core.near?.bytes ?? 0,
        limitEntries: core.config.near?.maxEntries ?? 0,
        limitBytes: core.config.near?.maxBytes ?? 0,
        heapBytes: core.near?.heapBytes ?? 0,
      },
      tags: { tracked: kernel.tags.tracked(), capacity: kernel.tags.capacity },
      segments: { free: freeSegments(core), total: kernel.control.segmentsWanted() },
      threads: { attached: threadsAttached(kernel) },
    },
  });
}

function freeSegments(core: ThreadCore): number {
  const { verbs, geometry } = core.kernel;
  return verbs.freeSegments(geometry.segmentCount);
}

/**
 * Live entries or bytes since the last clear. Threads count without waiting for each other, so the
 * difference may be negative for a moment; it is then 0.
 */
function live(core: ThreadCore, counter: number, cleared: number): number {
  return Math.max(0, core.kernel.total(counter) - cleared);
}

function memoryGauges(core: ThreadCore): StatsGauges["memory"] {
  const { geometry, control } = core.kernel;
  const cleared = control.clearedCounts();
  const unused = freeSegments(core) + core.kernel.verbs.withheldSegments();
  const usedSegments = geometry.segmentCount - unused;
  return {
    entries: live(core, counterMemoryEntries, cleared.memoryEntries),
    negatives: live(core, counterNegativeAnswers, cleared.negatives),
    bytes: live(core, counterMemoryBytes, cleared.memoryBytes),
    limitBytes: memoryLimitOf(core),
    indexBytes: geometry.bucketCount * codes.bucketSize,
    usedBytes: geometry.segmentBase + usedSegments * geometry.segmentBytes,
  };
}

function diskGauges(core: ThreadCore): StatsGauges["disk"] {
  const { kernel, config, handle } = core;
  if (config.disk === null || handle.disk === null) return null;
  const { diskSegments, control } = kernel;
  let segments = 0;
  let bytes = 0;
  for (let segment = 0; segment < diskSegments.count(); segment++) {
    const state = diskSegments.state(segment);
    if (state !== codes.diskOpen && state !== codes.diskSealed) continue;
    segments += 1;
    bytes += diskSegments.endOffset(segment);
  }
  return {
    entries: live(core, counterDiskEntries, control.clearedCounts().diskEntries),
    bytes,
    limitBytes: control.diskCapacity(),
    state: control.isDiskUp() ? "up" : "down",
    segments,
  };
}
