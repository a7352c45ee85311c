// A small cache memory and threads of the kernel over it, without the memory tier. Used by the
// tests of the kernel.

import { readFileSync } from "node:fs";

import { flightFree } from "../../dist/src/kernel/flight-layout.js";
import * as at from "../../dist/src/kernel/layout.js";
import { createRegion, divide, type Geometry, Kernel } from "../../dist/src/kernel/mod.js";
import { flightStatesOf } from "../../dist/test/proof/flight-words.js";
import {
  flagDiskLocation,
  flagExpires,
  flagTags,
  recordHeaderSize,
} from "../../dist/src/record/mod.js";

export const MiB = 1024 * 1024;

/** All builds: the checked one, which traps when a protocol's assumption does not hold, and the two
 *  that are shipped, with fences and, for machines of total store order, without. */
export const builds = ["kernel-checked.wasm", "kernel.wasm", "kernel-tso.wasm"] as const;

export function bytesOf(build: string): Uint8Array {
  return readFileSync(new URL(`../../dist/test/kernel/${build}`, import.meta.url));
}

export interface OpenOptions {
  readonly build?: string;
  readonly memoryBytes?: number;
  /** Disk segments of 1 MiB; 0 = memory only. */
  readonly diskSegments?: number;
  /** A number of buckets other than `divide`'s, so that an index overflows early. */
  readonly bucketCount?: number;
  /** Likewise for the buckets of the tag table. */
  readonly tagBuckets?: number;
  readonly seed?: bigint;
  /** A map's memory, in which no entry is evicted for another. */
  readonly neverEvicts?: boolean;
}

export interface Opened {
  readonly geometry: Geometry;
  readonly memory: ConstructorParameters<typeof WebAssembly.Instance>[1]["env"]["memory"];
  readonly module: WebAssembly.Module;
  /** Attaches another thread. All of them run in this one, which makes no difference to the
   *  kernel. */
  thread(): Thread;
  /** Attaches a worker of the pool. */
  poolThread(): Thread;
}

/** Makes the memory of a cache. */
export function openMemory(options: OpenOptions = {}): Opened {
  const diskSegmentCount = options.diskSegments ?? 0;
  const divided = divide({
    memoryBytes: options.memoryBytes ?? MiB,
    diskCapacityBytes: diskSegmentCount * MiB,
    diskSegmentCount,
    diskSegmentBytes: diskSegmentCount > 0 ? MiB : 0,
    remembersSets: false,
    policyBytes: 0,
    samples: false,
    loads: true,
  });
  const geometry = {
    ...divided,
    bucketCount: options.bucketCount ?? divided.bucketCount,
    tagBuckets: options.tagBuckets ?? divided.tagBuckets,
  };
  const memory = createRegion(
    geometry,
    options.seed ?? 7n,
    0,
    options.neverEvicts === true ? "map" : "cache",
  );
  const module = new WebAssembly.Module(bytesOf(options.build ?? builds[0]));
  return {
    geometry,
    memory,
    module,
    thread: () => new Thread(Kernel.attach(module, memory)),
    poolThread: () => new Thread(Kernel.attach(module, memory, "pool")),
  };
}

/** The only thread of its own memory. */
export function openThread(options: OpenOptions = {}): Thread {
  return openMemory(options).thread();
}

export interface PutOptions {
  readonly flight?: number;
  readonly expiresMs?: number;
  readonly log?: number;
  /** A tags field, as TagTable.encode makes it. */
  readonly tags?: Uint8Array;
}

/** What find answered, with its results. */
export interface Found {
  readonly answer: number;
  readonly slot: number;
  readonly low: number;
  readonly high: number;
  readonly record: number;
  readonly size: number;
  readonly sequence: number;
  readonly location: number;
}

