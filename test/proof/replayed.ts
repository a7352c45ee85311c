// Replays a trace through a real cache in memory (real sets and gets, real segments, the janitor in
// its worker) and through the model of the segmented log that the simulator runs, both of one size.
// Called by the replay proof and a test. The size is in whole segments: the engine keeps some free,
// so it counts what it can hold beside those.

import { policyBytesFor, watermarkOf } from "../../src/eviction/mod.js";
import * as at from "../../src/kernel/layout.js";
import { divide } from "../../src/kernel/mod.js";
import { type Cache, type PolicyName, openCache } from "../../src/mod.js";
import { LogPolicy, modelSegments, SegmentedLog, settingOf, Tuner } from "../../src/policy/mod.js";
import type { Trace } from "./trace.js";

const KiB = 1024;
const keyBytes = 10;
const headerBytes = 24;
/** Values of many sizes stay below a quarter of a segment, which is where chunks begin. */
const recordsPerSegmentMin = 4;
/** A set may find its key's lock held by a janitor that has no processor; it is tried so often, ten
 *  milliseconds apart. */
const overloadTurns = 100;

export const replayedPolicies: readonly PolicyName[] = [
  "auto",
  "s3-fifo",
  "lfu",
  "lru",
  "sieve",
  "fifo",
];

export interface Replay {
  readonly policy: PolicyName;
  /** Entries that the cache must hold; rounded to a multiple of the model's segments. With fewer
   *  than four times as many as the model has segments, the values are written in chunks. */
  readonly entries: number;
  /** Values of the sizes in the trace (scaled to the cache), or all of one size. */
  readonly sized: boolean;
  /** Whether values are kept near. Most hits are then near, and the policy must see enough of
   *  them. */
  readonly near: boolean;
}

export interface Outcome {
  readonly capacity: number;
  readonly engine: number;
  readonly model: number;
}

/** Memory that gives as many segments as the model has, beside those that are kept free. */
function memoryFor(policy: PolicyName): number {
  for (let memoryBytes = 4096 * KiB; memoryBytes < 8192 * KiB; memoryBytes += 16 * KiB) {
    const geometry = divide({
      memoryBytes,
      diskCapacityBytes: 0,
      diskSegmentCount: 0,
      diskSegmentBytes: 0,
      remembersSets: false,
      policyBytes: policyBytesFor(policy, memoryBytes),
      samples: policy === "auto",
      loads: true,
    });
    if (geometry.segmentCount - watermarkOf(geometry) === modelSegments) return memoryBytes;
  }
  throw new RangeError("Cannot replay: no memory gives as many segments as the model has");
}

function isChunked({ entries }: Replay): boolean {
  return entries < recordsPerSegmentMin * modelSegments;
}

/** Bytes of each key's record, or of its value in chunks and the head: header, key and value, as
 *  the log aligns it. */
function recordBytesOf(trace: Trace, replay: Replay, segmentBytes: number): Uint32Array {
  if (isChunked(replay)) {
    const bytes = Math.floor((segmentBytes * modelSegments) / replay.entries) & ~7;
    return new Uint32Array(trace.sizes.length).fill(bytes);
  }
  const perSegment = Math.round(replay.entries / modelSegments);
  const mean = Math.floor(segmentBytes / perSegment) & ~7;
  if (!replay.sized) return new Uint32Array(trace.sizes.length).fill(mean);
  let sum = 0;
  for (const size of trace.sizes) sum += size;
  const scale = (mean * trace.sizes.length) / sum;
  const least = headerBytes + keyBytes + 1;
  const most = segmentBytes / recordsPerSegmentMin;
  return trace.sizes.map((size) => {
    return (Math.min(most, Math.max(least, Math.round(size * scale))) + 7) & ~7;
  });
}

export async function replay(trace: Trace, settings: Replay): Promise<Outcome> {
  const memory = memoryFor(settings.policy);
  const near = settings.near
    ? ({ maxEntries: trace.sizes.length, maxBytes: "1gb" } as const)
    : false;
  const cache = await openCache({ memory, eviction: settings.policy, near });
  try {
    const { memory: shared } = cache.handle().worker;
    const words = new Int32Array(shared.buffer);
    const segmentBytes = words[at.controlSegmentBytes / 4] as number;
    const sizes = recordBytesOf(trace, settings, segmentBytes);
    const engine = replayEngine(cache, trace, sizes, words);
    const fill =
      settings.sized || isChunked(settings)
        ? meanFill(words)
        : Math.floor(segmentBytes / (sizes[0] as number)) * (sizes[0] as number);
    const capacity = Math.floor(fill * modelSegments);
    const model = replayModel(trace, sizes, capacity, settings.policy, memory);
    return { capacity, engine, model };
  } finally {
    await cache.close();
  }
}

