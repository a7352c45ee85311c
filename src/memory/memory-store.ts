// The memory tier as one thread uses it: keys in, records out. Called by the facade, by pool workers that encode large
// values, and by the disk tier's reader. Invariants: what `read` leaves in `record` was copied whole out of shared
// memory and validated after; nothing of a call survives into the next, so nothing of it may cross an await.
import { assert } from "../base/mod.js";
import { type Kernel, type KernelVerbs, layout as at } from "../kernel/mod.js";
import {
  flagChunk,
  flagDiskLocation,
  flagExpires,
  flagKeyBytes,
  flagStale,
  flagTags,
  recordHeaderSize,
  RecordReader,
} from "../record/mod.js";
import {
  counterSetBytes,
  counterSetsOverloaded,
  counterSetsStored,
  counterSetsTooLarge,
} from "../stats/mod.js";
import { keyTooLong, KeyWindow, noKeyRoom } from "./key-window.js";

/** Below this a loop over words beats the call that copies bytes. */
const wordCopyMax = 512;

/** How a write came out. "superseded" only for fills: a newer write, delete or clear won. */
export type WriteOutcome = "stored" | "too-large" | "overloaded" | "superseded";

/** How an append came out: as a write, but for why there was no room: "no-room" (no segment is free, or no slot), "busy"
 *  (the key's lock could not be had). */
export type AppendOutcome = "stored" | "too-large" | "no-room" | "busy" | "superseded";

/** What a lookup found: a record in memory (in `record`), a place on disk (in `location`), or nothing. */
export type Found = "memory" | "disk" | "none";

/** What to write beside key and value. Times are wall-clock milliseconds, Infinity = never. */
export interface WriteFields {
  readonly codecId: number;
  /** flagCompressed, flagChunked, flagChunk; the store adds the others. */
  readonly flags: number;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly staleUntilMs: number;
  /** encodeTags(tags): empty for none. */
  readonly tags: Uint8Array;
  /** The flight whose fill this is, or -1. */
  readonly flight: number;
  /** Whether it may be written to disk. A record without the room for its place there never is. */
  readonly forDisk: boolean;
}

/** What the store calls when a write or delete killed a record that has a copy on disk. */
export type TombstoneWriter = (location: number) => void;

export class MemoryStore {
  readonly kernel: Kernel;
  /** The last record read. */
  readonly record: RecordReader;
  readonly keys: KeyWindow;
  /** The largest record a segment takes; larger values are written in chunks. */
  readonly recordBytesMax: number;
  /** After a lookup: the slot, its word, and for "disk" where the record is. */
  slot = 0;
  slotLow = 0;
  slotHigh = 0;
  hashLow = 0;
  location = 0;
  readonly #verbs: KernelVerbs;
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #results: { readonly word: number; readonly double: number };
  readonly #hasDisk: boolean;
  readonly #log: number;
  #writeTombstone: TombstoneWriter = () => assert(false, "a memory-only cache has nothing on disk");
  /** Called when no segment is free: true if it made room. */
  #reclaim: () => boolean = () => false;

  /** `log` is the log that this thread's writes go to. */
  constructor(kernel: Kernel, log: number = at.logSmall) {
    this.kernel = kernel;
    this.record = new RecordReader(4096, kernel.createdBaseMs);
    this.keys = new KeyWindow(kernel, log);
    this.#log = log;
    this.recordBytesMax = kernel.geometry.segmentBytes;
    this.#verbs = kernel.verbs;
    this.#u8 = kernel.views.u8;
    this.#u32 = kernel.views.u32;
    this.#f64 = kernel.views.f64;
    this.#results = { word: kernel.block / 4, double: kernel.block / 8 };
    this.#hasDisk = kernel.geometry.diskSegmentCount > 0;
  }

  /** Says who marks killed disk copies dead, and who makes room when no segment is free. */
  connect(writeTombstone: TombstoneWriter, reclaim: () => boolean): void {
    this.#writeTombstone = writeTombstone;
    this.#reclaim = reclaim;
    this.keys.makeRoom = reclaim;
  }

