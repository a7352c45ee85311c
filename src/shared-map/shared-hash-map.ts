// A map that every thread of the process shares: the kernel's index and segments without a disk, a janitor or a near
// cache. Invariant: an entry is there until it is overwritten, deleted or cleared; what finds no room is refused.
import { randomBytes } from "node:crypto";
import { describe, UndercroftError } from "../base/mod.js";
import { type Codec, createCodec } from "../codec/mod.js";
import {
  type CustomCodec,
  type MapOptions,
  resolveMapCodec,
  resolveMapConfig,
} from "../config/mod.js";
import {
  codes,
  compileKernel,
  createRegion,
  divide,
  Kernel,
  keyTooLong,
  KeyWindow,
  noKeyRoom,
} from "../kernel/mod.js";
import { type AppendOutcome, MemoryReader, MemoryWriter, type WriteFields } from "../memory/mod.js";
import * as counter from "../stats/mod.js";
import { Budget } from "./budget.js";
import { Compactor } from "./compactor.js";
import { recoverDeadThread } from "./dead-threads.js";
import { isMapHandle, type MapHandle } from "./handle.js";

/** A string and the bytes of its UTF-8 are the same key. */
export type MapKey = string | Uint8Array;

/** How a set came out: "stored"; or nothing was changed, and an older value is still there: "too-large" (key and value do
 *  not fit a segment: 32 KiB in a map of up to 11 MiB, 256 KiB in one of 64 MiB, 1 MiB from 183 MiB on), "full" (no room
 *  until something is deleted), "busy" (another thread's lock or compaction did not come to an end in time). */
export type MapSetOutcome = "stored" | "too-large" | "full" | "busy";

/** What cannot be posted with a handle and an attaching thread may have to bring. */
export interface MapAttachOptions<V> {
  /** Required if the map was made with a codec of one's own: one of the same name. */
  readonly codec?: CustomCodec<V>;
}

/** Times a delete waits for a lock, each about 50 ms. */
const deleteTriesMax = 20;

const outcomes: Readonly<Record<AppendOutcome, MapSetOutcome>> = {
  stored: "stored",
  "too-large": "too-large",
  "no-room": "full",
  busy: "busy",
  // Only fills are superseded, and a map has none.
  superseded: "busy",
};

/** An entry of a map has no times, no tags and no flight. */
const plainFields: WriteFields = {
  codecId: 0,
  flags: 0,
  createdMs: 0,
  expiresMs: Infinity,
  staleUntilMs: Infinity,
  tags: new Uint8Array(0),
  flight: -1,
  forDisk: false,
};

/**
 * A hash map of a fixed budget in shared memory. Every thread that has it sees what another sets or deletes at once.
 * Values are encoded when they are set and decoded anew at each `get`. Nothing is ever evicted: a `set` for which there
 * is no room says so. Every method throws ERR_CACHE_CLOSED after `close`, and TypeError or RangeError for a key, value
 * or option that is none.
 */
export class SharedHashMap<V = unknown> {
  readonly #handle: MapHandle;
  readonly #kernel: Kernel;
  readonly #keys: KeyWindow;
  readonly #reader: MemoryReader;
  readonly #writer: MemoryWriter;
  readonly #codec: Codec;
  readonly #compactor: Compactor;
  readonly #budget: Budget;
  /** The last search for room met another thread's that did not come to an end. */
  #isBusy = false;
  #isClosed = false;

  /** Not for users: `create` and `attach` make maps. */
  constructor(handle: MapHandle, kernel: Kernel, codec: CustomCodec<unknown> | undefined) {
    this.#handle = handle;
    this.#kernel = kernel;
    // New records go to the same log as moved ones, so that a thread has one open segment and not two.
    this.#keys = new KeyWindow(kernel, codes.logMain);
    this.#reader = new MemoryReader(kernel, this.#keys);
    this.#writer = new MemoryWriter(kernel, this.#keys, codes.logMain);
    this.#codec = createCodec(handle.config, codec);
    this.#compactor = new Compactor(kernel);
    this.#budget = new Budget(kernel);
    const noTombstones = (): void => undefined;
    this.#writer.connect(noTombstones, () => this.#makeRoom());
    recoverDeadThread(kernel);
  }

  /** Makes a map. Its memory is reserved at once, committed as it is used, and given back when no thread has the map any
   *  more. Throws TypeError or RangeError for a wrong option. */
  static create<V = unknown>(options: MapOptions<V> = {}): SharedHashMap<V> {
    const config = resolveMapConfig(options as MapOptions<unknown>);
    const geometry = divide({
      memoryBytes: config.memoryBytes,
      diskCapacityBytes: 0,
      diskSegmentCount: 0,
      diskSegmentBytes: 0,
      remembersSets: false,
      policyBytes: 0,
      samples: false,
    });
    const memory = createRegion(geometry, randomBytes(8).readBigUInt64LE(0), 0, "map");
    const module = compileKernel();
    const handle: MapHandle = { kind: "undercroft-map-handle", version: 1, config, module, memory };
    const { codec } = options;
    const custom = typeof codec === "object" ? (codec as CustomCodec<unknown>) : undefined;
    return new SharedHashMap<V>(handle, Kernel.attach(module, memory), custom);
  }

  /** Gives this thread a map that another thread of the process has made, in well under a millisecond. Throws TypeError if
   *  the handle is none or the codec is missing or of another name, ERR_TOO_MANY_THREADS if 64 threads have it. */
  static attach<V = unknown>(
    handle: MapHandle,
    options: MapAttachOptions<V> = {},
  ): SharedHashMap<V> {
    if (!isMapHandle(handle)) {
      throw new TypeError(
        `Cannot attach to a shared map: the handle is ${describe(handle)}; it must be what map.handle() returned`,
      );
    }
    const codec = resolveMapCodec(options, handle.config);
    return new SharedHashMap<V>(handle, Kernel.attach(handle.module, handle.memory), codec);
  }

