// One thread's instance of the kernel over a cache's shared memory, with named accessors to its
// words. Called by every room above. The opener compiles the module once and posts it to other
// threads, so attaching does not compile.
import { inflateRawSync } from "node:zlib";
import { UndercroftError } from "../base/mod.js";
import type { RemovalCounter } from "../stats/mod.js";
import { fenceBytes, fencesAt, kernelCode } from "./kernel-code.js";
import * as at from "./layout.js";
import { geometryOf, type Geometry } from "./region.js";
import { TagTable } from "./tag-table.js";
import { OpenFileCounts } from "./threads/open-file-counts.js";
import {
  claimThread,
  deadHolderOf,
  lockWordOf,
  reconcileThread,
  takeOverThreadId,
  type ThreadHolder,
  type ThreadKind,
} from "./threads/thread-table.js";
import { CallResults } from "./words/call-results.js";
import { ControlBlock } from "./words/control-block.js";
import { DiskSegmentTable } from "./words/disk-segment-table.js";
import { FlightTable } from "./words/flight-table.js";
import { FlushTickets } from "./words/flush-tickets.js";
import { IndexSlots } from "./words/index-slots.js";
import { PendingTombstones, type TombstoneWriter } from "./words/pending-tombstones.js";
import { SampleRings } from "./words/sample-rings.js";
import { NamespaceTable } from "./words/namespace-table.js";
import { SegmentTable } from "./words/segment-table.js";
import { SharedRecords } from "./words/shared-records.js";
import { ThreadCounters } from "./words/thread-counters.js";
import { ThreadLock } from "./threads/thread-lock.js";
import type { KernelModule, SharedMemory } from "./web-assembly.js";
import { ValueRegister } from "./words/value-register.js";
import { type Views, viewsOf } from "./words/views.js";

