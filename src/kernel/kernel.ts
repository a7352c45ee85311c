// One thread's instance of the kernel over a cache's shared memory, with the views through which TypeScript reads it.
// The module is compiled once by the owner and posted to other threads, so that attaching takes no compilation.
import { readFileSync } from "node:fs";
import { UndercroftError } from "../base/mod.js";
import * as at from "./layout.js";
import { geometryOf, type Geometry } from "./region.js";
import {
  takeOverThreadId,
  claimThread,
  deadHolderOf,
  lockWordOf,
  reconcileThread,
  type ThreadHolder,
} from "./thread-table.js";

/** The kernel's verbs; each is described where it is written, in assembly/. */
export interface KernelVerbs {
  readonly attach: (thread: number) => void;
  readonly hashKey: (key: number, length: number) => void;
  readonly findNear: (key: number, length: number) => number;
  readonly mayKeepNear: () => number;
  readonly lastInvalidation: () => number;
  readonly noteEpoch: () => void;
  readonly readInvalidations: (seen: number) => number;
  readonly find: (key: number, length: number, touch: number) => number;
  readonly validate: (slot: number, low: number, high: number) => number;
  readonly touch: (slot: number, low: number, high: number) => number;
  readonly reserve: (bytes: number, log: number, privileged: number) => number;
  readonly stage: (bytes: number, log: number, privileged: number) => number;
  readonly publish: (
    record: number,
    keyLength: number,
    codec: number,
    flags: number,
    units: number,
    created: number,
    flight: number,
  ) => number;
  readonly remove: (key: number, length: number) => number;
  readonly evictUnlocked: (key: number, length: number) => number;
  readonly clear: () => number;
  readonly checkTags: (field: number, sequence: number) => number;
  readonly invalidateTag: (hash: number) => number;
  readonly restoreTagCell: (cell: number, sequence: number) => void;
  readonly raiseTagFloor: (sequence: number) => void;
  readonly tick: (now: number) => void;
  readonly ring: () => void;
  readonly beginFlight: () => number;
  readonly endFlight: (flight: number, outcome: number, argument: number) => void;
  readonly enterFlight: (forced: number, lease: number) => number;
  readonly leaveFlight: (flight: number) => number;
  readonly renewFlight: (flight: number, lease: number) => void;
  readonly expireFlight: (flight: number, now: number) => number;
  readonly endFlightsOf: (thread: number) => void;
  readonly claimSegment: (segment: number) => number;
  readonly freeSegment: (segment: number) => void;
  readonly freeSegments: (limit: number) => number;
  readonly pinSegment: (segment: number) => number;
  readonly unpinSegment: (segment: number) => void;
  readonly releaseClaims: (thread: number) => void;
  readonly setFlushed: (segment: number, offset: number, generation: number) => void;
  readonly setDiskCopyLost: (segment: number, letGo: number) => void;
  readonly setDeferred: (segment: number, putOff: number) => void;
  readonly sealOpen: (log: number) => void;
  readonly sealOrphans: (thread: number) => void;
  readonly frequencyOfRecord: (record: number) => number;
  readonly reserveDiskLocation: (record: number, location: number) => number;
  readonly move: (record: number, log: number, frequency: number) => number;
  readonly demote: (record: number) => number;
  readonly dropRecord: (record: number) => number;
  readonly dropSlot: (slot: number, low: number, high: number) => number;
  readonly dropUnits: (first: number, end: number) => number;
  readonly promote: (record: number, slot: number, low: number, high: number) => number;
  readonly dropDisk: (hashLow: number, hashHigh: number, location: number, force: number) => number;
  readonly relocateDisk: (hashLow: number, hashHigh: number, from: number, to: number) => number;
  readonly insertRecovered: (hashLow: number, hashHigh: number, location: number) => number;
  readonly nextExpired: (fromSlot: number, endSlot: number, now: number) => number;
  readonly sweep: (fromBucket: number, buckets: number, now: number) => number;
  readonly releaseLocks: (lockWord: number) => number;
  readonly reconcileIndex: () => number;
  readonly openDisk: (
    segment: number,
    nonceLow: number,
    nonceHigh: number,
    serial: number,
    created: number,
  ) => void;
  readonly extendDisk: (
    segment: number,
    endOffset: number,
    records: number,
    maxExpires: number,
    maxSequence: number,
  ) => void;
  readonly setTombstoneCount: (segment: number, count: number) => void;
  readonly takeTombstoneIndex: (segment: number) => number;
  readonly sealDisk: (segment: number) => void;
  readonly setDiskState: (segment: number, state: number) => void;
  readonly raiseSequence: (sequence: number, clearEpoch: number) => void;
}

/** Views of the whole shared memory. Element i of `u32` is at byte 4 i, of `f64` at byte 8 i. */
export interface Views {
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
}

/** Compiles the kernel; a few milliseconds, once per process and cache. x86 does not reorder loads, so there the
 *  build without fences serves (docs/decisions/0001-fences.md). */
