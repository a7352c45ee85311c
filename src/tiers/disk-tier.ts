// The disk tier as one thread uses it: reading a record at the place the index gives, and marking dead what a write or
// delete killed there. Every thread of the cache has one; the files are opened by the owner and shared by descriptor.
// Invariants: what `read` returns was verified against its place and its segment's life, is of the key asked for, and
// was still what the slot named after it was read; a dead mark is written before the set or delete returns.
import { UndercroftError } from "../base/mod.js";
import type { AdmissionConfig } from "../config/mod.js";
import { type Device, fileDevice, isFileAt } from "../device/mod.js";
import {
  epochsName,
  offsetOfLocation,
  readBytesOfLocation,
  segmentName,
  segmentOfLocation,
  schemasName,
  verifyRecord,
  voidSegment,
  writeClearEpoch,
  appendTombstone,
  writeSchemaBytes,
  writeTagCell,
  writeTagFloor,
} from "../disk/mod.js";
import { createHasher, type Hasher } from "../hash/mod.js";
import { layout as at, type Kernel } from "../kernel/mod.js";
import { isTagInvalidated, type MemoryStore } from "../memory/mod.js";
import { RecordReader } from "../record/mod.js";
import * as counter from "../stats/mod.js";

/** What a thread needs of the directory: plain data, posted with the handle. */
export interface DiskHandle {
  readonly path: string;
  readonly segmentBytes: number;
  readonly fds: readonly number[];
  readonly epochsFd: number;
  readonly schemasFd: number;
  readonly seed: bigint;
  /** A power loss must find the dead lists of reused segments gone: there is an fsync barrier. */
  readonly syncResets: boolean;
  /** Which records the janitor writes there. */
  readonly admission: AdmissionConfig;
  /** A worker opened the cache: its descriptors are closed when it dies, while other threads still have their numbers. */
  readonly isOpenerMortal: boolean;
}

/** A slot as a lookup found it, kept across the read. */
interface Place {
  readonly slot: number;
  readonly low: number;
  readonly high: number;
  readonly location: number;
}

/** A read that finds its entry changed looks it up anew this often before it answers a miss. */
const lookupsMax = 4;
/** Waits of a millisecond for another thread that writes an invalidation down. */
const tagLockWaitsMax = 50;

export class DiskTier {
  readonly #kernel: Kernel;
  readonly #store: MemoryStore;
  readonly #disk: DiskHandle;
  readonly #device: Device;
  readonly #nonces: BigUint64Array;
  readonly #onFault: (error: UndercroftError) => void;
  #hasher: Hasher | undefined;
  /** Reads under way, and who waits for the last of them. */
  #reads = 0;
  readonly #waiting: (() => void)[] = [];

  /** `onFault` hears of every failed write; the disk tier is down then. */
  constructor(
    store: MemoryStore,
    disk: DiskHandle,
    onFault: (error: UndercroftError) => void,
    device: Device = fileDevice,
  ) {
    this.#kernel = store.kernel;
    this.#store = store;
    this.#disk = disk;
    this.#device = device;
    this.#onFault = onFault;
    this.#nonces = new BigUint64Array(store.kernel.views.u8.buffer);
  }

