// Writes the memory tier on one thread: appends records, publishes them, removes keys. Called by
// the entry writer, by pool workers that store large values, by the disk tier to promote records,
// and by a shared map. Invariant: when a write or remove returns, every thread sees it, and the
// tombstones of the disk records it made dead are written.
import { assert } from "../base/mod.js";
import {
  codes,
  extensionBytesOf,
  HashedKey,
  type Kernel,
  type Key,
  keyTooLong,
  type KeyWindow,
  type TombstoneWriter,
} from "../kernel/mod.js";
import {
  flagKeyBytes,
  isInternal,
  recordHasRevision,
  recordLoadShift,
  recordHeaderSize,
  type RecordReader,
} from "../record/mod.js";
import {
  counterSetBytes,
  type CounterSink,
  counterSetsOverloaded,
  counterSetsStored,
  counterSetsTooLarge,
} from "../stats/mod.js";
import type { LargeValue } from "./head-record.js";
import type { SlotRef, StoredRecord } from "./memory-reader.js";
import { isBytes, type Refusal, refusalOf } from "./write-refusal.js";

/** The outcome of a write. "superseded" only for fills: a newer write, delete or clear came
 *  first. "changed" and "outdated" only for conditional writes: nothing has changed. */
export type WriteOutcome = "stored" | "too-large" | "overloaded" | "superseded" | Refusal;

/** What a write depends on: `codes.conditionSequence` or `conditionRevision`, and which. */
export interface WriteCondition {
  readonly kind: number;
  readonly wanted: number;
}

/** The outcome of an append: as of a write, but "overloaded" is split into "no-room" (no free
 *  segment or slot) and "busy" (the key's lock was not free within its bound). */
export type AppendOutcome = "stored" | "too-large" | "no-room" | "busy" | "superseded" | Refusal;

/** What to write beside key and value. Times are wall-clock milliseconds, Infinity = never. */
export interface WriteFields {
  readonly codecId: number;
  /** How long its loader took (policy/worth.ts); default unknown. */
  readonly loadClass?: number | undefined;
  /** flagCompressed, flagChunked, flagChunk; the writer adds the others. */
  readonly flags: number;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly staleUntilMs: number;
  /** encodeTags(tags): empty for none. */
  readonly tags: Uint8Array;
  /** The flight whose fill this is, or -1. */
  readonly flight: number;
  /** Whether it may be flushed. A record without room for a disk location never is. */
  readonly forDisk: boolean;
  /** The caller's own order of writes. */
  readonly revision?: number | undefined;
  /** Unless it holds, the write changes nothing. */
  readonly condition?: WriteCondition | undefined;
}

/** Reclaims for one record before it finds no room: another thread may take what each has freed. */
const reclaimsMax = 16;

const unconditional: WriteCondition = { kind: codes.conditionNone, wanted: 0 };

export class MemoryWriter {
  readonly kernel: Kernel;
  readonly keys: KeyWindow;
  /** The largest record that a segment holds. */
  readonly recordBytesMax: number;
  readonly #hasDisk: boolean;
  readonly #log: number;
  readonly #bring: "promote" | "preload";
  #writeTombstone: TombstoneWriter = () => assert(false, "a memory-only cache has no disk copies");
  #reclaim: () => boolean = () => false;
  #counters: CounterSink;

  /** `log` is the log that this thread appends to, `bring` why it copies records to memory. */
  constructor(
    kernel: Kernel,
    keys: KeyWindow,
    log: number = codes.logSmall,
    bring: "promote" | "preload" = "promote",
  ) {
    this.kernel = kernel;
    this.keys = keys;
    this.#log = log;
    this.#counters = kernel.counters;
    this.#bring = bring;
    this.recordBytesMax = kernel.geometry.segmentBytes;
    this.#hasDisk = kernel.geometry.diskSegmentCount > 0;
  }

  /** Connects the writer of tombstones, and the foreground reclaim that runs when no segment is
   *  free (true if one is free afterwards). Sets are counted in `counters`. */
  connect(
    writeTombstone: TombstoneWriter,
    reclaim: () => boolean,
    counters: CounterSink = this.kernel.counters,
  ): void {
    this.#writeTombstone = writeTombstone;
    this.#reclaim = reclaim;
    this.#counters = counters;
  }