export function compileKernel(): WebAssembly.Module {
  const totalStoreOrder = process.arch === "x64" || process.arch === "ia32";
  const url = totalStoreOrder
    ? new URL("./kernel-tso.wasm", import.meta.url)
    : new URL("./kernel.wasm", import.meta.url);
  return new WebAssembly.Module(readFileSync(url));
}

export class Kernel {
  readonly verbs: KernelVerbs;
  readonly views: Views;
  readonly geometry: Geometry;
  readonly thread: number;
  readonly #holder: ThreadHolder;
  readonly #u64: BigUint64Array;
  /** Byte offset of this thread's block. */
  readonly block: number;

  private constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, adopted: number) {
    const { buffer } = memory;
    this.views = {
      u8: new Uint8Array(buffer),
      i32: new Int32Array(buffer),
      u32: new Uint32Array(buffer),
      f64: new Float64Array(buffer),
    };
    this.#u64 = new BigUint64Array(buffer);
    this.geometry = geometryOf(memory);
    const isLockOwnerDead = (lockWord: number): number =>
      this.#releaseIfOwnerDead(lockWord) ? 1 : 0;
    const instance = new WebAssembly.Instance(module, { env: { memory, isLockOwnerDead } });
    this.verbs = instance.exports as unknown as KernelVerbs;
    // Last of what may fail: nothing would give the place back.
    this.#holder = adopted < 0 ? claimThread(this.views) : takeOverThreadId(this.views, adopted);
    this.thread = this.#holder.thread;
    this.block = at.threadTable + this.thread * at.threadBlockSize;
    this.verbs.attach(this.thread);
  }

  /** Takes a thread place and instantiates the kernel for this thread. Throws ERR_TOO_MANY_THREADS when all 64 places
   *  are taken, ERR_HANDLE when the memory is not a cache's, ERR_CACHE_CLOSED when its owner has closed it. */
  static attach(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernel {
    const words = new Int32Array(memory.buffer, 0, at.controlBlockSize / 4);
    const version = words[at.controlLayoutVersion / 4];
    if (words[at.controlMagic / 4] !== at.kernelMagic || version !== at.kernelLayoutVersion) {
      throw new UndercroftError("ERR_HANDLE", "Cannot attach to memory: it is not a cache's");
    }
    if (Atomics.load(words, at.controlState / 4) !== at.stateOpen) {
      throw new UndercroftError("ERR_CACHE_CLOSED", "Cannot attach to a cache: it is closed");
    }
    return new Kernel(module, memory, -1);
  }

  /** Instantiates the kernel for a thread place that somebody took for this thread (the owner, for its janitor). */
  static adopt(module: WebAssembly.Module, memory: WebAssembly.Memory, thread: number): Kernel {
    return new Kernel(module, memory, thread);
  }

  /** Gives back the thread's place and all it has: open segments, flights, and what it was about when it is the thread's
   *  exit that calls this. `writeTombstone` writes a dead mark that the thread has announced. */
  detach(writeTombstone: (location: number) => void = () => undefined): void {
    reconcileThread(this, this.#holder, writeTombstone);
  }

  /** For a thread that has waited for a lock in vain: if its holder is proven dead, the lock is released. */
  #releaseIfOwnerDead(lockWord: number): boolean {
    const holder = deadHolderOf(this.views, (lockWord & 0xff) - 1, true);
    if (holder === null || lockWordOf(holder) !== lockWord) return false;
    this.verbs.releaseLocks(lockWord);
    return true;
  }

  /** Says whether anybody wants to hear of entries that leave. */
  listenForRemovals(listens: boolean): void {
    Atomics.store(this.views.i32, at.controlEventMask / 4, listens ? 1 : 0);
  }

  /** Is this a map's memory, in which no entry gives way to another? */
  get neverEvicts(): boolean {
    return this.views.u32[at.controlNeverEvicts / 4] === 1;
  }

  /** From when creation times in records count, in wall-clock milliseconds. */
  get createdBaseMs(): number {
    return this.views.f64[at.controlCreatedBase / 8] as number;
  }

  /** The newest sequence given out. */
  sequence(): number {
    return this.#u48(at.controlSequence);
  }

  /** Records up to this sequence were cleared. */
  clearEpoch(): number {
    return this.#u48(at.controlClearEpoch);
  }

  /** Exact, since a sequence has 48 bits; read as one word, so never torn. */
  #u48(offset: number): number {
    return Number(Atomics.load(this.#u64, offset / 8));
  }

  /** Adds to one of this thread's counters (stats/counters.ts). */
  count(counter: number, amount: number): void {
    const index = (this.block + at.threadCounters) / 8 + counter;
    this.views.f64[index] = (this.views.f64[index] as number) + amount;
  }

  /** A counter summed over all threads, those that are gone included. */
  total(counter: number): number {
    let sum = 0;
    for (let thread = 0; thread < at.threadsMax; thread++) {
      const block = at.threadTable + thread * at.threadBlockSize;
      sum += this.views.f64[(block + at.threadCounters) / 8 + counter] as number;
    }
    return sum;
  }
}
