// What must hold in memory when every thread is between two operations: nothing is locked, claimed
// or announced, each slot names a published record of its own key in a segment of that generation,
// and the counts agree. Called by explorer.ts after each schedule.

import { flightStatesOf } from "../flight-words.js";
import { alone } from "./suspension.js";
import type { World } from "./world.js";
import { flagDeletion } from "../../../src/record/record-layout.js";
import * as tagAt from "../../../src/kernel/tag-layout.js";

/** What happened in the schedule that makes a count inexact, though never wrong to a reader. */
export interface Excuses {
  /** A thread died, or an entry was removed without its lock: a home's count of displaced entries
   *  may be too high. */
  readonly hasDisturbed: boolean;
  /** Threads that died. */
  readonly dead: ReadonlySet<number>;
  /** Cleared entries leave the counts later. */
  readonly hasCleared: boolean;
  /** A thread died, and nobody has swept the index since: a slot may name a fill that it had not
   *  confirmed. */
  readonly isUnswept?: boolean;
  /** Everything was evicted, so nothing of an unfinished value in chunks may be there. */
  readonly isEvicted?: boolean;
}

/** The first fault, in words, or undefined. */
export function structureFault(world: World, excuses: Excuses): string | undefined {
  return (
    new Index(world, excuses).fault() ??
    segmentFault(world, excuses) ??
    announcedFault(world) ??
    tagFault(world, excuses)
  );
}

class Index {
  readonly #world: World;
  readonly #excuses: Excuses;
  readonly #u32: Uint32Array;
  readonly #u64: BigUint64Array;
  readonly #displaced: number[];
  readonly #keys = new Set<string>();
  readonly #classes = new Set<string>();
  readonly #chunks = new Set<string>();
  /** The chunks of each value in chunks, by its key. */
  readonly #values = new Map<string, readonly string[]>();
  #entries = 0;

  constructor(world: World, excuses: Excuses) {
    this.#world = world;
    this.#excuses = excuses;
    this.#u32 = new Uint32Array(world.memory.buffer);
    this.#u64 = new BigUint64Array(world.memory.buffer);
    const { bucketCount } = this.#geometry;
    this.#displaced = Array.from({ length: bucketCount }, () => 0);
  }

  get #geometry(): World["threads"][number]["kernel"]["geometry"] {
    return (this.#world.threads[0] as World["threads"][number]).kernel.geometry;
  }

  fault(): string | undefined {
    const { at } = this.#world;
    const { bucketCount, bucketBase } = this.#geometry;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const start = bucketBase + bucket * at.bucketSize;
      if (this.#u32[start / 4] !== 0) return `bucket ${bucket} is locked and nobody works`;
      for (let slot = 1; slot <= at.bucketSlots; slot++) {
        const word = this.#u64[start / 8 + slot] as bigint;
        const fault = word === 0n ? undefined : this.#slotFault(bucket, word);
        if (fault !== undefined) return `slot ${slot} of bucket ${bucket}: ${fault}`;
      }
    }
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      const word = (bucketBase + bucket * at.bucketSize + at.bucketDisplaced) / 4;
      const counted = this.#u32[word] as number;
      const there = this.#displaced[bucket] as number;
      const isExact = counted === there || (this.#excuses.hasDisturbed && counted > there);
      if (!isExact) return `bucket ${bucket} counts ${counted} displaced entries and has ${there}`;
    }
    return this.#countFault() ?? this.#partsFault();
  }