  /** The value of a key, decoded anew; undefined if there is none. */
  get(key: MapKey): V | undefined {
    this.#assertOpen();
    if (!this.#find(key)) return undefined;
    const { codecId, buffer, valueStart, valueEnd } = this.#reader.record;
    return this.#codec.decode(codecId, buffer, valueStart, valueEnd) as V;
  }

  /** Whether a key is there. */
  has(key: MapKey): boolean {
    this.#assertOpen();
    return this.#find(key);
  }

  /** Stores a value, visible to every thread when it returns "stored". With any other outcome nothing has changed. A set
   *  that finds no free room moves live entries together first, which takes some milliseconds now and then. */
  set(key: MapKey, value: V): MapSetOutcome {
    this.#assertOpen();
    const writer = this.#writer;
    // The key first, so that the message of a wrong one is about the key.
    const keyBytes = this.#keys.write(key);
    const bytes = this.#codec.encode(value, key);
    const fields = { ...plainFields, codecId: this.#codec.lastCodecId };
    const size = writer.sizeOf(Math.max(keyBytes, 1), bytes.length, fields);
    if (keyBytes === keyTooLong || size > writer.recordBytesMax) return "too-large";
    if (!this.#budget.allows(size, 0) && !this.#budget.allows(size, this.#sizeNow(key))) {
      return "full";
    }
    const outcome = this.#append(key, bytes, fields);
    if (outcome === "stored") return outcome;
    // What a thread that died has open, is emptying or has locked is in nobody's use.
    return recoverDeadThread(this.#kernel) ? this.#append(key, bytes, fields) : outcome;
  }

  #append(key: MapKey, bytes: Uint8Array, fields: WriteFields): MapSetOutcome {
    this.#isBusy = false;
    const outcome = this.#writer.append(key, bytes, fields);
    return outcome === "no-room" && this.#isBusy ? "busy" : outcomes[outcome];
  }

  /** Removes a key, visible to every thread at once; true if it was there. Throws ERR_WORKER if another thread holds the
   *  lock of the key's bucket and does not let go: it was stopped, or it died there. */
  delete(key: MapKey): boolean {
    this.#assertOpen();
    const keys = this.#keys;
    const remove = (): "removed" | "absent" | "busy" => this.#writer.removeLocked();
    let outcome: "removed" | "absent" | "busy" = "busy";
    for (let attempt = 0; attempt < deleteTriesMax && outcome === "busy"; attempt++) {
      const keyBytes = keys.write(key);
      if (keyBytes === keyTooLong) return false;
      if (keyBytes >= 0) outcome = remove();
      else keys.borrowSlack(() => (outcome = remove()));
    }
    if (outcome !== "busy") return outcome === "removed";
    const text = `Cannot delete key ${describe(key)}: the lock of its bucket is held by a thread that does not go on`;
    throw new UndercroftError("ERR_WORKER", text);
  }

  /** Removes everything, visible to every thread at once; then puts the index in order, in time that grows with its size
   *  (a few milliseconds for a map of 64 MiB). */
  clear(): void {
    this.#assertOpen();
    const { verbs, geometry } = this.#kernel;
    verbs.clear();
    verbs.sweep(0, geometry.bucketCount, 0);
  }

  /** How many entries there are. Exact while no thread is writing. */
  get size(): number {
    this.#assertOpen();
    return Math.max(0, this.#kernel.total(counter.counterMemoryEntries));
  }

  /** The keys, in no order. Weakly consistent: a key that is there all the time is given, and once, or twice if a set of
   *  another key makes it move meanwhile; one that is set or deleted meanwhile may or may not be given. */
  *keys(): IterableIterator<MapKey> {
    // Entries move from their home bucket to their other one and not back, so who was missed at home is found there.
    yield* this.#keysStanding(false);
    yield* this.#keysStanding(true);
  }

  *#keysStanding(displaced: boolean): IterableIterator<MapKey> {
    const { slots, geometry } = this.#kernel;
    const { bucketCount } = geometry;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      this.#assertOpen();
      const keys: MapKey[] = [];
      for (const slot of slots.slotsOf(bucket)) {
        if (!this.#reader.readSlot(slot)) continue;
        if (slots.isDisplaced(this.#reader.found) === displaced)
          keys.push(this.#reader.record.key());
      }
      yield* keys;
    }
  }

  /** What another thread needs to attach: may be posted, put in workerData or in the environment data. */
  handle(): MapHandle {
    this.#assertOpen();
    return this.#handle;
  }

  /** Gives this thread's place back; the other threads keep the map. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#kernel.detach();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #assertOpen(): void {
    if (!this.#isClosed) return;
    throw new UndercroftError("ERR_CACHE_CLOSED", "Cannot use a shared map: it is closed");
  }

  /** Looks the key up and copies its record to `store.record`. */
  #find(key: MapKey): boolean {
    const find = (): boolean => this.#reader.findWritten(false) === "memory";
    if (this.#keys.write(key) !== noKeyRoom) return find();
    // A long key, for which no segment has room: it may be there all the same.
    let isThere = false;
    this.#keys.borrowSlack(() => (isThere = find()));
    return isThere;
  }

  /** Bytes of the key's record, 0 if it has none. */
  #sizeNow(key: MapKey): number {
    return this.#find(key) ? this.#reader.record.size : 0;
  }

  #makeRoom(): boolean {
    this.#kernel.count(counter.counterForegroundReclaims, 1);
    const room = this.#compactor.makeRoom();
    this.#isBusy = room === "busy";
    return room === "room";
  }
}
