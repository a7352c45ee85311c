// Reads entries on one thread: near cache, then shared memory, then disk. Called by the facade and
// by read-through. Invariants: only what is for read-through returns an expired value, marked as
// stale; what was checked before an await is checked again; a call writes and hashes its key once.
import { elapsedMs } from "../base/mod.js";
import { HashedKey, type Key } from "../kernel/mod.js";
import { type Found, largeValueOf } from "../memory/mod.js";
import { isHead, isInternal, isNegative } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import {
  type CacheEntry,
  type FoundValue,
  metadataOf,
  noValue,
  type OnDisk,
  type Peek,
  type PeekedEntry,
} from "./found-entry.js";
import { DiskEntries } from "./disk-entries.js";
import { earlySampleEvery, GetSampler } from "./get-sampler.js";
import { noteRequest } from "./request-notes.js";
import type { ThreadCore } from "./thread-core.js";
import { moveAttemptsMax, type ShownValue, type ValueDecoder } from "./value-decoder.js";

const noTags: readonly string[] = [];
/** In place of a value: its record was replaced while it was read, so it is looked for again. */
const changed = Symbol("changed");
const nobody = (): void => undefined;
/** Where nobody may record. */
const neverOn = new Uint32Array(2);

export class EntryReader<V> {
  readonly #core: ThreadCore;
  readonly #near: ThreadCore["near"];
  readonly #decoder: ValueDecoder<V>;
  readonly #disk: DiskEntries<V>;
  readonly #sampler: GetSampler;
  #getsLeft = earlySampleEvery;
  #peeksLeft = earlySampleEvery;
  readonly #counters: ThreadCore["counters"];
  /** Requests are recorded while word 1 is not 0. */
  readonly #recording: Uint32Array;
  /** Why the last lookup found no value. "expired": its record is in the record reader still. */
  #miss: "disk" | "expired" | "negative" | "absent" = "absent";
  /** The key window's write count after the last lookup wrote its key. */
  #writes = 0;

  constructor(core: ThreadCore, decoder: ValueDecoder<V>) {
    this.#core = core;
    this.#near = core.near;
    this.#decoder = decoder;
    this.#disk = new DiskEntries(core, decoder);
    this.#sampler = new GetSampler(core);
    this.#counters = core.counters;
    this.#recording = core.requests?.words ?? neverOn;
  }

  // ── For users ───────────────────────────────────────────────────────────────────────────────

  /** The value from the near cache or shared memory, if it is fresh. */
  getSync(key: Key): V | undefined {
    if (this.#recording[1] !== 0) noteRequest(this.#core, key);
    const value = --this.#getsLeft === 0 ? this.#sampled(key) : this.#look(key);
    if (value === undefined) this.#core.count(counter.counterMisses, 1);
    return value;
  }

  /** A sampled get: timed, and used to detect interned keys. */
  #sampled(key: Key): V | undefined {
    this.#observe(key);
    return this.#sampler.time(() => this.#look(key));
  }

