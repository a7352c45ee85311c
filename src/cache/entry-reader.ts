// Reading on one thread: near cache, shared memory, disk, in this order. Called by the facade and by read-through.
// Invariants: a value is decoded from private bytes that were validated after they were copied; an expired value is
// returned by `peek` and `read` only, marked as stale; what was checked before an await is checked again after it.
import { decompress, deepFreeze } from "../codec/mod.js";
import { layout as at } from "../kernel/mod.js";
import {
  chunkCount,
  chunkKey,
  type Found,
  type KeyWindow,
  type LargeValue,
  largeValueOf,
  copyChunk,
  readChunks,
} from "../memory/mod.js";
import {
  flagChunk,
  flagChunked,
  flagCompressed,
  flagTags,
  type RecordReader,
} from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { NearHashIndex } from "./near-hash-index.js";
import type { InvalidationReader } from "./invalidation-reader.js";
import type { FoundValue, Key } from "./fill-store.js";
import type { IdentityIndex } from "./identity-index.js";
import { NearCache } from "./near-cache.js";
import { SharedReads } from "./shared-reads.js";
import type { ThreadCore } from "./thread-core.js";

/** One in this many gets is timed, and shows whether the caller keeps its key strings: seldom, since to read the clock is to
 *  wait for all that is under way, which takes a microsecond. */
const sampleEvery = 1024;
/** The first samples come sooner, so that a cache that is asked little has some too. */
const earlySamples = 64;
const earlySampleEvery = 64;
/** Looks at an entry that goes from memory to disk and back each time it is looked for. */
const turnsMax = 4;

/** An entry with what is known of it. Times are wall-clock milliseconds, `Infinity` = never. */
export interface CacheEntry<V> {
  readonly value: V;
  readonly source: "near" | "memory" | "disk";
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Until then an expired value may be served by `fetch`; `expiresAt` if it may not. */
  readonly staleUntil: number;
  readonly tags: readonly string[];
  /** Bytes of key, value and metadata as stored. */
  readonly size: number;
}

/** What outlives the next use of the record reader. */
interface Head {
  readonly codecId: number;
  readonly flags: number;
  readonly expiresMs: number;
  readonly staleUntilMs: number;
  readonly createdMs: number;
  readonly tags: readonly string[];
  readonly size: number;
}

/** Of a near cache that is none: it is never asked. */
const noRoom = { maxEntries: 1, maxBytes: 1, mode: "copy" } as const;

const nobody = (): void => undefined;

export class EntryReader<V> {
  readonly #core: ThreadCore;
  readonly #findNear: (key: number, length: number) => number;
  readonly #keys: KeyWindow;
  readonly #near: NearCache | null;
  // Of the near cache, here as well: each step on the way to them, and each look whether there is one, would cost a hit a
  // nanosecond or two.
  readonly #invalidations: InvalidationReader;
  readonly #identity: IdentityIndex;
  readonly #identityValues: IdentityIndex["values"];
  readonly #hashIndex: NearHashIndex;
  readonly #f64: Float64Array;
  readonly #nearHits: number;
  readonly #reads: SharedReads;
  /** Gets up to the next sample. */
  #getsLeft = earlySampleEvery;
  #samples = 0;

  constructor(core: ThreadCore) {
    this.#core = core;
    this.#findNear = core.kernel.verbs.findNear;
    this.#keys = core.store.keys;
    this.#near = core.near;
    this.#reads = new SharedReads(core.tier);
    const { invalidations, identity, hashIndex } =
      core.near ?? new NearCache(core.kernel, noRoom, core.clock);
    this.#invalidations = invalidations;
    this.#identity = identity;
    this.#identityValues = identity.values;
    this.#hashIndex = hashIndex;
    this.#f64 = core.kernel.views.f64;
    this.#nearHits = (core.kernel.block + at.threadCounters) / 8 + counter.counterNearHits;
  }