/** The kernel's verbs; each is documented where it is defined, in assembly/. */
export interface KernelVerbs {
  readonly attach: (thread: number) => void;
  readonly hashKey: (key: number, length: number) => void;
  readonly mayKeepNear: () => number;
  readonly lastInvalidation: () => number;
  readonly noteEpoch: () => void;
  readonly readInvalidations: (seen: number) => number;
  readonly find: (
    key: number,
    length: number,
    hashLow: number,
    hashHigh: number,
    touch: number,
  ) => number;
  readonly findKnown: (
    key: number,
    length: number,
    hashLow: number,
    hashHigh: number,
    low: number,
    high: number,
  ) => number;
  readonly validate: (slot: number, low: number, high: number) => number;
  readonly homeOfEntry: (slot: number) => number;
  readonly touch: (slot: number, low: number, high: number) => number;
  readonly reserve: (bytes: number, log: number, privileged: number) => number;
  readonly publish: (
    record: number,
    keyLength: number,
    codec: number,
    flags: number,
    units: number,
    created: number,
    flight: number,
    hashLow: number,
    hashHigh: number,
    condition?: number,
    wanted?: number,
  ) => number;
  readonly remove: (
    key: number,
    extent: number,
    hashLow: number,
    hashHigh: number,
    condition?: number,
    wanted?: number,
  ) => number;
  readonly beginGuard: (key: number, extent: number, hashLow: number, hashHigh: number) => number;
  readonly evictUnlocked: (key: number, extent: number) => number;
  readonly clear: () => number;
  readonly clearSpace: (space: number) => number;
  readonly recount: (fromBucket: number, endBucket: number) => number;
  readonly checkTags: (field: number, sequence: number) => number;
  readonly hashTag: (name: number, length: number) => void;
  readonly invalidateTag: (hashLow: number, hashHigh: number, force: number) => number;
  readonly restoreTag: (hashLow: number, hashHigh: number, sequence: number) => void;
  readonly raiseTagFloor: (sequence: number) => void;
  readonly beginTagSweep: () => number;
  readonly forgetTags: (from: number, buckets: number, through: number) => number;
  readonly oldestFlight: () => number;
  readonly supersedeFlights: (sequence: number) => number;
  readonly tick: (now: number) => void;
  readonly ring: () => void;
  /** `space`: the namespace of the key; 0 if it is left out. */
  readonly beginFlight: (hashLow: number, hashHigh: number, space?: number) => number;
  readonly endFlight: (flight: number, outcome: number, argument: number) => void;
  readonly enterFlight: (
    hashLow: number,
    hashHigh: number,
    forced: number,
    mayClaim: number,
    lease: number,
    space?: number,
  ) => number;
  readonly leaveFlight: (flight: number) => number;
  readonly renewFlight: (flight: number, lease: number) => void;
  readonly expireFlight: (flight: number, now: number) => number;
  readonly endFlightsOf: (thread: number) => void;
  readonly flightWindowOf: (hashLow: number, hashHigh: number, which: number) => number;
  readonly claimSegment: (segment: number) => number;
  readonly freeSegment: (segment: number) => void;
  readonly freeSegments: (limit: number) => number;
  readonly pinSegment: (segment: number) => number;
  readonly unpinSegment: (segment: number) => void;
  readonly withheldSegments: () => number;
  readonly withholdSegment: () => number;
  readonly releaseSegment: () => number;
  readonly releaseClaims: (thread: number) => void;
  readonly setFlushed: (segment: number, offset: number, generation: number) => void;
  readonly setDiskCopyLost: (segment: number, diskCopyLost: number) => void;
  readonly setDeferred: (segment: number, deferred: number) => void;
  readonly sealOpen: (log: number) => void;
  readonly sealOrphans: (thread: number) => void;
  readonly checksumOnDisk: (record: number, seedLow: number, seedHigh: number) => number;
  readonly frequencyOfRecord: (record: number) => number;
  readonly forgetHits: (segment: number) => void;
  readonly reserveDiskLocation: (record: number, location: number) => number;
  readonly move: (record: number, log: number, frequency: number) => number;
  readonly demote: (record: number) => number;
  readonly demoteAtClose: (record: number) => number;
  readonly setValue: (
    hashLow: number,
    hashHigh: number,
    idLow: number,
    idHigh: number,
    space: number,
  ) => void;
  readonly beginLargeWrite: (idLow: number, idHigh: number) => void;
  readonly endLargeWrite: () => number;
  readonly abandonLargeWrite: () => number;
  readonly beginStream: () => number;
  readonly spillStream: () => void;
  readonly isStreamIntact: () => number;
  readonly endStream: () => number;
  readonly endStreamsOf: (thread: number) => void;
  readonly spillingStreams: () => number;
  readonly findHead: (record: number) => number;
  readonly findHeadOnDisk: () => number;
  readonly lookForHead: () => number;
  readonly moveHead: (log: number, frequency: number) => number;
  readonly demoteHead: () => number;
  readonly dropHead: () => number;
  readonly chunkCopy: (number: number) => number;
  readonly demoteChunk: (number: number, isDead: number) => number;
  readonly dropChunk: (number: number, isDead: number) => number;
  readonly noteDeadBytes: (segment: number, bytes: number, generation: number) => void;
  readonly dropRecord: (record: number) => number;
  readonly dropSlot: (slot: number, low: number, high: number) => number;
  readonly dropUnits: (first: number, end: number) => number;
  readonly preload: (record: number, slot: number, low: number, high: number) => number;
  readonly promote: (record: number, slot: number, low: number, high: number) => number;
  readonly promoteRead: (
    record: number,
    slot: number,
    low: number,
    high: number,
    checksum: number,
    seedLow: number,
    seedHigh: number,
  ) => number;
  readonly dropDisk: (hashLow: number, hashHigh: number, location: number, force: number) => number;
  readonly dropInvalidated: (hashLow: number, hashHigh: number, location: number) => number;
  readonly relocateDisk: (hashLow: number, hashHigh: number, from: number, to: number) => number;
  readonly insertRecovered: (hashLow: number, hashHigh: number, location: number) => number;
  readonly supplantByRecovered: (
    key: number,
    extent: number,
    hashLow: number,
    hashHigh: number,
    location: number,
    revision: number,
  ) => number;
  readonly nextExpired: (fromSlot: number, endSlot: number, now: number) => number;
  readonly sweep: (fromBucket: number, endBucket: number, now: number) => number;
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

/** The instruction that does nothing. */
const nop = 0x01;

/** Compiles the kernel, once per process and cache; it takes a few milliseconds. x86 does not
 *  reorder loads, so nothing is needed there where the fences are
 *  (docs/internals/decisions/0001-fences.md). */
export function compileKernel(): KernelModule {
  const totalStoreOrder = process.arch === "x64" || process.arch === "ia32";
  const code = inflateRawSync(Buffer.from(kernelCode, "base64"));
  if (totalStoreOrder) for (const at of fencesAt) code.fill(nop, at, at + fenceBytes);
  return new WebAssembly.Module(code);
}

/** A part of the shared memory that another room lays out. */
export interface Room {
  readonly buffer: ArrayBufferLike;
  readonly offset: number;
  readonly bytes: number;
}

export class Kernel {
  readonly verbs: KernelVerbs;
  readonly geometry: Geometry;
  /** This thread's id in the cache: 0 to 63 for the user's threads, from 64 on for the pool's. */
  readonly thread: number;
  /** Byte offset of this thread's block. */
  readonly block: number;
  /** For this room and its tests only: other rooms read the memory through the accessors below. */
  readonly views: Views;
  readonly control: ControlBlock;
  readonly flushes: FlushTickets;
  readonly results: CallResults;
  readonly value: ValueRegister;
  readonly tombstones: PendingTombstones;
  readonly counters: ThreadCounters;
  readonly flights: FlightTable;
  readonly segments: SegmentTable;
  readonly diskSegments: DiskSegmentTable;
  readonly records: SharedRecords;
  readonly slots: IndexSlots;
  readonly samples: SampleRings;
  readonly openFiles: OpenFileCounts;
  readonly tags: TagTable;
  /** How often this thread has written a key, in any namespace. */
  readonly keyUses: { count: number } = { count: 0 };
  readonly namespaces: NamespaceTable;
  /** Held to add a schema; to write an invalidated tag to disk; to compact a map; to add or clear a
   *  namespace. */
  readonly locks: Readonly<Record<"schema" | "tag" | "compactor" | "namespace", ThreadLock>>;
  readonly #holder: ThreadHolder;