  #noteHead(key: string, bytes: Buffer): void {
    const { record, memory } = this.#world.rooms;
    const reader = new record.RecordReader(0, 0);
    reader.adopt(bytes);
    reader.parse(0);
    const large = memory.largeValueOf(reader);
    const numbers = Array.from({ length: large.chunks }, (_, number) => number);
    const keys = numbers.map((number) =>
      Buffer.from(memory.chunkKey(large, number)).toString("hex"),
    );
    this.#values.set(key, keys);
  }

  /** A value in chunks is there whole. What a dead thread left of one, or a thread that could not
   *  have a chunk's lock, may be there until eviction meets it. In memory only: with a disk tier,
   *  parts may be there. */
  #partsFault(): string | undefined {
    if (this.#geometry.diskSegmentCount > 0) return undefined;
    const wanted = new Set<string>();
    for (const [key, chunks] of this.#values) {
      for (const chunk of chunks) {
        if (!this.#chunks.has(chunk)) return `"${key}" has a head and lacks a chunk`;
        wanted.add(chunk);
      }
    }
    const { rooms, threads } = this.#world;
    const timeouts = threads[0]?.kernel.total(rooms.stats.counterLockTimeouts) ?? 0;
    const mayHaveRest = this.#excuses.hasDisturbed || timeouts > 0;
    if (mayHaveRest && this.#excuses.isEvicted !== true) return undefined;
    for (const chunk of this.#chunks) if (!wanted.has(chunk)) return `chunk ${chunk} has no head`;
    return undefined;
  }

  #countFault(): string | undefined {
    if (this.#excuses.hasCleared || this.#excuses.hasDisturbed) return undefined;
    const { rooms, threads } = this.#world;
    const { counterMemoryEntries, counterNegativeAnswers } = rooms.stats;
    const total = (counter: number): number => threads[0]?.kernel.total(counter) ?? 0;
    const counted = total(counterMemoryEntries) + total(counterNegativeAnswers);
    if (counted === this.#entries) return undefined;
    return `the counters say ${counted} entries in memory, the index has ${this.#entries}`;
  }

  #slotFault(bucket: number, word: bigint): string | undefined {
    const { at } = this.#world;
    const { bucketCount } = this.#geometry;
    const fingerprint = Number(word >> BigInt(at.slotFingerprintShift));
    const isDisplaced = ((word >> BigInt(at.slotDisplacedShift)) & 1n) === 1n;
    const distance = 1 + ((Math.imul(fingerprint, 0x9e3779b1) >>> 0) % (bucketCount - 1));
    const home = isDisplaced ? (bucket - distance + bucketCount) % bucketCount : bucket;
    if (isDisplaced) this.#displaced[home] = (this.#displaced[home] as number) + 1;
    const location = Number(word & ((1n << BigInt(at.slotLocationBits)) - 1n));
    const isDisk = ((word >> BigInt(at.slotTierShift)) & 1n) === 1n;
    return isDisk
      ? this.#diskFault(home, fingerprint, location)
      : this.#memoryFault(home, fingerprint, location);
  }

  #memoryFault(home: number, fingerprint: number, location: number): string | undefined {
    const { at, threads } = this.#world;
    const { segmentBase, segmentBytes, bucketCount } = this.#geometry;
    const segment = Math.floor(location / 2 ** at.locationOffsetBits) % 2 ** at.locationSegmentBits;
    const generation = Math.floor(location / 2 ** (at.locationOffsetBits + at.locationSegmentBits));
    const offset = (location % 2 ** at.locationOffsetBits) * 8;
    const entry = (at.segmentTable + segment * at.segmentEntrySize) / 4;
    const state = (this.#u32[entry] as number) & at.segmentStateMask;
    if (state === at.segmentFree) return `names segment ${segment}, which is free`;
    if (((this.#u32[entry + at.segmentGeneration / 4] as number) & 0x7fff) !== generation) {
      return `names an earlier generation of segment ${segment}`;
    }
    if (offset >= (this.#u32[entry + at.segmentWriteOffset / 4] as number)) {
      return `names bytes of segment ${segment} that nobody has reserved`;
    }
    const bytes = Buffer.from(this.#u32.buffer, segmentBase + segment * segmentBytes + offset);
    const sequence = bytes.readUIntLE(8, 6);
    if (sequence === 0) {
      return this.#excuses.isUnswept === true ? undefined : "names a record that was not published";
    }
    const keyStart = 24 + bytes.readUInt8(14) * 8;
    const keyBytes = bytes.subarray(keyStart, keyStart + bytes.readUInt16LE(4) + 1);
    const { isChunk, isHead } = this.#world.rooms.record;
    const flags = bytes.readUInt8(7);
    const space = bytes.readUInt8(3);
    const named = isChunk(flags) ? keyBytes.toString("hex") : keyBytes.toString("utf8");
    const key = space === 0 ? named : `${space}:${named}`;
    const { kernel, control, verbs } = threads[0] as World["threads"][number];
    const scratch = kernel.block + at.threadKeyScratch;
    kernel.views.u8.set(keyBytes, scratch);
    alone(verbs.hashKey(scratch, keyBytes.length + space * 2 ** at.extentSpaceShift));
    const low = this.#u32[(kernel.block + at.resultHashLow) / 4] as number;
    const high = this.#u32[(kernel.block + at.resultHashHigh) / 4] as number;
    if ((low & 0xffff || 1) !== fingerprint) return `names "${key}", another fingerprint's`;
    if (Number((BigInt(high) * BigInt(bucketCount)) >> 32n) !== home) {
      return `names "${key}", another bucket's`;
    }
    if (sequence <= alone(control.clearEpochOf(space))) return undefined;
    const isDeletion = (flags & flagDeletion) === flagDeletion;
    if (!isChunk(flags) && !isDeletion) this.#entries += 1;
    if (this.#keys.has(key)) return `is the second of "${key}"`;
    this.#keys.add(key);
    if (isChunk(flags)) this.#chunks.add(key);
    if (isHead(flags)) this.#noteHead(key, bytes.subarray(0, bytes.readUIntLE(0, 3)));
    return this.#flushFault(bytes, entry, offset) ?? this.#copyFault(bytes);
  }

  /** A record that its segment says was flushed has a copy on disk: in a scenario nothing refuses
   *  it. */
  #flushFault(bytes: Buffer, entry: number, offset: number): string | undefined {
    const { at } = this.#world;
    if (offset >= (this.#u32[entry + at.segmentFlushedOffset / 4] as number)) return undefined;
    if (this.#u32[entry + at.segmentDiskCopyLost / 4] !== 0) return undefined;
    if ((bytes.readUInt8(7) & 1) !== 0 && bytes.readBigUInt64LE(24) !== 0n) return undefined;
    return "names a record that counts as flushed and is not on disk";
  }

  /** A record that says it has a copy on disk has one, its own, and that copy is not dead. */
  #copyFault(bytes: Buffer): string | undefined {
    if ((bytes.readUInt8(7) & 1) === 0) return undefined;
    const location = Number(bytes.readBigUInt64LE(24));
    if (location === 0 || this.#excuses.dead.size > 0) return undefined;
    const sequence = bytes.readUIntLE(8, 6);
    return this.#locationFault(location, "names a record with a disk location", sequence);
  }

  #diskFault(home: number, fingerprint: number, location: number): string | undefined {
    const name = `${home}:${fingerprint}`;
    if (this.#classes.has(name)) return "is the second disk slot of its class";
    this.#classes.add(name);
    return this.#excuses.dead.size > 0
      ? undefined
      : this.#locationFault(location, "names a disk location");
  }

  #locationFault(location: number, subject: string, sequence?: number): string | undefined {
    const { disk, at } = this.#world;
    const segment = disk.segmentOf(location, this.#geometry.diskSegmentUnits);
    const entry = this.#geometry.diskTable + segment * at.diskEntrySize;
    if (this.#u32[entry / 4] === at.diskFree) return `${subject} in a free segment file`;
    const nonce = this.#u32[(entry + at.diskNonce) / 4] as number;
    const copy = disk.read(location, nonce);
    if (copy === undefined) return `${subject} that was never written`;
    // What is quarantined is void for the next session, and empty before the tier writes again.
    const isVoid = this.#u32[entry / 4] === at.diskQuarantined;
    if (!isVoid && disk.dead.has(`${location}:${nonce}`)) return `${subject} that has a tombstone`;
    if (sequence === undefined || copy.readUIntLE(8, 6) === sequence) return undefined;
    return `${subject} where another record is`;
  }
}

function segmentFault(world: World, excuses: Excuses): string | undefined {
  const { at, memory, threads } = world;
  const words = new Uint32Array(memory.buffer);
  const { segmentCount } = (threads[0] as World["threads"][number]).kernel.geometry;
  for (let segment = 0; segment < segmentCount; segment++) {
    const entry = (at.segmentTable + segment * at.segmentEntrySize) / 4;
    const state = (words[entry] as number) & at.segmentStateMask;
    if (state === at.segmentEvicting) return `segment ${segment} is claimed and nobody works`;
    if (words[entry + at.segmentPin / 4] !== 0 && excuses.dead.size === 0) {
      return `segment ${segment} is pinned and nobody reads it`;
    }
    if (state !== at.segmentOpen) continue;
    const hasOwner = threads.some(({ kernel }, thread) => {
      if (excuses.dead.has(thread)) return false;
      const open = [at.threadOpenSegment, at.threadOpenMainSegment];
      return open.some((word) => words[(kernel.block + word) / 4] === segment + 1);
    });
    if (!hasOwner) return `segment ${segment} is open and nobody's`;
  }
  return undefined;
}

function announcedFault(world: World): string | undefined {
  const { at, memory, threads } = world;
  const words = new Uint32Array(memory.buffer);
  for (const { kernel } of threads) {
    for (const index of [0, 1]) {
      if (words[(kernel.block + at.threadTombstoneSegment0) / 4 + index] === 0) continue;
      return `thread ${kernel.thread} announces a tombstone and nobody works`;
    }
  }
  for (const [flight, state] of flightStatesOf(memory.buffer).entries()) {
    if (state !== at.flightFree) {
      return `flight ${flight} is under way and nobody works`;
    }
  }
  const flying = at.controlFlightThreads / 4;
  const isFlying = words[flying] !== 0 || words[flying + 1] !== 0;
  return isFlying ? "a thread counts as flying, and none is" : undefined;
}

/** No lock of the tag table is taken, no tag has two slots, and its counts agree. */
function tagFault(world: World, { hasDisturbed }: Excuses): string | undefined {
  const { at, memory, threads } = world;
  const { tagBase, tagBuckets } = (threads[0] as World["threads"][number]).kernel.geometry;
  const words = new Uint32Array(memory.buffer);
  const wide = new BigUint64Array(memory.buffer);
  const displaced = Array.from({ length: tagBuckets }, () => 0);
  const tags = new Set<bigint>();
  for (let bucket = 0; bucket < tagBuckets; bucket++) {
    const start = tagBase + bucket * tagAt.tagBucketSize;
    if (words[start / 4] !== 0) return `bucket ${bucket} of the tags is locked and nobody works`;
    for (let slot = 0; slot < tagAt.tagBucketSlots; slot++) {
      const hash = wide[(start + tagAt.tagHashes) / 8 + slot] as bigint;
      const sequence = wide[(start + tagAt.tagSequences) / 8 + slot] as bigint;
      if (hash === 0n && sequence !== 0n) return "a free slot of the tags has a sequence";
      if (hash === 0n) continue;
      if (sequence === 0n && !hasDisturbed) return "a tag was never invalidated";
      const newest = wide[at.controlTagNewest / 8] as bigint;
      if (sequence > newest && !hasDisturbed) return "a tag is above the newest";
      if (tags.has(hash)) return `tag ${hash} has two slots`;
      tags.add(hash);
      const home = Number(((hash >> 32n) * BigInt(tagBuckets)) >> 32n);
      if (home !== bucket) displaced[home] = (displaced[home] as number) + 1;
      const filter = new Uint8Array(
        memory.buffer,
        tagBase + tagBuckets * tagAt.tagBucketSize + home,
        1,
      );
      if (((filter[0] as number) & (1 << Number(hash & 7n))) === 0) return "the filter hides a tag";
    }
  }
  for (const [bucket, there] of displaced.entries()) {
    const counted = words[(tagBase + bucket * tagAt.tagBucketSize + tagAt.tagBucketDisplaced) / 4];
    const isExact = counted === there || (hasDisturbed && (counted as number) > there);
    if (!isExact) return `bucket ${bucket} counts ${counted} displaced tags and has ${there}`;
  }
  const tracked = words[at.controlTagsTracked / 4] as number;
  if (tracked === tags.size || (hasDisturbed && tracked > tags.size)) return undefined;
  return `${tracked} tags count as tracked, and ${tags.size} are`;
}
