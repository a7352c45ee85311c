// A map that every thread of the process shares: the kernel's index and segments, without a disk, a
// janitor or a near cache. Invariant: an entry stays until it is overwritten, deleted or cleared; a
// set that finds no room is refused.
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
} from "../kernel/mod.js";
import { type AppendOutcome, MemoryReader, MemoryWriter, type WriteFields } from "../memory/mod.js";
import * as counter from "../stats/mod.js";
import { Budget } from "./budget.js";
import { Compactor } from "./compactor.js";
import { recoverDeadThread } from "./dead-threads.js";
import { assertMapHandle, type MapHandle } from "./map-handle.js";

/**
 * A key of a map: a non-empty string without lone surrogates or a non-empty Uint8Array, at most
 * 64 KiB. A string and the bytes of its UTF-8 are the same key.
 *
 * @example
 * ```ts
 * import { type MapKey, SharedHashMap } from "undercroft/shared-map";
 *
 * const map = SharedHashMap.create<string>({ memory: "1mb" });
 * const key: MapKey = new TextEncoder().encode("user:7");
 * map.set(key, "Ada");
 * console.log(map.get("user:7")); // Ada
 * map.close();
 * ```
 */
export type MapKey = string | Uint8Array;

/**
 * The outcome of a set. "stored": the value is stored. Any other outcome changed nothing, and an
 * older value of the key is still there. "too-large": key and value do not fit a segment (32 KiB in
 * a map of up to 11 MiB, 256 KiB in one of 64 MiB, 1 MiB from 183 MiB on). "full": there is no room
 * until something is deleted. "busy": another thread held a lock or compacted for too long.
 *
 * @example
 * ```ts
 * import { type MapSetOutcome, SharedHashMap } from "undercroft/shared-map";
 *
 * const map = SharedHashMap.create<string>({ memory: "1mb" });
 * const outcome: MapSetOutcome = map.set("a", "x".repeat(40_000));
 * console.log(outcome, map.has("a")); // too-large false
 * map.close();
 * ```
 */
export type MapSetOutcome = "stored" | "too-large" | "full" | "busy";

/**
 * Options of `SharedHashMap.attach`: what a handle cannot carry.
 *
 * @example
 * ```ts
 * import {
 *   type CustomCodec,
 *   type MapAttachOptions,
 *   SharedHashMap,
 * } from "undercroft/shared-map";
 *
 * const codec: CustomCodec<string> = {
 *   name: "utf8",
 *   encode: (text) => Buffer.from(text),
 *   decode: (bytes) => Buffer.from(bytes).toString(),
 * };
 * const map = SharedHashMap.create<string>({ memory: "1mb", codec });
 * const options: MapAttachOptions<string> = { codec };
 * const attached = SharedHashMap.attach<string>(map.handle(), options);
 * attached.set("a", "text");
 * console.log(map.get("a")); // text
 * attached.close();
 * map.close();
 * ```
 */
export interface MapAttachOptions<V> {
  /** Required if the map was made with a custom codec: a codec of the same name. */
  readonly codec?: CustomCodec<V>;
}

/** How many times a delete tries to take a lock. Each try waits about 50 ms. */
const deleteTriesMax = 20;