/** One thread's kernel, with keys and values as strings. */
export class Thread {
  readonly kernel: Kernel;
  readonly verbs: Kernel["verbs"];
  readonly #hasDisk: boolean;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.verbs = kernel.verbs;
    this.#hasDisk = kernel.geometry.diskSegmentCount > 0;
  }

  /** Writes a key to the thread's scratch; its offset and length are the first arguments of the
   *  verbs. */
  key(key: string | Uint8Array): [number, number] {
    const bytes = typeof key === "string" ? Buffer.from(key) : key;
    const offset = this.kernel.block + at.threadKeyScratch;
    this.kernel.views.u8.set(bytes, offset);
    return [offset, bytes.length];
  }

  word(offset: number): number {
    return this.kernel.views.u32[(this.kernel.block + offset) / 4] as number;
  }

  double(offset: number): number {
    return this.kernel.views.f64[(this.kernel.block + offset) / 8] as number;
  }

  control(offset: number): number {
    return Atomics.load(this.kernel.views.i32, offset / 4);
  }

  /** The hash of a key, as the kernel computes it. */
  hash(key: string | Uint8Array): bigint {
    const [low, high] = this.hashWords(key);
    return BigInt(low) | (BigInt(high) << 32n);
  }

  /** Its two halves, as the verbs that begin a flight take them. */
  hashWords(key: string | Uint8Array): [low: number, high: number] {
    this.verbs.hashKey(...this.key(key));
    return [this.word(at.resultHashLow), this.word(at.resultHashHigh)];
  }

  /** The home bucket of a key. */
  home(key: string): number {
    const { bucketCount } = this.kernel.geometry;
    return Number(((this.hash(key) >> 32n) * BigInt(bucketCount)) >> 32n);
  }

  /** Byte offset of a bucket. */
  bucketAt(bucket: number): number {
    return this.kernel.geometry.bucketBase + bucket * at.bucketSize;
  }

  /** A slot's word. */
  slotWord(slot: number): bigint {
    const offset = this.kernel.geometry.bucketBase + slot * 8;
    return new BigUint64Array(this.kernel.views.u8.buffer, offset, 1)[0] as bigint;
  }

  /** Reserves a record and writes everything but its header; undefined if there is no segment. */
  append(key: string, value: string, options: PutOptions = {}): Record | undefined {
    const { u8, f64 } = this.kernel.views;
    const keyBytes = Buffer.from(key);
    const expires = options.expiresMs !== undefined;
    const { tags = new Uint8Array(0) } = options;
    const units = (this.#hasDisk ? 1 : 0) + (expires ? 1 : 0) + tags.length / 8;
    const size = recordHeaderSize + units * 8 + keyBytes.length + Buffer.byteLength(value);
    const offset = this.verbs.reserve(size, options.log ?? at.logSmall, 0) >>> 0;
    if (offset === 0) return undefined;
    let field = (offset + recordHeaderSize) / 8;
    if (this.#hasDisk) f64[field++] = 0;
    if (expires) f64[field++] = options.expiresMs;
    u8.set(tags, field * 8);
    const keyStart = offset + recordHeaderSize + units * 8;
    u8.set(keyBytes, keyStart);
    u8.set(Buffer.from(value), keyStart + keyBytes.length);
    const times = (this.#hasDisk ? flagDiskLocation : 0) | (expires ? flagExpires : 0);
    const flags = times | (tags.length > 0 ? flagTags : 0);
    return { offset, size, keyLength: keyBytes.length, flags, units };
  }

  publish(record: Record, flight: number = -1): number {
    const { offset, keyLength, flags, units } = record;
    return this.verbs.publish(offset, keyLength, 0, flags, units, 1000, flight + 1, 0, 0);
  }

  /** Writes an entry; returns publish's answer, or answerNoRoom if there is no segment. */
  put(key: string, value: string, options: PutOptions = {}): number {
    const record = this.append(key, value, options);
    return record === undefined ? at.answerNoRoom : this.publish(record, options.flight);
  }

  find(key: string, touch: boolean = false): Found {
    const answer = this.verbs.find(...this.key(key), 0, 0, touch ? 1 : 0);
    const isDisk = answer <= at.answerDisk;
    return {
      answer,
      slot: isDisk ? at.answerDisk - answer : answer,
      low: this.word(at.resultSlotLow),
      high: this.word(at.resultSlotHigh),
      record: this.word(at.resultRecord),
      size: this.word(at.resultRecordSize),
      sequence: this.double(at.resultSequence),
      location: this.double(at.resultLocation),
    };
  }

  /** The value of a key in memory, or undefined. */
  get(key: string): string | undefined {
    const found = this.find(key);
    if (found.answer < 0) return undefined;
    const valueAt = this.word(at.resultKeyOffset) + Buffer.byteLength(key);
    const bytes = this.kernel.views.u8.slice(found.record + valueAt, found.record + found.size);
    return Buffer.from(bytes).toString();
  }

  remove(key: string): number {
    return this.verbs.remove(...this.key(key), 0, 0);
  }

  /** Seals what is open; returns the number of the segment that holds a record. */
  seal(record: number): number {
    this.verbs.sealOpen(at.logSmall);
    this.verbs.sealOpen(at.logMain);
    const { segmentBase, segmentBytes } = this.kernel.geometry;
    return Math.floor((record - segmentBase) / segmentBytes);
  }

  segmentWord(segment: number, field: number): number {
    return this.control(at.segmentTable + segment * at.segmentEntrySize + field);
  }

  /** A segment's state, without the thread that has it open or empties it. */
  segmentState(segment: number): number {
    return this.segmentWord(segment, at.segmentState) & at.segmentStateMask;
  }

  /** The id + 1 of the thread that has a segment open or empties it, 0 = none. */
  segmentThread(segment: number): number {
    return this.segmentWord(segment, at.segmentState) >>> at.segmentThreadShift;
  }

  /** Taken entries of the flight table. A thread that has one is marked, unless all of its flights
   *  are done. */
  flightsTaken(): number {
    const states = flightStatesOf(this.kernel.views.u8.buffer);
    return states.filter((state) => state !== flightFree).length;
  }

  /** Whether writes look at the flight table. */
  announcesFlights(): boolean {
    const words = new BigUint64Array(this.kernel.views.u8.buffer);
    return Atomics.load(words, at.controlFlightThreads / 8) !== 0n;
  }

  freeSegments(): number {
    return this.verbs.freeSegments(this.kernel.geometry.segmentCount);
  }

  /** Empties and frees a sealed segment, dropping every record. */
  evict(segment: number): void {
    if (this.verbs.claimSegment(segment) !== 1) throw new Error(`segment ${segment} is not sealed`);
    const { segmentBase, segmentBytes } = this.kernel.geometry;
    const base = segmentBase + segment * segmentBytes;
    const end = base + this.segmentWord(segment, at.segmentWriteOffset);
    for (let record = base; record < end;) {
      this.verbs.dropRecord(record);
      record += ((this.kernel.views.u32[record / 4] as number) + 7) & ~7;
    }
    this.verbs.freeSegment(segment);
  }
}

/** A record that is reserved and filled, not published. */
export interface Record {
  readonly offset: number;
  readonly size: number;
  readonly keyLength: number;
  readonly flags: number;
  readonly units: number;
}