  /** Marks the record at a location dead on disk. Synchronous: it is dead when this returns. If the mark cannot be
   *  written the tier goes down for writing, and the whole segment is given up: the next open must not trust it. */
  writeTombstone(location: number): void {
    const { segmentBytes, fds } = this.#disk;
    const segment = segmentOfLocation(location, segmentBytes);
    const entry = this.#entryOf(segment);
    const fd = fds[segment] as number;
    // The kernel has announced the kill; an owner that closes waits for it, and one that has closed is seen here.
    if (Atomics.load(this.#kernel.views.i32, at.controlState / 4) === at.stateClosed) return;
    if (Atomics.load(this.#kernel.views.i32, (entry + at.diskState) / 4) === at.diskQuarantined)
      return;
    if (!this.#isOurs(fd, segmentName(segment))) return;
    const index = this.#kernel.verbs.takeTombstoneIndex(segment);
    const unit = offsetOfLocation(location, segmentBytes) / 16;
    const nonce = this.#nonces[(entry + at.diskNonce) / 8] as bigint;
    try {
      appendTombstone(fd, segmentBytes, nonce, index, unit, this.#device);
      this.#kernel.count(counter.counterTombstones, 1);
    } catch (error) {
      this.#giveUp(segment);
      this.#fault(error);
    }
  }

  /** False once a descriptor may be of somebody else's file. Asked before each write, for as long as the opener may die
   *  without a word; its cache is closed by then, and nobody is told that the write was made. */
  #isOurs(fd: number, name: string): boolean {
    return !this.#disk.isOpenerMortal || isFileAt(fd, `${this.#disk.path}/${name}`);
  }

  /** Makes a segment void for the next open: by a write over bytes that are there, else by cutting the file, neither of
   *  which needs room. The janitor forgets its entries and uses it again. */
  #giveUp(segment: number): void {
    const fd = this.#disk.fds[segment] as number;
    try {
      voidSegment(fd, this.#device);
    } catch {
      this.#cut(fd);
    }
    const words = this.#kernel.views.i32;
    const state = (this.#entryOf(segment) + at.diskState) / 4;
    for (const used of [at.diskOpen, at.diskSealed]) {
      Atomics.compareExchange(words, state, used, at.diskQuarantined);
    }
    this.#kernel.verbs.ring();
  }

  #cut(fd: number): void {
    try {
      this.#device.truncateSync(fd, 0);
    } catch {
      this.#kernel.count(counter.counterDiskErrors, 1);
    }
  }

  /** Makes a clear durable: records up to `sequence` never come back. False if it could not be written: the janitor
   *  writes it too, and the tier stays down until that has worked. */
  writeClear(sequence: number): boolean {
    const { epochsFd, seed } = this.#disk;
    if (!this.#isOurs(epochsFd, epochsName)) return false;
    try {
      writeClearEpoch(epochsFd, seed, this.#kernel.thread, sequence, this.#device);
      return true;
    } catch (error) {
      // Without its whole length the file counts as damaged, and the next open starts cold.
      this.#cut(epochsFd);
      this.#fault(error);
      return false;
    }
  }

  /** Makes bytes of the schema dictionary durable against a kill; false if they could not be written, or the tier is down
   *  and may be without the room: the schema has no id then, which costs bytes. */
  writeSchema(bytes: Uint8Array, offset: number): boolean {
    const words = this.#kernel.views.i32;
    if (Atomics.load(words, at.controlDiskUp / 4) === 0) return false;
    // The owner closes the descriptor when no thread is under way to use it; one that comes later is seen here.
    if (Atomics.load(words, at.controlState / 4) !== at.stateOpen) return false;
    if (!this.#isOurs(this.#disk.schemasFd, schemasName)) return false;
    try {
      writeSchemaBytes(this.#disk.schemasFd, bytes, offset, this.#device);
      return true;
    } catch (error) {
      this.#fault(error);
      return false;
    }
  }

  /** Makes the invalidation of a tag durable, that the kernel's last call was; `sequence` is what that answered. If it
   *  cannot be written the directory starts cold at the next open. */
  writeTag(sequence: number): void {
    const { epochsFd, seed } = this.#disk;
    if (!this.#isOurs(epochsFd, epochsName)) return;
    const { views, block, thread } = this.#kernel;
    const first = (block + at.resultTagCells) / 4;
    const cells = Array.from(views.u32.subarray(first, first + at.tagProbes));
    const lock = at.controlTagLock / 4;
    try {
      if (!this.#lockTags(lock)) {
        // Whoever holds the lock was stopped. To forget every tagged record at the next open is always right.
        writeTagFloor(epochsFd, seed, thread, sequence, this.#device);
        return;
      }
      try {
        for (const cell of cells) {
          const newest = Number(Atomics.load(this.#nonces, at.tagTable / 8 + cell));
          writeTagCell(epochsFd, seed, cell, newest, this.#device);
        }
      } finally {
        Atomics.store(views.i32, lock, 0);
        Atomics.notify(views.i32, lock, 1);
      }
    } catch (error) {
      this.#cut(epochsFd);
      this.#fault(error);
    }
  }

  #lockTags(lock: number): boolean {
    const { i32 } = this.#kernel.views;
    for (let wait = 0; wait < tagLockWaitsMax; wait++) {
      const owner = Atomics.compareExchange(i32, lock, 0, this.#kernel.thread + 1);
      if (owner === 0) return true;
      Atomics.wait(i32, lock, owner, 1);
    }
    return false;
  }

  #fault(error: unknown): void {
    this.#kernel.count(counter.counterDiskErrors, 1);
    // Told once: while the tier is down, failing is what it does.
    if (Atomics.exchange(this.#kernel.views.i32, at.controlDiskUp / 4, 0) === 0) return;
    const path = this.#disk.path;
    this.#onFault(
      error instanceof UndercroftError
        ? error
        : new UndercroftError("ERR_DISK_IO", `Cannot write to ${path}`, { cause: error }),
    );
  }

  #entryOf(segment: number): number {
    return this.#kernel.geometry.diskTable + segment * at.diskEntrySize;
  }

  /** The key's record, read from disk, or "memory" if the key is in memory by now, or undefined if there is none.
   *  The record's buffer is the caller's own. Counts reads and what went wrong. `landed` is called before a record is
   *  validated: who asks for the key after that must not be given this answer. */
  async read(
    key: string | Uint8Array,
    landed: () => void = () => undefined,
  ): Promise<RecordReader | "memory" | undefined> {
    this.#reads += 1;
    try {
      return await this.#lookUp(key, landed);
    } finally {
      this.#reads -= 1;
      if (this.#reads === 0) for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  /** Resolves when no read is under way; undefined if none is. */
  settled(): Promise<void> | undefined {
    if (this.#reads === 0) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #lookUp(
    key: string | Uint8Array,
    landed: () => void,
  ): Promise<RecordReader | "memory" | undefined> {
    this.#hasher ??= await createHasher();
    for (let lookup = 0; lookup < lookupsMax; lookup++) {
      // The store's results are valid until the next await only, so they are taken along.
      const keyBytes = this.#store.keys.write(key);
      const found = this.#store.find(keyBytes, false);
      if (found !== "disk") return found === "memory" ? "memory" : undefined;
      const { slot, slotLow, slotHigh, location } = this.#store;
      const place = { slot, low: slotLow, high: slotHigh, location };
      const outcome = await this.#readPlace(key, place, landed);
      if (outcome !== "changed") return outcome;
      this.#kernel.count(counter.counterStaleReads, 1);
    }
    return undefined;
  }

  async #readPlace(
    key: string | Uint8Array,
    place: Place,
    landed: () => void,
  ): Promise<RecordReader | "changed" | undefined> {
    const { segmentBytes, fds } = this.#disk;
    const segment = segmentOfLocation(place.location, segmentBytes);
    const entry = this.#entryOf(segment);
    const words = this.#kernel.views.i32;
    const generation = Atomics.load(words, (entry + at.diskGeneration) / 4);
    const nonce = Atomics.load(this.#nonces, (entry + at.diskNonce) / 8);
    const offset = offsetOfLocation(place.location, segmentBytes);
    // Announced, but its batch is not written yet: for a moment the entry is nowhere to be read.
    if (offset >= Atomics.load(words, (entry + at.diskEndOffset) / 4)) return undefined;
    const length = readBytesOfLocation(place.location, segmentBytes);
    // Twice: a mismatch may come from a write of the same page under way, as production systems have seen.
    for (let attempt = 0; attempt < 2; attempt++) {
      const buffer = Buffer.allocUnsafe(length);
      let read: number;
      try {
        read = await this.#device.readAt(fds[segment] as number, buffer, 0, length, offset);
      } catch {
        this.#kernel.count(counter.counterDiskErrors, 1);
        return undefined;
      }
      landed();
      this.#kernel.count(counter.counterDiskReads, 1);
      this.#kernel.count(counter.counterDiskReadBytes, read);
      // The owner may have closed the file meanwhile and its number been given out again: the caller checks the state.
      if (Atomics.load(words, (entry + at.diskGeneration) / 4) !== generation) return "changed";
      const hasher = this.#hasher as Hasher;
      if (verifyRecord(buffer, 0, read, nonce, offset, hasher) > 0) {
        return this.#accept(key, place, buffer);
      }
    }
    return this.#dropDamaged(place);
  }

  #isCurrent(place: Place): boolean {
    return this.#kernel.verbs.validate(place.slot, place.low, place.high) === 1;
  }

  #accept(
    key: string | Uint8Array,
    place: Place,
    buffer: Buffer,
  ): RecordReader | "changed" | undefined {
    const record = new RecordReader(0, this.#kernel.createdBaseMs);
    record.adopt(buffer);
    record.parse(0);
    if (!this.#isCurrent(place)) return "changed";
    const keyBytes = typeof key === "string" ? Buffer.from(key, "utf8") : key;
    if (buffer.subarray(record.keyStart, record.keyEnd).compare(keyBytes) !== 0) {
      this.#kernel.count(counter.counterFalseFingerprints, 1);
      return undefined;
    }
    if (record.sequence <= this.#kernel.clearEpoch()) return undefined;
    if (isTagInvalidated(this.#kernel, record)) {
      this.#drop(place);
      return undefined;
    }
    const frequency = this.#kernel.verbs.touch(place.slot, place.low, place.high);
    if (frequency > 0) this.#promote(place, record);
    return record;
  }

  /** A second hit shows that the entry is wanted in memory again. */
  #promote(place: Place, record: RecordReader): void {
    this.#store.slot = place.slot;
    this.#store.slotLow = place.low;
    this.#store.slotHigh = place.high;
    this.#store.promote(record);
  }

  #dropDamaged(place: Place): "changed" | undefined {
    if (!this.#isCurrent(place)) return "changed";
    this.#kernel.count(counter.counterCorruptRecords, 1);
    this.#drop(place);
    return undefined;
  }

  #drop(place: Place): void {
    this.#store.slot = place.slot;
    this.#store.slotLow = place.low;
    this.#store.slotHigh = place.high;
    this.#store.dropFound();
  }
}
