// The memory of a small cache and its threads, as they are at the beginning of every schedule of a
// scenario. Called by explorer.ts. Segments have 512 bytes and the index a few buckets, so that
// everything overflows within a few steps.

import { History } from "./history.js";
import type { InstrumentedKernel } from "./instrumented-kernel.js";
import { ModelDisk } from "./model-disk.js";
import type { Layout, Rooms } from "./rooms.js";
import { stackBytes, SteppedThread } from "./thread.js";
import * as tagAt from "../../../src/kernel/tag-layout.js";

export interface WorldOptions {
  readonly threads: number;
  readonly buckets?: number;
  readonly segments?: number;
  readonly segmentBytes?: number;
  readonly diskSegments?: number;
  /** Buckets of the tag table, at least 2. */
  readonly tagBuckets?: number;
}

/** Flights in the table: two windows, which are those of every key. */
const flightCount = 16;

/** 16-byte units of a segment file of the model. */
export const diskUnits = 64;

export class World {
  readonly rooms: Rooms;
  readonly at: Layout;
  readonly memory: WebAssembly.Memory;
  readonly threads: SteppedThread[] = [];
  readonly history: History = new History();
  readonly disk: ModelDisk;
  /** Ids of threads that died in this schedule. */
  readonly dead: Set<number> = new Set();
  readonly options: WorldOptions;
  readonly #kept: { readonly start: number; readonly bytes: Uint8Array }[] = [];
  readonly #u8: Uint8Array;

  constructor(rooms: Rooms, instrumented: InstrumentedKernel, options: WorldOptions) {
    this.rooms = rooms;
    this.options = options;
    const at = rooms.layout;
    this.at = at;
    const { buckets = 2, segments = 6, segmentBytes = 512, diskSegments = 0 } = options;
    const { tagBuckets = 2 } = options;
    const bucketBase = at.segmentTable + segments * at.segmentEntrySize + diskSegments * 64;
    const flightBase = bucketBase + buckets * at.bucketSize;
    const tagBase = flightBase + flightCount * (at.flightHashSize + at.flightSize);
    const tablesEnd = tagBase + tagBuckets * (tagAt.tagBucketSize + 1);
    const segmentBase = Math.ceil(tablesEnd / 4096) * 4096;
    const totalBytes = segmentBase + segments * segmentBytes;
    const stacks = stackBytes * options.threads;
    const requested = { memoryBytes: 2 ** 21, diskCapacityBytes: 0, diskSegmentBytes: 0 };
    const geometry = {
      ...rooms.kernel.divide({
        ...requested,
        diskSegmentCount: 0,
        remembersSets: false,
        policyBytes: 0,
        samples: false,
        loads: true,
      }),
      // The kernel needs at least 17 pages.
      totalBytes: Math.max(totalBytes + stacks + at.cacheLineSize, 15 * at.pageSize),
      segmentBytes,
      segmentCount: segments,
      segmentBase,
      bucketCount: buckets,
      bucketBase,
      flightBase,
      flightCount,
      tagBase,
      tagBuckets,
      diskTable: at.segmentTable + segments * at.segmentEntrySize,
      diskSegmentCount: diskSegments,
      diskSegmentUnits: diskUnits,
      reserveSegments: 1,
    };
    this.memory = rooms.kernel.createRegion(geometry, 7n, 0);
    this.#u8 = new Uint8Array(this.memory.buffer);
    this.disk = new ModelDisk(at);
    const plain = new WebAssembly.Module(rooms.kernelBytes);
    const stepping = new WebAssembly.Module(instrumented.bytes);
    // Behind the slack, where no reader can come.
    const firstStack = this.memory.buffer.byteLength - stacks;
    for (let thread = 0; thread < options.threads; thread++) {
      const stack = firstStack + thread * stackBytes;
      this.threads.push(new SteppedThread(this, instrumented, plain, stepping, stack));
    }
    this.#regions(totalBytes);
  }

  #regions(end: number): void {
    const { at } = this;
    const blocks = at.threadTable + this.options.threads * at.threadBlockSize;
    for (const [start, stop] of [
      [0, blocks],
      [at.schemaTable, end],
    ] as const) {
      this.#kept.push({ start, bytes: new Uint8Array(stop - start) });
    }
  }

  /** From here on every schedule begins in the present state. */
  keep(): void {
    for (const { start, bytes } of this.#kept) {
      bytes.set(this.#u8.subarray(start, start + bytes.length));
    }
    for (const thread of this.threads) thread.keep();
    this.history.keep();
    this.disk.keep();
  }

  reset(): void {
    for (const { start, bytes } of this.#kept) this.#u8.set(bytes, start);
    for (const thread of this.threads) thread.reset();
    this.history.reset();
    this.disk.reset();
    this.dead.clear();
  }
}