  /** Bytes of a record with this key, value and fields. */
  sizeOf(keyBytes: number, valueBytes: number, fields: WriteFields): number {
    return recordHeaderSize + this.#extensionBytes(fields) + keyBytes + valueBytes;
  }

  #extensionBytes(fields: WriteFields): number {
    return extensionBytesOf(fields, this.#hasDisk && fields.forDisk);
  }

  /** Writes a record and makes it the newest of its key. Unless "superseded" or refused by its
   *  condition, the key's older value is removed whatever the outcome. The slot's word is in the
   *  kernel's results. */
  write(key: Key | HashedKey, value: Uint8Array, fields: WriteFields): WriteOutcome {
    const outcome = this.append(key, value, fields);
    if (outcome === "too-large") return this.refuse(key, fields.condition);
    if (outcome !== "no-room" && outcome !== "busy") return outcome;
    return this.overload(key, fields.condition);
  }

  /** As `write`, but an append that fails changes nothing. */
  append(key: Key | HashedKey, value: Uint8Array, fields: WriteFields): AppendOutcome {
    const keyBytes = key instanceof HashedKey ? key.bytes.length : this.keys.write(key);
    const size = this.sizeOf(Math.max(keyBytes, 1), value.length, fields);
    if (keyBytes === keyTooLong || size > this.recordBytesMax) return "too-large";
    const outcome = this.#append(key, keyBytes, value, size, fields);
    if (outcome === "stored") {
      // A chunk is part of a set, not one of its own.
      if (!isInternal(fields.flags)) this.#counters.add(counterSetsStored, 1);
      this.#counters.add(counterSetBytes, size);
    }
    return outcome;
  }

  /** A set of a value that this cache can never hold: the older value is removed all the same. */
  refuse(key: Key | HashedKey, condition?: WriteCondition): WriteOutcome {
    const removed = this.removeIf(key, condition);
    if (removed === "changed" || removed === "outdated") return removed;
    this.#counters.add(counterSetsTooLarge, 1);
    return "too-large";
  }

  /** A set that found no room: the older value is removed all the same. */
  overload(key: Key | HashedKey, condition?: WriteCondition): WriteOutcome {
    const removed = this.removeIf(key, condition);
    if (removed === "changed" || removed === "outdated") return removed;
    this.#counters.add(counterSetsOverloaded, 1);
    return "overloaded";
  }

  /** After a set that turned out to have found no room: its value leaves. If eviction has taken it
   *  already, and counted it, it was stored and then evicted. */
  takeBack(key: HashedKey): WriteOutcome {
    if (this.removeIf(key) !== "removed") return "stored";
    this.#counters.add(counterSetsStored, -1);
    this.#counters.add(counterSetsOverloaded, 1);
    return "overloaded";
  }

