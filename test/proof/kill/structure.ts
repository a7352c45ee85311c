// What must hold in a cache's memory when none of its threads works: every lock free, every thread
// id accounted for, every segment in a valid state with an owner if it needs one, every slot naming
// a record that is there. Called by kill.ts.

import { flightFree } from "../../../src/kernel/flight-layout.js";
import * as at from "../../../src/kernel/layout.js";
import * as tagAt from "../../../src/kernel/tag-layout.js";
import type { CacheHandle } from "../../../src/mod.js";
import { flightStatesOf } from "../flight-words.js";

/** Faults in the memory of a cache whose threads stand still; `threads` is the number of ids that
 *  must be held. */
export function structureFaults(handle: CacheHandle, threads: number): string[] {
  const { buffer } = handle.worker.memory;
  const words = new Int32Array(buffer);
  const control = (offset: number): number => Atomics.load(words, offset / 4);
  const faults = [...threadFaults(control, threads), ...flightFaults(buffer, control)];
  return [
    ...faults,
    ...segmentFaults(control),
    ...indexFaults(buffer, control),
    ...tagFaults(control),
  ];
}

type Control = (offset: number) => number;

function threadFaults(control: Control, threads: number): string[] {
  const faults: string[] = [];
  let held = 0;
  for (let thread = 0; thread < at.threadsMax; thread++) {
    const block = at.threadTable + thread * at.threadBlockSize;
    if (control(block + at.threadState) !== 0) held += 1;
    if (control(block + at.threadRecoverer) !== 0)
      faults.push(`thread ${thread} is being recovered`);
    for (const pending of [at.threadTombstoneSegment0, at.threadTombstoneSegment1]) {
      if (control(block + pending) !== 0) faults.push(`thread ${thread} has a tombstone announced`);
    }
  }
  if (held !== threads) faults.push(`${held} thread ids are held, not ${threads}`);
  return faults;
}

function flightFaults(buffer: SharedArrayBuffer, control: Control): string[] {
  const faults: string[] = [];
  for (const [flight, state] of flightStatesOf(buffer).entries()) {
    if (state !== flightFree) faults.push(`flight ${flight} is in state ${state}`);
  }
  const isAnnounced = control(at.controlFlightThreads) | control(at.controlFlightThreads + 4);
  if (isAnnounced !== 0) faults.push("flights are announced that are not there");
  return faults;
}

function segmentFaults(control: Control): string[] {
  const faults: string[] = [];
  for (let segment = 0; segment < control(at.controlSegmentCount); segment++) {
    const word = control(at.segmentTable + segment * at.segmentEntrySize + at.segmentState);
    const state = word & at.segmentStateMask;
    if (state === at.segmentFree || state === at.segmentSealed) continue;
    const thread = (word >>> at.segmentThreadShift) - 1;
    if (state !== at.segmentOpen) faults.push(`segment ${segment} is stuck in state ${state}`);
    else if (thread < 0 || control(at.threadTable + thread * at.threadBlockSize) === 0) {
      faults.push(`segment ${segment} is open, and nobody's`);
    }
  }
  return faults;
}

function indexFaults(buffer: SharedArrayBuffer, control: Control): string[] {
  const faults: string[] = [];
  const slots = new BigUint64Array(buffer);
  const base = control(at.controlBucketBase);
  const segmentCount = control(at.controlSegmentCount);
  const offsets = BigInt(at.locationOffsetBits);
  const segments = BigInt(at.locationSegmentBits);
  for (let bucket = 0; bucket < control(at.controlBucketCount); bucket++) {
    const from = base + bucket * at.bucketSize;
    if (control(from) !== 0) faults.push(`bucket ${bucket} is locked by ${control(from) & 255}`);
    for (let slot = 1; slot <= at.bucketSlots; slot++) {
      const word = Atomics.load(slots, from / 8 + slot);
      if (word === 0n || ((word >> BigInt(at.slotTierShift)) & 1n) === 1n) continue;
      const segment = Number((word >> offsets) & ((1n << segments) - 1n));
      const entry = at.segmentTable + segment * at.segmentEntrySize;
      const generation = Number((word >> (offsets + segments)) & 0x7fffn);
      const state = control(entry + at.segmentState) & at.segmentStateMask;
      const isLive = segment < segmentCount && state !== at.segmentFree;
      if (!isLive || generation !== (control(entry + at.segmentGeneration) & 0x7fff)) {
        faults.push(`bucket ${bucket} names a record in segment ${segment}, which is not there`);
      }
    }
  }
  return faults;
}

function tagFaults(control: Control): string[] {
  const faults: string[] = [];
  for (let bucket = 0; bucket < control(at.controlTagBuckets); bucket++) {
    const word = control(control(at.controlTagBase) + bucket * tagAt.tagBucketSize);
    if (word !== 0) faults.push(`bucket ${bucket} of the tags is locked by ${word & 255}`);
  }
  if (control(at.controlTagLock) !== 0) faults.push("the lock of the tags file is taken");
  return faults;
}
