// Gathers what `stats()` shows: counters and histograms summed over the threads' blocks, and gauges of this moment.
import { layout as at, threadsAttached } from "../kernel/mod.js";
import {
  type CacheStats,
  counterDiskEntries,
  counterMemoryBytes,
  counterMemoryEntries,
  makeSnapshot,
  type StatsGauges,
} from "../stats/mod.js";
import type { ThreadCore } from "./thread-core.js";

export function snapshotOf(core: ThreadCore): CacheStats {
  const { kernel, config } = core;
  return makeSnapshot({
    name: config.name,
    total: (counter) => kernel.total(counter),
    histogram: (histogram) => histogramOf(core, histogram),
    gauges: {
      memory: memoryGauges(core),
      disk: diskGauges(core),
      near: { entries: core.near?.count ?? 0, bytes: core.near?.bytes ?? 0 },
      segments: { free: freeSegments(core), total: kernel.geometry.segmentCount },
      threads: { attached: threadsAttached(kernel.views) },
    },
  });
}

function histogramOf(core: ThreadCore, histogram: number): Uint32Array {
  const sums = new Uint32Array(at.histogramBuckets);
  const { u32 } = core.kernel.views;
  for (let thread = 0; thread < at.threadsMax; thread++) {
    const block = at.threadTable + thread * at.threadBlockSize;
    const first = (block + at.threadHistograms) / 4 + histogram * at.histogramBuckets;
    for (let bucket = 0; bucket < at.histogramBuckets; bucket++) {
      sums[bucket] = (sums[bucket] as number) + (u32[first + bucket] as number);
    }
  }
  return sums;
}

function freeSegments(core: ThreadCore): number {
  const { verbs, geometry } = core.kernel;
  return verbs.freeSegments(geometry.segmentCount);
}

/** A count of live entries since the last clear; never below 0 while threads count without waiting for each other. */
function live(core: ThreadCore, counter: number, clearedAt: number): number {
  const cleared = core.kernel.views.f64[clearedAt / 8] as number;
  return Math.max(0, core.kernel.total(counter) - cleared);
}

function memoryGauges(core: ThreadCore): StatsGauges["memory"] {
  const { geometry } = core.kernel;
  const usedSegments = geometry.segmentCount - freeSegments(core);
  return {
    entries: live(core, counterMemoryEntries, at.controlClearedMemoryEntries),
    bytes: live(core, counterMemoryBytes, at.controlClearedMemoryBytes),
    limitBytes: core.config.memoryBytes,
    indexBytes: geometry.bucketCount * at.bucketSize,
    usedBytes: geometry.segmentBase + usedSegments * geometry.segmentBytes,
  };
}

function diskGauges(core: ThreadCore): StatsGauges["disk"] {
  const { kernel, config, handle } = core;
  if (config.disk === null || handle.disk === null) return null;
  const { geometry, views } = kernel;
  let segments = 0;
  let bytes = 0;
  for (let segment = 0; segment < geometry.diskSegmentCount; segment++) {
    const entry = geometry.diskTable + segment * at.diskEntrySize;
    const state = Atomics.load(views.i32, (entry + at.diskState) / 4);
    if (state !== at.diskOpen && state !== at.diskSealed) continue;
    segments += 1;
    bytes += views.u32[(entry + at.diskEndOffset) / 4] as number;
  }
  const isUp = Atomics.load(views.i32, at.controlDiskUp / 4) === 1;
  return {
    entries: live(core, counterDiskEntries, at.controlClearedDiskEntries),
    bytes,
    limitBytes: config.disk.capacityBytes,
    state: isUp ? "up" : "down",
    segments,
  };
}