  /** Looks a key up and copies its record into `record`. `touch` counts the hit for eviction. A record that is larger
   *  than it says, torn or replaced meanwhile is looked up anew; after readRetriesMax turns the answer is "none". */
  find(keyBytes: number, touch: boolean): Found {
    if (keyBytes < 0) return "none";
    for (let turn = 0; turn < at.readRetriesMax; turn++) {
      const found = this.#verbs.find(this.keys.at, keyBytes, touch ? 1 : 0);
      if (found === at.answerMiss) return "none";
      this.slotLow = this.#u32[this.#results.word + at.resultSlotLow / 4] as number;
      this.slotHigh = this.#u32[this.#results.word + at.resultSlotHigh / 4] as number;
      this.hashLow = this.#u32[this.#results.word + at.resultHashLow / 4] as number;
      if (found < 0) {
        this.slot = at.answerDisk - found;
        this.location = this.#f64[this.#results.double + at.resultLocation / 8] as number;
        return "disk";
      }
      this.slot = found;
      if (this.#copy()) return "memory";
    }
    return "none";
  }

  /** Of the last lookup, if it found a record with tags: the tag epoch when they were looked at. */
  get tagEpoch(): number {
    return this.#u32[this.#results.word + at.resultTagEpoch / 4] as number;
  }

  /** Is the slot of the last lookup still what it was? Also fences, so that what was copied before counts. */
  isCurrent(): boolean {
    return this.#verbs.validate(this.slot, this.slotLow, this.slotHigh) === 1;
  }

  /** For a walk over the index: copies the memory record that a slot names into `record`; false if it names none, or one
   *  that was cleared. A record that is moved meanwhile is read where it went. */
  readSlot(slot: number): boolean {
    const { segmentBase, segmentBytes, bucketBase } = this.kernel.geometry;
    const word = bucketBase / 4 + slot * 2;
    const diskBit = 1 << (at.slotTierShift - 32);
    this.slot = slot;
    for (let turn = 0; turn < at.readRetriesMax; turn++) {
      // Two halves of two moments are no word that `isCurrent` finds in the slot.
      this.slotLow = this.#u32[word] as number;
      this.slotHigh = this.#u32[word + 1] as number;
      if (this.slotHigh === 0 || (this.slotHigh & diskBit) !== 0) return false;
      const offset = (this.slotLow & (2 ** at.locationOffsetBits - 1)) * 8;
      const segment = (this.slotLow >>> at.locationOffsetBits) & (at.segmentCountMax - 1);
      const from = segmentBase + segment * segmentBytes + offset;
      const size = this.#u32[from / 4] as number;
      if (size < recordHeaderSize || offset + size > segmentBytes) continue;
      if (this.#copyFrom(from, size)) return this.record.sequence > this.kernel.clearEpoch();
    }
    return false;
  }

  #copy(): boolean {
    const from = this.#u32[this.#results.word + at.resultRecord / 4] as number;
    const size = this.#u32[this.#results.word + at.resultRecordSize / 4] as number;
    return this.#copyFrom(from, size);
  }

  #copyFrom(from: number, size: number): boolean {
    const { record } = this;
    record.ensure(size + 7);
    if (size <= wordCopyMax) {
      const first = from >>> 2;
      const words = (size + 3) >>> 2;
      for (let word = 0; word < words; word++)
        record.words[word] = this.#u32[first + word] as number;
    } else {
      record.buffer.set(this.#u8.subarray(from, from + size), 0);
    }
    if (!this.isCurrent()) return false;
    record.parse(0);
    return true;
  }

  /** Bytes of a record with this key, value and fields. */
  sizeOf(keyBytes: number, valueBytes: number, fields: WriteFields): number {
    return recordHeaderSize + this.#extensionBytes(fields) + keyBytes + valueBytes;
  }

  #extensionBytes(fields: WriteFields): number {
    const times =
      fields.expiresMs === Infinity ? 0 : fields.staleUntilMs > fields.expiresMs ? 16 : 8;
    return (this.#hasDisk && fields.forDisk ? 8 : 0) + times + fields.tags.length;
  }

  /** Writes a record and makes it the newest of its key. The key must have been written to `keys` just before. Whatever
   *  the outcome but "superseded", an older value of the key is gone. */
  write(
    key: string | Uint8Array,
    keyBytes: number,
    value: Uint8Array,
    fields: WriteFields,
  ): WriteOutcome {
    const outcome = this.append(key, keyBytes, value, fields);
    if (outcome === "too-large") return this.refuse(key);
    return outcome === "no-room" || outcome === "busy" ? this.overload(key) : outcome;
  }

  /** As `write`, but an append that came to nothing has changed nothing. */
  append(
    key: string | Uint8Array,
    keyBytes: number,
    value: Uint8Array,
    fields: WriteFields,
  ): AppendOutcome {
    const size = this.sizeOf(Math.max(keyBytes, 1), value.length, fields);
    if (keyBytes === keyTooLong || size > this.recordBytesMax) return "too-large";
    if (keyBytes < 0) return "no-room";
    const outcome = this.#append(key, keyBytes, value, size, fields);
    if (outcome === "stored") {
      // A chunk is part of a set, not one of its own.
      if ((fields.flags & flagChunk) === 0) this.kernel.count(counterSetsStored, 1);
      this.kernel.count(counterSetBytes, size);
    }
    return outcome;
  }

  /** A set of a value that no cache of this size holds: the older value goes all the same. */
  refuse(key: string | Uint8Array): WriteOutcome {
    this.remove(this.keys.write(key));
    this.kernel.count(counterSetsTooLarge, 1);
    return "too-large";
  }

  /** A set for which there was no room: the older value goes all the same. */
  overload(key: string | Uint8Array): WriteOutcome {
    this.remove(this.keys.write(key));
    this.kernel.count(counterSetsOverloaded, 1);
    return "overloaded";
  }

  #append(
    key: string | Uint8Array,
    keyBytes: number,
    value: Uint8Array,
    size: number,
    fields: WriteFields,
  ): AppendOutcome {
    let record = this.#verbs.reserve(size, this.#log, 0) >>> 0;
    if (record === 0 && this.#reclaim()) record = this.#verbs.reserve(size, this.#log, 0) >>> 0;
    if (record === 0) return "no-room";
    const extensionBytes = this.#extensionBytes(fields);
    let flags = fields.flags | this.#writeExtension(record + recordHeaderSize, fields);
    if (typeof key !== "string") flags |= flagKeyBytes;
    const keyAt = record + recordHeaderSize + extensionBytes;
    // A long key was staged where this very record lies now: it is encoded anew, since reserve has written over it.
    if (this.keys.isStaged) {
      this.#u8.set(typeof key === "string" ? Buffer.from(key, "utf8") : key, keyAt);
    } else if (keyBytes <= wordCopyMax) {
      this.#copyWords(keyAt, this.keys.at, keyBytes);
    } else {
      this.#u8.copyWithin(keyAt, this.keys.at, this.keys.at + keyBytes);
    }
    this.#u8.set(value, keyAt + keyBytes);
    const answer = this.#verbs.publish(
      record,
      keyBytes,
      fields.codecId,
      flags,
      extensionBytes / 8,
      fields.createdMs,
      fields.flight + 1,
    );
    this.#writePendingTombstones();
    if (answer === at.answerDone) return "stored";
    if (answer === at.answerNoRoom) return "no-room";
    return answer === at.answerSuperseded ? "superseded" : "busy";
  }