  #append(
    key: Key | HashedKey,
    keyBytes: number,
    value: Uint8Array,
    size: number,
    fields: WriteFields,
  ): AppendOutcome {
    const { verbs, records } = this.kernel;
    const record = this.#reserve(size);
    if (record === 0) return "no-room";
    const { condition = unconditional } = fields;
    const hasDiskLocation = this.#hasDisk && fields.forDisk;
    const extensionBytes = this.#extensionBytes(fields);
    let flags = fields.flags | records.writeExtension(record, fields, hasDiskLocation);
    if (isBytes(key)) flags |= flagKeyBytes;
    const hashed = key instanceof HashedKey ? key : undefined;
    if (hashed !== undefined) records.writeBody(record, extensionBytes, hashed.bytes, value);
    else records.writeBodyFrom(record, extensionBytes, this.keys.at, keyBytes, value);
    const answer = verbs.publish(
      record,
      keyBytes + this.keys.spaceBits,
      codecByteOf(fields),
      flags,
      extensionBytes / 8,
      fields.createdMs,
      fields.flight + 1,
      hashed?.hashLow ?? 0,
      hashed?.hashHigh ?? 0,
      condition.kind,
      condition.wanted,
    );
    this.#drainTombstones();
    this.#dropReplaced();
    if (answer === codes.answerDone) return "stored";
    if (answer === codes.answerNoRoom) return "no-room";
    return answer === codes.answerSuperseded ? "superseded" : (refusalOf(answer) ?? "busy");
  }

  /** Room for a record, made if it must be; 0 if there is none. Another thread may take the segment
   *  that a reclaim has freed. */
  #reserve(size: number): number {
    const { verbs } = this.kernel;
    let record = verbs.reserve(size, this.#log, 0) >>> 0;
    for (let reclaims = 0; record === 0 && reclaims < reclaimsMax; reclaims++) {
      if (!this.#reclaim()) return 0;
      record = verbs.reserve(size, this.#log, 0) >>> 0;
    }
    return record;
  }

  #drainTombstones(): void {
    this.kernel.tombstones.drain(this.#writeTombstone);
  }

  /** Removes a key; true if it was there. Every thread sees it at once. */
  remove(key: Key | HashedKey): boolean {
    return this.removeIf(key) === "removed";
  }

  /** As `remove`, if the condition holds. */
  removeIf(key: Key | HashedKey, condition?: WriteCondition): "removed" | "absent" | Refusal {
    const isHashed = key instanceof HashedKey;
    const keyBytes = isHashed ? this.keys.load(key) : this.keys.write(key);
    const [low, high] = isHashed ? [key.hashLow, key.hashHigh] : [0, 0];
    if (keyBytes === keyTooLong) return "absent";
    const outcome = this.removeLocked(low, high, condition);
    if (outcome !== "busy") return outcome;
    this.#removeUnlocked();
    return "removed";
  }

  /** Removes the key just written to `keys`, but only under its lock. "busy": the lock was not free
   *  within its bound, and nothing has changed. */
  removeLocked(
    low = 0,
    high = 0,
    { kind, wanted } = unconditional,
  ): "removed" | "absent" | "busy" | Refusal {
    const { at, extent } = this.keys;
    const answer = this.kernel.verbs.remove(at, extent, low, high, kind, wanted);
    if (answer === codes.answerBusy) return "busy";
    this.#drainTombstones();
    this.#dropReplaced();
    return refusalOf(answer) ?? (answer === codes.answerDone ? "removed" : "absent");
  }

  /** Begins the guard of a write to the source, and removes the key. The guard's flight, or -1 if
   *  none is free, or the key's lock was not free within its bound: then nothing has changed. */
  beginGuard(key: HashedKey): number {
    this.keys.load(key);
    const { at, extent } = this.keys;
    const guard = this.kernel.verbs.beginGuard(at, extent, key.hashLow, key.hashHigh);
    if (guard < 0) return -1;
    this.#drainTombstones();
    this.#dropReplaced();
    return guard;
  }

  /** Drops the chunks of the head that the last call replaced or removed. Until then they are dead:
   *  if this thread dies here, eviction drops them. */
  #dropReplaced(): void {
    const { chunks } = this.kernel.value;
    if (chunks !== 0) this.dropChunks(chunks);
  }

  /** Drops the chunks of the value in the kernel's value register, [from, count). */
  dropChunks(count: number, from = 0): void {
    for (let number = from; number < count; number++) {
      this.kernel.verbs.dropChunk(number, 1);
      this.#drainTombstones();
    }
  }

  /** Leaves a chunk of that value to its copy on disk. False if it has none yet. */
  demoteChunk(number: number): boolean {
    const answer = this.kernel.verbs.demoteChunk(number, 1);
    this.#drainTombstones();
    return answer === codes.answerDone || answer === codes.answerAbsent;
  }

  /** Removes a key whose lock cannot be had. It repeats, since the key may have a slot in memory
   *  and one on disk, and others may write it meanwhile. */
  #removeUnlocked(): void {
    for (let attempt = 0; attempt < codes.readRetriesMax; attempt++) {
      const answer = this.kernel.verbs.evictUnlocked(this.keys.at, this.keys.extent);
      if (answer !== codes.answerDone) return;
      this.#drainTombstones();
    }
  }

  /** Drops an entry if its slot is unchanged: its record is damaged, cannot be decoded, or is
   *  another key's. Its copy on disk is dead when this returns. Answers whether it did. */
  drop({ slot, low, high }: SlotRef): boolean {
    const answer = this.kernel.verbs.dropSlot(slot, low, high);
    this.#drainTombstones();
    return answer === codes.answerDone;
  }

  /** Drops a value in chunks, wherever its parts are, if the slot of its head is unchanged. */
  dropValue(head: SlotRef, { hashLow, hashHigh, idLow, idHigh, chunks }: LargeValue): boolean {
    if (!this.drop(head)) return false;
    this.kernel.verbs.setValue(hashLow, hashHigh, idLow, idHigh, this.keys.space);
    this.dropChunks(chunks);
    return true;
  }

  /** Copies a value in chunks to memory, the head first: from then on eviction takes the parts for
   *  one entry. If there is no room for all of them, the head returns to disk, and the chunks
   *  follow it when eviction meets them. */
  promoteValue(head: StoredRecord, large: LargeValue, parts: readonly StoredRecord[]): void {
    const { verbs } = this.kernel;
    const { slot, low, high } = head.slot;
    // Another get of the same read may have done it.
    if (verbs.validate(slot, low, high) !== 1 || !this.promote(head.record, head.slot)) return;
    for (const part of parts) {
      if (this.#promoteOrReclaim(part)) continue;
      const { hashLow, hashHigh, idLow, idHigh } = large;
      verbs.setValue(hashLow, hashHigh, idLow, idHigh, this.keys.space);
      if (verbs.lookForHead() === codes.answerInMemory) verbs.demoteHead();
      this.#drainTombstones();
      return;
    }
  }

  #promoteOrReclaim({ record, slot }: StoredRecord): boolean {
    return this.promote(record, slot) || (this.#reclaim() && this.promote(record, slot));
  }

  /** As `promote`, for a record of `size` bytes at the start of `bytes` that is not verified yet: a
   *  thread may have no hasher of its own, so the kernel computes the checksum, with this seed.
   *  "damaged": it is another. "changed": the slot changed, or the record was cleared or
   *  invalidated by a tag. Makes room if it must. */
  promoteRead(
    bytes: Buffer,
    size: number,
    { slot, low, high }: SlotRef,
    checksum: number,
    seed: bigint,
  ): "promoted" | "changed" | "damaged" | "no-room" | "busy" {
    const { verbs, records } = this.kernel;
    const record = this.#reserve(size);
    if (record === 0) return "no-room";
    records.place(record, bytes.subarray(0, size));
    const seedLow = Number(seed & 0xffffffffn);
    const seedHigh = Number(seed >> 32n);
    const answer = verbs.promoteRead(record, slot, low, high, checksum, seedLow, seedHigh);
    if (answer === codes.answerMiss) return "damaged";
    if (answer === codes.answerBusy) return "busy";
    return answer === codes.answerDone ? "promoted" : "changed";
  }

  /** As `promoteRead`, for a record that is verified. */
  promoteVerified(
    source: RecordReader,
    { slot, low, high }: SlotRef,
  ): "promoted" | "changed" | "no-room" | "busy" {
    const { verbs, records } = this.kernel;
    let record = verbs.reserve(source.size, this.#log, 0) >>> 0;
    if (record === 0 && this.#reclaim()) record = verbs.reserve(source.size, this.#log, 0) >>> 0;
    if (record === 0) return "no-room";
    records.place(record, source.buffer.subarray(source.start, source.start + source.size));
    const answer = verbs[this.#bring](record, slot, low, high);
    if (answer === codes.answerBusy) return "busy";
    return answer === codes.answerDone ? "promoted" : "changed";
  }

  /** Copies a verified disk record to memory, and points its slot at the copy if it is
   *  unchanged. */
  promote(source: RecordReader, { slot, low, high }: SlotRef): boolean {
    const { verbs, records } = this.kernel;
    const record = verbs.reserve(source.size, this.#log, 0) >>> 0;
    if (record === 0) return false;
    records.place(record, source.buffer.subarray(source.start, source.start + source.size));
    return verbs[this.#bring](record, slot, low, high) === codes.answerDone;
  }
}

function codecByteOf({ codecId, loadClass, revision }: WriteFields): number {
  const load = (loadClass ?? 0) << recordLoadShift;
  return codecId | load | (revision === undefined ? 0 : recordHasRevision);
}