const outcomes: Readonly<Record<AppendOutcome, MapSetOutcome>> = {
  stored: "stored",
  "too-large": "too-large",
  "no-room": "full",
  busy: "busy",
  // Only fills are superseded, and a map has none; nor has it conditional writes.
  superseded: "busy",
  changed: "busy",
  outdated: "busy",
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
 * A hash map with a fixed memory budget, shared by threads. Every thread sees at once what another
 * sets or deletes. `set` encodes a value, and each `get` decodes it anew. Nothing is ever evicted:
 * a `set` that finds no room returns "full". After `close` every method throws ERR_CACHE_CLOSED. A
 * wrong key, value or option throws TypeError or RangeError.
 *
 * @example
 * ```ts
 * import { SharedHashMap } from "undercroft/shared-map";
 *
 * const map = SharedHashMap.create<{ name: string }>({ memory: "1mb" });
 * console.log(map.set("user:7", { name: "Ada" })); // stored
 * console.log(map.get("user:7"), map.size); // { name: 'Ada' } 1
 * console.log([...map.keys()].join()); // user:7
 * console.log(map.delete("user:7"), map.has("user:7")); // true false
 * map.close();
 * ```
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
  /** The last search for room met another thread's compaction, which did not finish. */
  #isBusy = false;
  #isClosed = false;

  /** Internal: make maps with `create` and `attach`. */
  constructor(handle: MapHandle, kernel: Kernel, codec: CustomCodec<unknown> | undefined) {
    this.#handle = handle;
    this.#kernel = kernel;
    this.#keys = new KeyWindow(kernel);
    this.#reader = new MemoryReader(kernel, this.#keys);
    // New records go to the same log as moved ones, so that a thread has one open segment, not two.
    this.#writer = new MemoryWriter(kernel, this.#keys, codes.logMain);
    this.#codec = createCodec(handle.config, codec);
    this.#compactor = new Compactor(kernel);
    this.#budget = new Budget(kernel);
    const noTombstones = (): void => undefined;
    this.#writer.connect(noTombstones, () => this.#makeRoom());
    recoverDeadThread(kernel);
  }

  /**
   * Makes a map. Its memory is reserved at once, committed as it is used, and given back once no
   * thread has the map. Throws TypeError or RangeError for a wrong option.
   */
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
      loads: false,
      isMap: true,
    });
    const memory = createRegion(geometry, randomBytes(8).readBigUInt64LE(0), 0, "map");
    const module = compileKernel();
    const handle: MapHandle = { kind: "undercroft-map-handle", version: 1, config, module, memory };
    const { codec } = options;
    const custom = typeof codec === "object" ? (codec as CustomCodec<unknown>) : undefined;
    return new SharedHashMap<V>(handle, Kernel.attach(module, memory), custom);
  }

  /**
   * Attaches this thread to a map that another thread of the process made, in well under a
   * millisecond. Throws TypeError if `handle` is not a map handle, or if the codec is missing or
   * has another name; ERR_TOO_MANY_THREADS if 64 threads are attached.
   */
  static attach<V = unknown>(
    handle: MapHandle,
    options: MapAttachOptions<V> = {},
  ): SharedHashMap<V> {
    assertMapHandle(handle);
    const codec = resolveMapCodec(options, handle.config);
    return new SharedHashMap<V>(handle, Kernel.attach(handle.module, handle.memory), codec);
  }

  /** The value of a key, decoded anew; undefined if the key is absent. */
  get(key: MapKey): V | undefined {
    this.#assertOpen();
    if (!this.#find(key)) return undefined;
    const { codecId, buffer, valueStart, valueEnd } = this.#reader.record;
    return this.#codec.decode(codecId, buffer, valueStart, valueEnd) as V;
  }

  /** Whether the map has a key. */
  has(key: MapKey): boolean {
    this.#assertOpen();
    return this.#find(key);
  }

  /**
   * Stores a value. Every thread sees it once this returns "stored"; any other outcome changed
   * nothing. A set that finds no free segment first moves live entries together, which now and then
   * takes some milliseconds.
   */
  set(key: MapKey, value: V): MapSetOutcome {
    this.#assertOpen();
    const writer = this.#writer;
    // Check the key first: then an error about a wrong key names the key.
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
    // Recovering a dead thread frees the segments and locks it had, so try once more.
    return recoverDeadThread(this.#kernel) ? this.#append(key, bytes, fields) : outcome;
  }

  #append(key: MapKey, bytes: Uint8Array, fields: WriteFields): MapSetOutcome {
    this.#isBusy = false;
    const outcome = this.#writer.append(key, bytes, fields);
    return outcome === "no-room" && this.#isBusy ? "busy" : outcomes[outcome];
  }

  /**
   * Removes a key. Every thread sees that at once. Returns true if the key was there. Throws
   * ERR_WORKER if another thread keeps the lock of the key's bucket, because it was stopped or died
   * there.
   */
  delete(key: MapKey): boolean {
    this.#assertOpen();
    const keys = this.#keys;
    let outcome: ReturnType<MemoryWriter["removeLocked"]> = "busy";
    for (let attempt = 0; attempt < deleteTriesMax && outcome === "busy"; attempt++) {
      if (keys.write(key) === keyTooLong) return false;
      outcome = this.#writer.removeLocked();
    }
    if (outcome !== "busy") return outcome === "removed";
    const text =
      `Cannot delete key ${describe(key)}: a thread that was stopped or died holds the lock of ` +
      "its bucket; let it go on, or attach another thread to recover what a dead one left";
    throw new UndercroftError("ERR_WORKER", text);
  }

  /**
   * Removes everything. Every thread sees that at once. Then cleans the index, in time that grows
   * with its size: a few milliseconds for a map of 64 MiB.
   */
  clear(): void {
    this.#assertOpen();
    const { verbs, geometry } = this.#kernel;
    verbs.clear();
    verbs.sweep(0, geometry.bucketCount, 0);
  }

  /** The number of entries. Exact while no thread writes. */
  get size(): number {
    this.#assertOpen();
    return Math.max(0, this.#kernel.total(counter.counterMemoryEntries));
  }

  /**
   * The keys, in no order. Weakly consistent: a key that is there all the time is given once, or
   * twice if a set of another key moves it meanwhile. A key that is set or deleted meanwhile may or
   * may not be given.
   */
  *keys(): IterableIterator<MapKey> {
    // Entries move from their home bucket to their other one and never back, so the second pass
    // finds what moved during the first.
    yield* this.#keysOf(false);
    yield* this.#keysOf(true);
  }

  *#keysOf(displaced: boolean): IterableIterator<MapKey> {
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

  /**
   * What another thread needs to attach. Can be posted, or put in workerData or the environment
   * data.
   */
  handle(): MapHandle {
    this.#assertOpen();
    return this.#handle;
  }

  /** Gives this thread's id back. Other threads keep the map. Idempotent. */
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

  /** Looks the key up and copies its record to the reader's `record`. */
  #find(key: MapKey): boolean {
    return this.#reader.find(key, false) === "memory";
  }

  /** Bytes of the key's record; 0 if it has none. */
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