  /** Up to three bytes more than asked for: the value, or the padding of the record, comes to lie over them. */
  #copyWords(to: number, from: number, bytes: number): void {
    const u32 = this.#u32;
    let word = to >>> 2;
    const shift = (from >>> 2) - word;
    for (const end = (to + bytes + 3) >>> 2; word < end; word++) {
      u32[word] = u32[word + shift] as number;
    }
  }

  #writeExtension(place: number, fields: WriteFields): number {
    let flags = 0;
    let double = place / 8;
    if (this.#hasDisk && fields.forDisk) {
      this.#f64[double++] = 0;
      flags |= flagDiskLocation;
    }
    if (fields.expiresMs !== Infinity) {
      this.#f64[double++] = fields.expiresMs;
      flags |= flagExpires;
      if (fields.staleUntilMs > fields.expiresMs) {
        this.#f64[double++] = fields.staleUntilMs;
        flags |= flagStale;
      }
    }
    if (fields.tags.length > 0) {
      this.#u8.set(fields.tags, double * 8);
      flags |= flagTags;
    }
    return flags;
  }

  /** Removes the key that was just written to `keys`; true if it was there. Visible to every thread at once. */
  remove(keyBytes: number): boolean {
    if (keyBytes === noKeyRoom) {
      // No segment has room to look for it, and it must go all the same.
      let wasThere = false;
      this.keys.borrowSlack((borrowed) => (wasThere = this.remove(borrowed)));
      return wasThere;
    }
    if (keyBytes < 0) return false;
    const outcome = this.removeLocked(keyBytes);
    if (outcome === "busy") this.#removeUnlocked(keyBytes);
    return outcome !== "gone";
  }

  /** As `remove`, but only with the key's lock: "busy" if that could not be had, and nothing has changed. */
  removeLocked(keyBytes: number): "removed" | "gone" | "busy" {
    const answer = this.#verbs.remove(this.keys.at, keyBytes);
    if (answer === at.answerBusy) return "busy";
    this.#writePendingTombstones();
    return answer === at.answerDone ? "removed" : "gone";
  }

  /** For a key whose lock cannot be had. A key has a slot in memory or one on disk, and others may write it meanwhile. */
  #removeUnlocked(keyBytes: number): void {
    for (let turn = 0; turn < at.readRetriesMax; turn++) {
      if (this.#verbs.evictUnlocked(this.keys.at, keyBytes) !== at.answerDone) return;
      this.#writePendingTombstones();
    }
  }

  /** Drops the disk entry that the last lookup found, if its slot is unchanged: it was damaged or another key's. */
  dropFound(): void {
    this.#verbs.dropSlot(this.slot, this.slotLow, this.slotHigh);
    this.#writePendingTombstones();
  }

  /** Marks dead on disk what the last verb killed there. */
  #writePendingTombstones(): void {
    const { double, word } = this.#results;
    for (let place = 0; place < 2; place++) {
      const location = this.#f64[double + at.resultTombstone0 / 8 + place] as number;
      if (location === 0) continue;
      this.#writeTombstone(location);
      // Only now: if this thread dies before its mark is written, whoever recovers it finds the place here.
      Atomics.store(this.kernel.views.i32, word + at.threadTombstoneSegment0 / 4 + place, 0);
      this.#f64[double + at.resultTombstone0 / 8 + place] = 0;
    }
  }

  /** Copies a verified disk record (in `source`) back to memory and points the unchanged slot at the copy. */
  promote(source: RecordReader): boolean {
    const record = this.#verbs.reserve(source.size, this.#log, 0) >>> 0;
    if (record === 0) return false;
    const bytes = source.buffer.subarray(source.start, source.start + source.size);
    this.#u8.set(bytes, record);
    return this.#verbs.promote(record, this.slot, this.slotLow, this.slotHigh) === at.answerDone;
  }
}
