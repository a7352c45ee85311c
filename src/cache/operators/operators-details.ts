// What operators are told beside the statistics: segments, threads, the policy. It only reads
// shared words, one by one, so parts may be a few operations apart. Called by operators-side.ts.
import type { ThreadCore } from "../../entries/mod.js";
import { policyOver } from "../../eviction/mod.js";
import { codes, holderOf, workerIdOf } from "../../kernel/mod.js";
import {
  type Details,
  type MappedSegment,
  segmentMap,
  type ThreadUse,
} from "../../operators/mod.js";
import * as counter from "../../stats/mod.js";

export function detailsOf(core: ThreadCore): Details {
  const { kernel, config, handle } = core;
  const { policy: name, worth } = config.eviction;
  return {
    memory: memoryMap(core),
    disk: handle.disk === null ? null : diskMap(core, handle.disk.segmentBytes),
    threads: threadsOf(core),
    policy: { name, worth, setting: { ...policyOver(kernel).setting } },
  };
}

function memoryMap({ kernel }: ThreadCore) {
  const { segments, geometry } = kernel;
  return segmentMap(geometry.segmentCount, geometry.segmentBytes, (segment) => {
    const state = memoryState(segments.state(segment));
    const usedBytes = state === "free" ? 0 : segments.writeOffset(segment);
    const liveBytes = Math.max(0, usedBytes - segments.deadBytes(segment));
    return { state, usedBytes, liveBytes };
  });
}

function memoryState(state: number): MappedSegment["state"] {
  if (state === codes.segmentFree) return "free";
  if (state === codes.segmentOpen) return "open";
  return state === codes.segmentSealed ? "sealed" : "other";
}

function diskMap({ kernel }: ThreadCore, segmentBytes: number) {
  const { diskSegments } = kernel;
  return segmentMap(diskSegments.count(), segmentBytes, (segment) => {
    const state = diskState(diskSegments.state(segment));
    const usedBytes = state === "free" ? 0 : diskSegments.endOffset(segment);
    const records = diskSegments.recordCount(segment);
    const kept = Math.max(0, records - diskSegments.tombstoneCount(segment));
    const liveBytes = records === 0 ? 0 : Math.round((usedBytes * kept) / records);
    return { state, usedBytes, liveBytes };
  });
}

function diskState(state: number): MappedSegment["state"] {
  if (state === codes.diskFree) return "free";
  if (state === codes.diskOpen) return "open";
  return state === codes.diskSealed ? "sealed" : "other";
}

function threadsOf({ kernel, handle }: ThreadCore): ThreadUse[] {
  const threads: ThreadUse[] = [];
  for (let id = 0; id < codes.threadsMax; id++) {
    if (holderOf(kernel, id) === null) continue;
    const total = (number: number): number =>
      kernel.counters.of(id, number) +
      counter.threadTotal(handle.spaceCounts, codes.namespacesMax + 1, id, number);
    const hits =
      total(counter.counterNearHits) +
      total(counter.counterMemoryHits) +
      total(counter.counterDiskHits);
    threads.push({
      id,
      workerId: workerIdOf(kernel, id),
      isPool: id >= codes.userThreadsMax,
      requests: hits + total(counter.counterMisses),
      hits,
      loads: total(counter.counterLoads),
      sets: total(counter.counterSetsStored),
    });
  }
  return threads;
}