/** The miss ratio of the cache. After each set it waits until the janitor has made room, as a
 *  service's event loop would. */
function replayEngine(cache: Cache, trace: Trace, sizes: Uint32Array, words: Int32Array): number {
  const value = new Uint8Array(Math.max(...unique(sizes)));
  const sleep = new Int32Array(new SharedArrayBuffer(4));
  const segmentCount = words[at.controlSegmentCount / 4] as number;
  const reserve = words[at.controlReserve / 4] as number;
  const watermark = watermarkOf({ segmentCount, reserveSegments: reserve } as never);
  const names = Array.from(sizes, (_, key) => String(key).padStart(keyBytes, "k"));
  let misses = 0;
  for (const key of trace.keys) {
    const name = names[key] as string;
    if (cache.getSync(name) !== undefined) {
      while (isRingFilling(words)) Atomics.wait(sleep, 0, 0, 0.05);
      continue;
    }
    misses += 1;
    const bytes = (sizes[key] as number) - headerBytes - keyBytes;
    let outcome = cache.set(name, value.subarray(0, bytes));
    for (let turn = 0; outcome === "overloaded" && turn < overloadTurns; turn++) {
      Atomics.wait(sleep, 0, 0, 10);
      outcome = cache.set(name, value.subarray(0, bytes));
    }
    if (outcome !== "stored") throw new Error(`a set of the replay was ${outcome}`);
    while (freeSegments(words) < watermark || isRingFilling(words)) {
      Atomics.wait(sleep, 0, 0, 0.05);
    }
  }
  return misses / trace.keys.length;
}

function freeSegments(words: Int32Array): number {
  let free = 0;
  for (let segment = 0; segment < (words[at.controlSegmentCount / 4] as number); segment++) {
    const entry = (at.segmentTable + segment * at.segmentEntrySize) / 4;
    if ((Atomics.load(words, entry) & at.segmentStateMask) === at.segmentFree) free += 1;
  }
  return free;
}

/** Whether the tuner lags behind the requests of this thread, the opener, which has the first
 *  thread id. */
function isRingFilling(words: Int32Array): boolean {
  const head = Atomics.load(words, (at.threadTable + at.threadSampleHead) / 4);
  const tail = Atomics.load(words, (at.threadTable + at.threadSampleTail) / 4);
  return (head - tail) * 2 > (words[at.controlSampleSlots / 4] as number);
}

function unique(sizes: Uint32Array): number[] {
  return [...new Set(sizes)];
}

/** Bytes that sealed segments hold on average: the last record of a segment leaves some unused. */
function meanFill(words: Int32Array): number {
  let [sum, count] = [0, 0];
  for (let segment = 0; segment < (words[at.controlSegmentCount / 4] as number); segment++) {
    const entry = (at.segmentTable + segment * at.segmentEntrySize) / 4;
    if ((Atomics.load(words, entry) & at.segmentStateMask) !== at.segmentSealed) continue;
    sum += words[entry + at.segmentWriteOffset / 4] as number;
    count += 1;
  }
  return sum / Math.max(1, count);
}

function replayModel(
  trace: Trace,
  sizes: Uint32Array,
  capacity: number,
  name: PolicyName,
  memory: number,
): number {
  const bytes = policyBytesFor(name, memory);
  const policy = new LogPolicy({ capacity, buffer: new ArrayBuffer(bytes), offset: 0, bytes });
  policy.adopt(settingOf(name));
  const keys = sizes.length;
  const hashes = Uint32Array.from({ length: keys }, (_, key) => mixed(key));
  const log = new SegmentedLog(policy, { capacity, keys, hashes });
  const entries = Math.round(capacity / mean(sizes));
  const tuner = name === "auto" ? new Tuner({ capacity, entries }) : undefined;
  let misses = 0;
  for (const key of trace.keys) {
    if (!log.hit(key)) {
      misses += 1;
      log.insert(key, sizes[key] as number);
    }
    if (tuner === undefined || (mixed(~key) & tuner.sampleMask) !== 0) continue;
    if (tuner.observe(hashes[key] as number, sizes[key] as number)) policy.adopt(tuner.setting);
  }
  return misses / trace.keys.length;
}

function mean(sizes: Uint32Array): number {
  return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}

function mixed(key: number): number {
  let hash = Math.imul(key ^ (key >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