  /** Lets the key identity detector see the key. Call it before the lookup. */
  #observe(key: Key): void {
    this.#getsLeft = this.#sampler.next(key);
    if (typeof key === "string") this.#near?.observe(key);
  }

  /** The value from memory or disk, if it is fresh; a promise only if it may be on disk. With
   *  `onDisk` it does not read there: that is given the key and its location, for `readFresh`. */
  get(key: Key, onDisk?: OnDisk): V | undefined | Promise<V | undefined> {
    if (this.#recording[1] !== 0) noteRequest(this.#core, key);
    if (--this.#getsLeft === 0) this.#observe(key);
    const value = this.#look(key);
    if (value !== undefined) return value;
    if (this.#miss === "disk") {
      const read = this.takeKey(key);
      if (onDisk === undefined) return this.readFresh(read);
      return onDisk(read, this.#core.reader.found.location);
    }
    this.#core.count(counter.counterMisses, 1);
    return undefined;
  }

  /** After a lookup that found a disk location: the value there, if it is fresh. */
  async readFresh(key: HashedKey): Promise<V | undefined> {
    const found = await this.readDisk(key, nobody, true);
    const isHit = found?.stale === false;
    this.#core.count(isHit ? counter.counterDiskHits : counter.counterMisses, 1);
    return isHit ? found.value : undefined;
  }

  /** The entry with its metadata, from memory or disk, if it is fresh. */
  async getEntry(key: Key): Promise<CacheEntry<V> | undefined> {
    if (this.#recording[1] !== 0) noteRequest(this.#core, key);
    const { found, nearValue } = this.#findRecord(key);
    const entry = found === "memory" ? this.#entryInMemory(key, nearValue) : undefined;
    if (entry !== undefined) return entry;
    const onDisk =
      found === "none" ? undefined : await this.#disk.read(this.takeKey(key), nobody, true);
    const isFresh = onDisk !== undefined && onDisk.entry.expiresAt > this.#core.clock.now();
    this.#core.count(isFresh ? counter.counterDiskHits : counter.counterMisses, 1);
    return isFresh ? onDisk.entry : undefined;
  }

  /** Reads the record of a key from memory even if its value is near: it has the metadata. */
  #findRecord(key: Key): { found: Found; nearValue: V | undefined } {
    const { reader, keys } = this.#core;
    this.#core.assertOpen();
    keys.write(key);
    const found = reader.findWritten(true);
    this.#writes = keys.writes;
    if (found !== "memory" || typeof key !== "string") return { found, nearValue: undefined };
    const { low, high } = reader.found;
    return { found, nearValue: this.#near?.valueOf(key, low, high) as V | undefined };
  }

  /** Whether the key is present. Exact for memory. For disk only the index is asked, which is wrong
   *  for about one absent key in 9,000. */
  has(key: Key): boolean {
    const { reader, clock } = this.#core;
    this.#core.assertOpen();
    const found = reader.find(key, false);
    const { expiresMs, flags } = reader.record;
    if (found !== "memory") return found === "disk";
    return !isInternal(flags) && (expiresMs === Infinity || expiresMs > clock.now());
  }

  // ── For read-through ────────────────────────────────────────────────────────────────────────

  /** Reads and hashes a key for the calls below. */
  readKey(key: Key): HashedKey {
    const { keys } = this.#core;
    this.#core.assertOpen();
    keys.write(key);
    return keys.take(key);
  }

  /** Like `readKey`, for the key just looked up. Only copies its bytes, unless decoding wrote
   *  another key to the key window meanwhile. */
  takeKey(key: Key): HashedKey {
    const { keys } = this.#core;
    if (keys.writes !== this.#writes) keys.write(key);
    return keys.take(key);
  }

  /** The value in memory, fresh or stale. Counts a hit, or a miss for a stale value. If there is
   *  neither, the caller counts. */
  peek(key: Key): Peek<V> {
    if (this.#recording[1] !== 0) noteRequest(this.#core, key);
    if (--this.#peeksLeft === 0) this.#peeksLeft = this.#sampler.next(key);
    const fresh = this.#look(key);
    if (fresh !== undefined) return { kind: "fresh", value: fresh };
    const { reader, clock } = this.#core;
    if (this.#miss === "expired" && reader.record.staleUntilMs > clock.now()) {
      const { sequence } = reader.record;
      const value = this.#decodeFound(key);
      if (value !== undefined && value !== changed) {
        this.#core.count(counter.counterMisses, 1);
        return { kind: "stale", value, sequence };
      }
    }
    return noValue[this.#miss === "expired" ? "absent" : this.#miss];
  }

  /** Like `peek`, with what the record says of the value. Counts no hit and no miss. */
  peekEntry(key: Key): PeekedEntry<V> {
    if (this.#recording[1] !== 0) noteRequest(this.#core, key);
    const { found, nearValue } = this.#findRecord(key);
    const value = this.#findValue(key, found, nearValue);
    if (value === undefined) return this.#miss === "disk" ? noValue.disk : noValue.absent;
    if (value.value === undefined) return noValue.negative;
    if (value.stale) this.#core.count(counter.counterExpiredHits, 1);
    return { kind: "entry", found: value, source: nearValue === undefined ? "memory" : "near" };
  }

  /** The value in memory, fresh or stale. Counts nothing. */
  peekAgain(key: HashedKey): FoundValue<V> | undefined {
    this.#core.assertOpen();
    return this.#findValue(key, this.#core.reader.findHashed(key, false));
  }

  /** The value in memory or on disk, fresh or stale. Counts nothing. */
  async readAgain(key: HashedKey, bytesRead = nobody): Promise<FoundValue<V> | undefined> {
    const found = this.peekAgain(key);
    if (found === undefined) {
      return this.#miss === "disk" ? this.readDisk(key, bytesRead) : undefined;
    }
    bytesRead();
    return found;
  }

  /** Gives a value that was just read to one caller after another. Where hits return copies, each
   *  caller after the first gets an object of its own. */
  copiesOf(key: HashedKey, value: V): () => V {
    return this.#decoder.isShareable(value) ? () => value : this.#decoder.copiesOf(key, value);
  }

  /** Keeps a value near that was just stored. `low` and `high` are the word of its slot. */
  keepNear(
    key: HashedKey,
    { value, isShareable }: ShownValue<V>,
    stored: { low: number; high: number; tagEpoch: number | null; expiresMs: number; size: number },
  ): void {
    const near = this.#near;
    const { expiresMs, size, ...word } = stored;
    if (near === null || key.isBytes || !isShareable) return;
    near.keepLoaded(word, key.hashLow, key.id, value, expiresMs, size);
  }

  // ── Memory ──────────────────────────────────────────────────────────────────────────────────

  /** The value near or in memory, if it is fresh. Counts a hit, but no miss. */
  #look(key: Key): V | undefined {
    const near = this.#lookNear(key);
    if (near === undefined) return this.#lookInMemory(key);
    this.#counters.add(counter.counterNearHits, 1);
    return near;
  }

  /** The value if it is near. After a miss the key is in the key window. */
  #lookNear(key: Key): V | undefined {
    const near = this.#near;
    if (near === null || typeof key !== "string") {
      this.#core.assertOpen();
      this.#core.keys.write(key);
      return undefined;
    }
    const isCurrent = near.isCurrent();
    if (!isCurrent) this.#core.assertOpen();
    return near.find(key, isCurrent) as V | undefined;
  }

  /** The value in memory of `key`, which is in the key window, if it is fresh. */
  #lookInMemory(key: Key, attempt = 1): V | undefined {
    const { reader, clock } = this.#core;
    const found = attempt === 1 ? reader.findWritten(true) : this.#findAgain(key);
    this.#writes = reader.keys.writes;
    this.#miss = found === "disk" ? "disk" : "absent";
    if (found !== "memory") return undefined;
    const { record } = reader;
    if (isInternal(record.flags)) {
      const counts = record.expiresMs > clock.now();
      if (isNegative(record.flags) && counts) this.#miss = "negative";
      return undefined;
    }
    if (record.expiresMs !== Infinity && record.expiresMs <= clock.now()) {
      this.#core.count(counter.counterExpiredHits, 1);
      this.#miss = "expired";
      return undefined;
    }
    const value = this.#decodeFound(key, attempt);
    if (value === changed) return this.#lookInMemory(key, attempt + 1);
    if (value !== undefined) this.#core.count(counter.counterMemoryHits, 1);
    return value;
  }

  /** What the record says that a lookup found in memory: a value, fresh or stale, or that there is
   *  none. A near value is not decoded. */
  #findValue(
    key: Key | HashedKey,
    found: Found,
    nearValue?: V,
    attempt = 1,
  ): FoundValue<V> | undefined {
    const { reader, clock } = this.#core;
    this.#miss = found === "disk" ? "disk" : "absent";
    if (found !== "memory") return undefined;
    // Copied first: decoding may use the record reader for another record.
    const { record } = reader;
    const { createdMs: createdAt, expiresMs: expiresAt, staleUntilMs, sequence, revision } = record;
    if (isInternal(record.flags)) {
      if (!isNegative(record.flags) || expiresAt <= clock.now()) return undefined;
      return { value: undefined, stale: false, sequence, createdAt, expiresAt, tags: noTags };
    }
    const now = expiresAt === Infinity ? 0 : clock.now();
    const stale = expiresAt <= now;
    if (stale && staleUntilMs <= now) return undefined;
    const tags = record.hasTags ? record.tags() : noTags;
    const value = nearValue ?? this.#decodeFound(key, attempt);
    if (value === changed)
      return this.#findValue(key, this.#findAgain(key), undefined, attempt + 1);
    if (value === undefined) return undefined;
    return { value, stale, sequence, createdAt, expiresAt, tags, revision };
  }

  /** Decodes the record of `key` just read from memory; keeps the value near if that is worth it.
   *  Undefined if it cannot be decoded or one of its chunks is not in memory. `changed` if it was
   *  replaced, so what the caller knows is of another value: not at the last attempt. */
  #decodeFound(key: Key | HashedKey, attempt = 1): V | typeof changed | undefined {
    const { reader, kernel } = this.#core;
    const near = this.#near;
    const { record, found } = reader;
    // Copy these first: reading chunks reuses the record reader and the results.
    const { expiresMs, size } = record;
    const { low, high } = found;
    const { hashLow, tagEpoch } = kernel.results;
    const word = { low, high, tagEpoch: record.hasTags ? tagEpoch : null };
    const nearHits = this.#counters.own(counter.counterNearHits);
    const isKeyed = near !== null && !record.isBytesKey;
    const ticket = isKeyed ? near.wants(record, hashLow, nearHits) : 0;
    const decoded = this.#decoder.decode(record, key);
    if (decoded === "changed" && attempt < moveAttemptsMax) return changed;
    if (decoded === undefined || typeof decoded === "string") {
      // The codec, or a listener that was told of its fault, may have looked up another key.
      this.#miss = decoded === undefined ? "absent" : "disk";
      return undefined;
    }
    const { value, isShareable, chunkBytes } = decoded;
    if (ticket > 0 && isShareable) {
      near?.keep(ticket, word, value, expiresMs, size + chunkBytes);
    }
    return value;
  }

  /** Looks for a key again after `changed`. The key window has another key by then. */
  #findAgain(key: Key | HashedKey): Found {
    const { reader } = this.#core;
    return key instanceof HashedKey ? reader.findHashed(key, false) : reader.find(key, false);
  }

  /** The entry of the record just read from memory, if it is fresh. A near value is not decoded. */
  #entryInMemory(key: Key, nearValue?: V, attempt = 1): CacheEntry<V> | undefined {
    const { reader, clock } = this.#core;
    const { record } = reader;
    if (isInternal(record.flags)) return undefined;
    const metadata = metadataOf(record);
    const chunkBytes = !isHead(record.flags) ? 0 : largeValueOf(record).bytes;
    if (record.expiresMs !== Infinity && record.expiresMs <= clock.now()) {
      this.#core.count(counter.counterExpiredHits, 1);
      return undefined;
    }
    const value = nearValue ?? this.#decodeFound(key, attempt);
    if (value === changed) {
      const found = this.#findAgain(key);
      return found === "memory" ? this.#entryInMemory(key, undefined, attempt + 1) : undefined;
    }
    if (value === undefined) return undefined;
    const isNear = nearValue !== undefined;
    this.#core.count(isNear ? counter.counterNearHits : counter.counterMemoryHits, 1);
    const source = isNear ? "near" : "memory";
    return { ...metadata, value, source, size: metadata.size + chunkBytes };
  }

  // ── Disk ────────────────────────────────────────────────────────────────────────────────────

  /** After `peek` returned "disk": the value there, fresh or stale. Counts nothing. `isAsked`: a
   *  user asks for it, and hears why a value that came as a stream is not returned. */
  async readDisk(
    key: HashedKey,
    bytesRead: () => void,
    isAsked = false,
  ): Promise<FoundValue<V> | undefined> {
    const start = elapsedMs();
    const found = await this.#disk.read(key, bytesRead, isAsked);
    if (found === undefined) return undefined;
    const { entry, sequence, revision } = found;
    this.#core.sample(counter.histogramDisk, (elapsedMs() - start) * 1e6);
    // Check again: it may have expired while its chunks were read.
    const now = this.#core.clock.now();
    const stale = entry.expiresAt <= now;
    if (stale && entry.staleUntil <= now) return undefined;
    const { value, createdAt, expiresAt, tags } = entry;
    return { value, stale, sequence, createdAt, expiresAt, tags, revision };
  }
}