  /** The value if it is near or in shared memory and fresh. */
  getSync(key: Key): V | undefined {
    if (--this.#getsLeft === 0) return this.#sampled(key);
    const value = this.#look(key);
    if (value === undefined) this.#core.kernel.count(counter.counterMisses, 1);
    return value;
  }

  #sampled(key: Key): V | undefined {
    const core = this.#core;
    this.#observe(key);
    const nearBefore = this.#f64[this.#nearHits];
    const start = performance.now();
    const value = this.#look(key);
    const nanoseconds = (performance.now() - start) * 1e6;
    if (value === undefined) core.kernel.count(counter.counterMisses, 1);
    else {
      const isNear = this.#f64[this.#nearHits] !== nearBefore;
      core.sample(isNear ? counter.histogramNear : counter.histogramMemory, nanoseconds);
    }
    return value;
  }

  /** Of a get that is a sample, and before anything is looked up: shows whether the caller keeps its key strings. */
  #observe(key: Key): void {
    this.#getsLeft = ++this.#samples < earlySamples ? earlySampleEvery : sampleEvery;
    if (typeof key === "string") this.#near?.observe(key);
  }

  /** As getSync, without counting a miss. */
  #look(key: Key): V | undefined {
    if (this.#near === null || typeof key !== "string") return this.#lookBeyond(key);
    if (!this.#invalidations.isCurrent()) {
      this.#core.assertOpen();
      return this.#lookNear(key, this.#keys.write(key));
    }
    let value: unknown;
    if (this.#identity.isOn) value = this.#identityValues.get(key);
    if (value === undefined) {
      const keys = this.#keys;
      const keyBytes = keys.write(key);
      value = this.#hashIndex.find(keys.hash, keyBytes, key);
      if (value === undefined) return this.#lookNear(key, keyBytes);
    }
    this.#f64[this.#nearHits] = (this.#f64[this.#nearHits] as number) + 1;
    return value as V;
  }

  /** The value of the key last written, if a near entry or memory has it. */
  #lookNear(key: string, keyBytes: number): V | undefined {
    const keys = this.#keys;
    if (keyBytes <= 0 || this.#findNear(keys.at, keyBytes) === 0) {
      return this.#lookInMemory(key, keyBytes, true);
    }
    const value = this.#near?.find(key, keys.hash, keyBytes);
    // The hit has been marked; a second mark would make each first read of a value two.
    if (value === undefined) return this.#lookInMemory(key, keyBytes, false);
    this.#f64[this.#nearHits] = (this.#f64[this.#nearHits] as number) + 1;
    return value as V;
  }

  #lookBeyond(key: Key): V | undefined {
    this.#core.assertOpen();
    return this.#lookInMemory(key, this.#keys.write(key), true);
  }

  #lookInMemory(key: Key, keyBytes: number, touch: boolean): V | undefined {
    const { store, kernel, clock } = this.#core;
    this.#found = store.find(keyBytes, touch);
    if (this.#found !== "memory") return undefined;
    const { record } = store;
    if ((record.flags & flagChunk) !== 0) return undefined;
    if (record.expiresMs !== Infinity && record.expiresMs <= clock.now()) {
      kernel.count(counter.counterExpiredHits, 1);
      this.#found = "none";
      return undefined;
    }
    const value = this.#decodeFound(key);
    if (value !== undefined) kernel.count(counter.counterMemoryHits, 1);
    return value;
  }

  /** What the last look found, so that `get` knows whether to go to disk. */
  #found: Found = "none";

  /** Decodes the record just read from memory and keeps the value near. Undefined if it is damaged or a chunk is not in
   *  memory. */
  #decodeFound(key: Key): V | undefined {
    const { store, near } = this.#core;
    const { slotLow, slotHigh, hashLow, record } = store;
    const { expiresMs, size, flags, codecId } = record;
    const tagEpoch = (flags & flagTags) === 0 ? null : store.tagEpoch;
    // A copy in one piece: a key glued together from parts costs each compare a line more, and keeps its parts alive.
    const isNear = near !== null && typeof key === "string";
    const name = isNear ? record.buffer.toString("utf8", record.keyStart, record.keyEnd) : "";
    let value: V | undefined;
    let bytes = size;
    if ((flags & flagChunked) === 0) {
      value = this.#decode(codecId, flags, record.buffer, record.valueStart, record.valueEnd);
    } else {
      const whole = readChunks(store, largeValueOf(record));
      if (whole === undefined) {
        this.#found = "disk";
        return undefined;
      }
      bytes += whole.length;
      value = this.#decode(codecId, flags, whole, 0, whole.length);
    }
    if (value === undefined) return undefined;
    if (isNear) {
      const word = { low: slotLow, high: slotHigh, tagEpoch };
      near.keep(word, hashLow, name, value, expiresMs, bytes);
    }
    return value;
  }

  /** The value of bytes; undefined if no codec of this version made them, which counts as damage. */
  #decode(
    codecId: number,
    flags: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): V | undefined {
    const { codec, kernel } = this.#core;
    try {
      let value: unknown;
      if ((flags & flagCompressed) === 0) {
        value = codec.decode(codecId, buffer, start, end);
      } else {
        const plain = decompress(buffer.subarray(start, end));
        value = codec.decode(codecId, plain, 0, plain.length);
      }
      return this.present(value);
    } catch {
      kernel.count(counter.counterCorruptRecords, 1);
      return undefined;
    }
  }

  /** A decoded value as a hit gives it. */
  present(value: unknown): V {
    return (this.#core.config.near?.mode === "frozen" ? deepFreeze(value) : value) as V;
  }

  /** The value from memory or disk, if it is fresh. */
  async get(key: Key): Promise<V | undefined> {
    if (--this.#getsLeft === 0) this.#observe(key);
    const value = this.#look(key);
    if (value !== undefined) return value;
    const found = this.#found === "disk" ? await this.#fromDisk(key) : undefined;
    if (found === undefined || found.stale) {
      this.#core.kernel.count(counter.counterMisses, 1);
      return undefined;
    }
    this.#core.kernel.count(counter.counterDiskHits, 1);
    return found.value;
  }

  /** For read-through: the value in memory, fresh or stale. Unless `quiet`, counts a hit, or a miss for a stale value;
   *  when there is neither, `read` counts. */
  peek(key: Key, quiet = false): FoundValue<V> | undefined {
    const core = this.#core;
    if (!quiet) {
      const fresh = this.#look(key);
      if (fresh !== undefined) return { value: fresh, stale: false };
    }
    core.assertOpen();
    if (core.store.find(core.store.keys.write(key), !quiet) !== "memory") return undefined;
    const { expiresMs, staleUntilMs } = core.store.record;
    const now = expiresMs === Infinity ? 0 : core.clock.now();
    const stale = expiresMs <= now;
    if (stale && staleUntilMs <= now) return undefined;
    const value = this.#decodeFound(key);
    if (value === undefined) return undefined;
    if (!quiet) core.kernel.count(counter.counterMisses, 1);
    return { value, stale };
  }

  /** For read-through, after a `peek` that found nothing: the value wherever it is, fresh or stale. Unless `quiet`,
   *  counts a disk hit or a miss. `bytesRead`: see FillStore. */
  async read(key: Key, quiet = false, bytesRead = nobody): Promise<FoundValue<V> | undefined> {
    const inMemory = this.peek(key, true);
    let found = inMemory;
    if (inMemory !== undefined) bytesRead();
    else if (this.#core.tier !== null) found = await this.#fromDisk(key, bytesRead);
    if (quiet) return found;
    const isHit = inMemory === undefined && found !== undefined && !found.stale;
    this.#core.kernel.count(isHit ? counter.counterDiskHits : counter.counterMisses, 1);
    return found;
  }

  async #fromDisk(key: Key, bytesRead = nobody): Promise<FoundValue<V> | undefined> {
    const start = performance.now();
    const entry = await this.#entryFromDisk(key, bytesRead);
    if (entry === undefined) return undefined;
    const nanoseconds = (performance.now() - start) * 1e6;
    this.#core.sample(counter.histogramDisk, nanoseconds);
    // Looked at anew: it may have expired while its chunks were read.
    const now = this.#core.clock.now();
    const stale = entry.expiresAt <= now;
    return stale && entry.staleUntil <= now ? undefined : { value: entry.value, stale };
  }

  /** Reads the entry wherever it is; expired ones too, while they may be served stale. */
  async #entryFromDisk(key: Key, bytesRead = nobody): Promise<CacheEntry<V> | undefined> {
    const core = this.#core;
    for (let turn = 0; turn < turnsMax; turn++) {
      const record = await this.#reads.read(key, bytesRead);
      core.assertOpen();
      if (record === undefined) return undefined;
      if (record !== "memory") return this.#entryOf(record, "disk");
      bytesRead();
      const found = core.store.find(core.store.keys.write(key), true);
      if (found === "memory") return this.#entryOf(core.store.record, "memory");
      if (found === "none") return undefined;
    }
    return undefined;
  }

  async #entryOf(
    record: RecordReader,
    source: "memory" | "disk",
  ): Promise<CacheEntry<V> | undefined> {
    if ((record.flags & flagChunk) !== 0) return undefined;
    const head = headOf(record);
    if (head.expiresMs !== Infinity) {
      const now = this.#core.clock.now();
      if (head.expiresMs <= now) this.#core.kernel.count(counter.counterExpiredHits, 1);
      if (head.staleUntilMs <= now) return undefined;
    }
    let value: V | undefined;
    let size = head.size;
    if ((head.flags & flagChunked) === 0) {
      const { buffer, valueStart, valueEnd } = record;
      value = this.#decode(head.codecId, head.flags, buffer, valueStart, valueEnd);
    } else {
      const whole = await this.#gather(largeValueOf(record));
      if (whole === undefined) return undefined;
      size += whole.length;
      value = this.#decode(head.codecId, head.flags, whole, 0, whole.length);
    }
    return value === undefined ? undefined : entryOf(value, source, head, size);
  }

  /** All chunks of a value, from memory and disk; undefined if one is gone. */
  async #gather(large: LargeValue): Promise<Buffer | undefined> {
    const { store, tier } = this.#core;
    const whole = Buffer.allocUnsafeSlow(large.bytes);
    for (let number = 0; number < chunkCount(large); number++) {
      const name = chunkKey(large, number);
      let record: RecordReader | "memory" | undefined = "memory";
      for (let turn = 0; turn < turnsMax && record === "memory"; turn++) {
        if (store.find(store.keys.write(name), true) === "memory") record = store.record;
        else record = await tier?.read(name);
        this.#core.assertOpen();
      }
      if (record === undefined || record === "memory") return undefined;
      if (!copyChunk(whole, large, number, record)) return undefined;
    }
    return whole;
  }

  /** The entry with its metadata, from memory or disk, if it is fresh. */
  async getEntry(key: Key): Promise<CacheEntry<V> | undefined> {
    const core = this.#core;
    const nearBefore = this.#f64[this.#nearHits];
    const value = this.#look(key);
    if (value !== undefined) {
      const source = this.#f64[this.#nearHits] === nearBefore ? "memory" : "near";
      // The value was decoded already; the record is read once more for what is known of it.
      if (core.store.find(core.store.keys.write(key), false) === "memory") {
        const head = headOf(core.store.record);
        return entryOf(value, source, head, head.size + chunkBytesOf(core.store.record));
      }
    }
    const entry = core.tier === null ? undefined : await this.#entryFromDisk(key);
    const isFresh = entry !== undefined && entry.expiresAt > core.clock.now();
    core.kernel.count(isFresh ? counter.counterDiskHits : counter.counterMisses, 1);
    return isFresh ? entry : undefined;
  }

  /** Whether the key is there: exact for memory; on disk the index's word, wrong for about one absent key in 9,000. */
  has(key: Key): boolean {
    const { store, clock } = this.#core;
    this.#core.assertOpen();
    const found = store.find(store.keys.write(key), false);
    if (found !== "memory") return found === "disk";
    const { expiresMs } = store.record;
    return expiresMs === Infinity || expiresMs > clock.now();
  }
}

function headOf(record: RecordReader): Head {
  const { codecId, flags, expiresMs, staleUntilMs, createdMs, size } = record;
  return { codecId, flags, expiresMs, staleUntilMs, createdMs, size, tags: record.tags() };
}

function chunkBytesOf(record: RecordReader): number {
  return (record.flags & flagChunked) === 0 ? 0 : largeValueOf(record).bytes;
}

function entryOf<V>(
  value: V,
  source: "near" | "memory" | "disk",
  head: Head,
  size: number,
): CacheEntry<V> {
  return {
    value,
    source,
    createdAt: head.createdMs,
    expiresAt: head.expiresMs,
    staleUntil: head.staleUntilMs,
    tags: head.tags,
    size,
  };
}