  private constructor(module: KernelModule, memory: SharedMemory, id: ThreadKind | number) {
    this.views = viewsOf(memory);
    this.geometry = geometryOf(memory);
    const isLockOwnerDead = (lockWord: number): number => (this.#releaseIfDead(lockWord) ? 1 : 0);
    const instance = new WebAssembly.Instance(module, { env: { memory, isLockOwnerDead } });
    this.verbs = instance.exports as unknown as KernelVerbs;
    // The last step that may fail: a failure after it would leak the thread id.
    this.#holder = typeof id === "string" ? claimThread(this, id) : takeOverThreadId(this, id);
    this.thread = this.#holder.thread;
    this.block = at.threadTable + this.thread * at.threadBlockSize;
    this.control = new ControlBlock(this.views);
    this.flushes = new FlushTickets(this.views);
    this.results = new CallResults(this.views, this.block);
    this.value = new ValueRegister(this.views, this.block);
    this.tombstones = new PendingTombstones(this.views, this.thread);
    this.counters = new ThreadCounters(this.views, this.thread);
    this.flights = new FlightTable(this.views, this.geometry);
    this.segments = new SegmentTable(this.views, this.geometry);
    this.diskSegments = new DiskSegmentTable(this.views, this.geometry);
    this.records = new SharedRecords(this.views);
    this.slots = new IndexSlots(this.views, this.geometry);
    this.namespaces = new NamespaceTable(this.views);
    this.samples = new SampleRings(this.views, this.geometry);
    this.openFiles = new OpenFileCounts(this.views, this.thread);
    this.tags = new TagTable(this.verbs, this.views, this.geometry, this.block);
    const lockAt = (offset: number): ThreadLock => new ThreadLock(this.views, offset, this.thread);
    this.locks = {
      schema: lockAt(at.controlSchemaLock),
      tag: lockAt(at.controlTagLock),
      compactor: lockAt(at.controlCompactor),
      namespace: lockAt(at.controlNamespaceLock),
    };
    this.verbs.attach(this.thread);
  }

  /** Claims a thread id and instantiates the kernel for this thread. Throws ERR_TOO_MANY_THREADS
   *  when all 64 are taken, ERR_HANDLE when the memory is not a cache's, ERR_CACHE_CLOSED when its
   *  opener has closed it. */
  static attach(module: KernelModule, memory: SharedMemory, kind: ThreadKind = "user"): Kernel {
    const words = new Int32Array(memory.buffer, 0, at.controlBlockSize / 4);
    const version = words[at.controlLayoutVersion / 4];
    if (words[at.controlMagic / 4] !== at.kernelMagic || version !== at.kernelLayoutVersion) {
      throw new UndercroftError(
        "ERR_HANDLE",
        "Cannot attach to memory: it is not a cache's of this version of Undercroft; " +
          "pass what handle() of an open cache or map returned",
      );
    }
    if (Atomics.load(words, at.controlState / 4) !== at.stateOpen) {
      throw new UndercroftError(
        "ERR_CACHE_CLOSED",
        "Cannot attach to a cache: it is closed; open it again and pass its new handle",
      );
    }
    return new Kernel(module, memory, kind);
  }

  /** Instantiates the kernel for a thread id that another thread claimed for this one: the opener
   *  does so for its janitor. */
  static attachAs(module: KernelModule, memory: SharedMemory, thread: number): Kernel {
    return new Kernel(module, memory, thread);
  }

  /** Gives back the thread id and everything the thread has: open segments, flights, and any work
   *  cut off if the thread is exiting. `writeTombstone` writes a pending tombstone. */
  detach(writeTombstone: TombstoneWriter = () => undefined): void {
    reconcileThread(this, this.#holder, writeTombstone);
  }

  /** For a thread that has waited for a lock past its bound: frees it if its owner is proven
   *  dead. */
  #releaseIfDead(lockWord: number): boolean {
    const holder = deadHolderOf(this, (lockWord & 0xff) - 1, true);
    if (holder === null || lockWordOf(holder) !== lockWord) return false;
    this.verbs.releaseLocks(lockWord);
    return true;
  }

  /** Where the eviction policy keeps its state. */
  get policyRoom(): Room {
    const { policyBase, policyBytes } = this.geometry;
    return { buffer: this.views.u8.buffer, offset: policyBase, bytes: policyBytes };
  }

  /** Where admission remembers which keys were set; 0 bytes if it does not. */
  get seenKeysRoom(): Room {
    const { keyHistoryBase, seenBytes } = this.geometry;
    return { buffer: this.views.u8.buffer, offset: keyHistoryBase, bytes: seenBytes };
  }

  /** The schema table, at `byteOffset` of the shared memory. */
  get schemaTable(): Uint8Array {
    return this.views.u8.subarray(at.schemaTable, at.schemaTable + at.schemaTableSize);
  }

  /** Hashes bytes of the schema table; the hash is in the results. */
  hashSchema(offset: number, length: number): void {
    this.verbs.hashKey(at.schemaTable + offset, length);
  }

  /** The low halves of the hashes that the last `readInvalidations` verb has read. */
  get readInvalidations(): Int32Array {
    const first = (this.block + at.threadInvalidations) / 4;
    return this.views.i32.subarray(first, first + at.invalidationBatch);
  }

  /** Adds to one of this thread's counters (stats/counters.ts). */
  count(counter: number, amount: number): void {
    this.counters.add(counter, amount);
  }

  /** Counts an entry of a key space that has left, for the whole cache too. */
  countRemoval(space: number, counter: RemovalCounter): void {
    if (space === 0) this.count(counter, 1);
    else this.namespaces.countRemoval(space, counter);
  }

  /** A counter summed over all threads, dead ones included. What threads count of namespaces is not
   *  in it. */
  total(counter: number): number {
    return this.counters.total(counter);
  }
}
