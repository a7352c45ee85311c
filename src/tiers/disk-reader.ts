// Reads records from disk for one thread: one positional read at the location in the index. Called
// by the entry reader. Invariants: a returned record was verified against its location and its
// segment's nonce, has the key asked for, and the slot still named its location after the read. Of
// a lookup, only a SlotRef outlives the read.
import { elapsedMs } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import {
  offsetOfLocation,
  openRecord,
  readBytesOfLocation,
  seedAt,
  segmentOfLocation,
} from "../disk/mod.js";
import { createHasher, type Hasher } from "../hash/mod.js";
import type { HashedKey, Kernel } from "../kernel/mod.js";
import type { MemoryReader, MemoryWriter, SlotRef, StoredRecord } from "../memory/mod.js";
import { isChunk, isHead, recordChecksum, RecordReader } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { ThreadDisk } from "./disk-handle.js";

/** Most lookups of one read whose entry keeps changing; after that it is a miss. */
const lookupsMax = 4;

/** Room behind a record whose header may be damaged, so that its fields can be read all the same.
 *  */
const headerFieldsBytes = 64;

const nobody = (): void => undefined;

/** A record that was read, and the slot that named it. */
export interface DiskRecord extends StoredRecord {
  /** The head of a value in chunks that was hit before: the caller, who reads its chunks, promotes
   *  it. */
  readonly wasHit: boolean;
}

interface Place {
  readonly segment: number;
  readonly generation: number;
  readonly nonce: bigint;
  readonly offset: number;
  readonly length: number;
}

/** The record on disk, "memory" if the key has moved to memory, undefined if there is none. */
export type DiskRead = DiskRecord | "memory" | undefined;

export class DiskReader {
  readonly #kernel: Kernel;
  readonly #memory: MemoryReader;
  readonly #writer: MemoryWriter;
  readonly #disk: ThreadDisk;
  readonly #device: Device;
  #hasher: Hasher | undefined;
  /** Reads in progress, and the callbacks to run when the last one ends. */
  #reads = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(
    memory: MemoryReader,
    writer: MemoryWriter,
    disk: ThreadDisk,
    device: Device = fileDevice,
  ) {
    this.#kernel = memory.kernel;
    this.#memory = memory;
    this.#writer = writer;
    this.#disk = disk;
    this.#device = device;
  }

  /** Reads the key's record into a buffer that the caller owns. Calls `bytesRead` before it
   *  validates the record: a get of the key that starts after that must not share this answer.
   *  Calls `ended` last, however it ends. */
  async read(key: HashedKey, bytesRead = nobody, ended = nobody): Promise<DiskRead> {
    this.#reads += 1;
    try {
      this.#hasher ??= await createHasher();
      for (let lookup = 0; lookup < lookupsMax; lookup++) {
        const found = this.#memory.findHashed(key, false);
        if (found !== "disk") return found === "memory" ? "memory" : undefined;
        const slot = this.#memory.slotRef();
        // Not before the next microtask: other gets of the key share the read.
        if (lookup === 0) await this.#turnOf(slot);
        let outcome = this.#readWarm(key, slot, bytesRead);
        if (outcome === "cold") outcome = await this.#readAt(key, slot, bytesRead);
        if (outcome !== "changed") return outcome;
        this.#kernel.count(counter.counterStaleReads, 1);
      }
      return undefined;
    } finally {
      this.#end();
      ended();
    }
  }

  /** For a walk over the index: reads the record that a slot names, whatever its key and namespace,
   *  and counts no hit. "changed": look at the slot again; what it names may not be written yet. */
  async readSlot(slot: SlotRef): Promise<DiskRecord | "changed" | undefined> {
    this.#reads += 1;
    try {
      this.#hasher ??= await createHasher();
      return this.#isWritten(slot) ? await this.#readAt(null, slot, nobody) : "changed";
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.#reads -= 1;
    if (this.#reads === 0) for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when no read is in progress; undefined if none is. */
  settled(): Promise<void> | undefined {
    if (this.#reads === 0) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Is the batch of a location written? Until then the entry cannot be read. */
  #isWritten({ location }: SlotRef): boolean {
    const { segmentBytes } = this.#disk;
    const end = this.#kernel.diskSegments.endOffset(segmentOfLocation(location, segmentBytes));
    return offsetOfLocation(location, segmentBytes) < end;
  }

  /** `key`: null for whatever key the record has. */
  async #readAt(
    key: HashedKey | null,
    slot: SlotRef,
    bytesRead: () => void,
  ): Promise<DiskRecord | "changed" | undefined> {
    const place = this.#placeOf(slot);
    // The location is reserved but its batch is not written yet.
    if (!this.#isWritten(slot)) return undefined;
    const { files, warmReads } = this.#disk;
    // Twice: a checksum may fail because a write to the same page is in progress.
    for (let attempt = 0; attempt < 2; attempt++) {
      const buffer = Buffer.allocUnsafe(place.length);
      let read: number;
      try {
        const pinned = files.pin(place.segment);
        const file = pinned instanceof Promise ? await pinned : pinned;
        const underWay = warmReads.beginPool();
        try {
          read = await this.#device.readAt(file.fd, buffer, 0, place.length, place.offset);
        } finally {
          warmReads.endPool(underWay);
          files.unpin(file);
        }
      } catch {
        return this.#unreadable(slot);
      }
      bytesRead();
      const outcome = this.#judge(key, slot, place, buffer, read);
      if (outcome !== "damaged") return outcome;
    }
    return this.#dropDamaged(slot);
  }

  #turnOf({ location }: SlotRef): Promise<void> | undefined {
    const { warmReads, segmentBytes } = this.#disk;
    const isWarm = warmReads.mayRead(readBytesOfLocation(location, segmentBytes));
    return isWarm ? warmReads.turn() : undefined;
  }

  /** As #readAt, on this thread: "cold" if that may take long, or the record is damaged. */
  #readWarm(
    key: HashedKey,
    slot: SlotRef,
    bytesRead: () => void,
  ): DiskRecord | "changed" | "cold" | undefined {
    const { files, warmReads } = this.#disk;
    const place = this.#placeOf(slot);
    if (!warmReads.mayRead(place.length)) return "cold";
    if (!this.#isWritten(slot)) return undefined;
    const buffer = Buffer.allocUnsafe(place.length);
    const start = elapsedMs();
    let read: number;
    try {
      const fd = files.fd(place.segment);
      read = this.#device.readAtSync(fd, buffer, 0, place.length, place.offset);
    } catch {
      return this.#unreadable(slot);
    } finally {
      warmReads.noteOwn(elapsedMs() - start);
    }
    bytesRead();
    const outcome = this.#judge(key, slot, place, buffer, read);
    return outcome === "damaged" ? "cold" : outcome;
  }

  /** Where the record of a slot is, and what tells one use of its segment from the next. */
  #placeOf({ location }: SlotRef): Place {
    const { segmentBytes } = this.#disk;
    const { diskSegments } = this.#kernel;
    const segment = segmentOfLocation(location, segmentBytes);
    return {
      segment,
      generation: diskSegments.generation(segment),
      nonce: diskSegments.nonce(segment),
      offset: offsetOfLocation(location, segmentBytes),
      length: readBytesOfLocation(location, segmentBytes),
    };
  }

  /** A read failed. The file may have left the disk, and what it held is elsewhere. */
  #unreadable(slot: SlotRef): "changed" | undefined {
    if (!this.#memory.isCurrent(slot)) return "changed";
    this.#kernel.count(counter.counterDiskErrors, 1);
    return undefined;
  }

  /** Looks at what was read. */
  #judge(
    key: HashedKey | null,
    slot: SlotRef,
    { segment, generation, nonce, offset }: Place,
    buffer: Buffer,
    read: number,
  ): DiskRecord | "changed" | "damaged" | undefined {
    this.#kernel.count(counter.counterDiskReads, 1);
    this.#kernel.count(counter.counterDiskReadBytes, read);
    if (this.#kernel.diskSegments.generation(segment) !== generation) return "changed";
    const [hasher, { cipher }] = [this.#hasher as Hasher, this.#disk];
    if (openRecord(buffer, 0, read, { nonce, offset, hasher, cipher }) === 0) return "damaged";
    return this.#accept(key, slot, buffer);
  }

  /** Brings the entry of a disk slot to memory on the calling thread, whatever its key is: one
   *  read, mostly from the page cache. For a write that must see the record it would replace.
   *  "changed": look again; the slot names another record, or the record was damaged or void and is
   *  gone. "unreadable": it stays where it is, since it is not written yet, the device failed,
   *  there is no room in memory, or the key's lock could not be had. */
  promoteSync(slot: SlotRef): "promoted" | "changed" | "unreadable" {
    const { segmentBytes, files } = this.#disk;
    const { diskSegments } = this.#kernel;
    const segment = segmentOfLocation(slot.location, segmentBytes);
    const nonce = diskSegments.nonce(segment);
    const offset = offsetOfLocation(slot.location, segmentBytes);
    // Reserved, and its batch is not written yet.
    if (offset >= diskSegments.endOffset(segment)) return "unreadable";
    const length = readBytesOfLocation(slot.location, segmentBytes);
    const buffer = Buffer.alloc(length + headerFieldsBytes);
    let read: number;
    try {
      read = this.#device.readAtSync(files.fd(segment), buffer, 0, length, offset);
    } catch {
      if (!this.#memory.isCurrent(slot)) return "changed";
      this.#kernel.count(counter.counterDiskErrors, 1);
      return "unreadable";
    }
    this.#kernel.count(counter.counterDiskReads, 1);
    this.#kernel.count(counter.counterDiskReadBytes, read);
    if (!this.#memory.isCurrent(slot)) return "changed";
    const found = new RecordReader(0, this.#kernel.control.createdBaseMs);
    found.adopt(buffer);
    found.parse(0);
    const { size } = found;
    const isWhole = found.keyEnd <= size && size <= read;
    const checksum = buffer.readUInt32LE(recordChecksum);
    buffer.writeUInt32LE(0, recordChecksum);
    const answer = isWhole ? this.#promoteRead(found, slot, checksum, nonce) : "damaged";
    if (answer === "promoted") return answer;
    if (answer === "no-room" || answer === "busy") return "unreadable";
    if (answer === "damaged") this.#dropDamaged(slot);
    // If it still has its slot, it was cleared or invalidated by a tag.
    else this.#writer.drop(slot);
    return "changed";
  }

  /** The tag of an encrypted record stands for its checksum. */
  #promoteRead(
    found: RecordReader,
    slot: SlotRef,
    checksum: number,
    nonce: bigint,
  ): ReturnType<MemoryWriter["promoteRead"]> {
    const { segmentBytes, cipher } = this.#disk;
    const { buffer, size } = found;
    const offset = offsetOfLocation(slot.location, segmentBytes);
    if (cipher === null) {
      return this.#writer.promoteRead(buffer, size, slot, checksum, seedAt(nonce, offset));
    }
    if (cipher.openRecord(buffer, 0, size, nonce, offset) === 0) return "damaged";
    found.parse(0);
    return this.#writer.promoteVerified(found, slot);
  }

  #accept(
    key: HashedKey | null,
    slot: SlotRef,
    buffer: Buffer,
  ): DiskRecord | "changed" | undefined {
    const { verbs, control, tags } = this.#kernel;
    const record = new RecordReader(0, control.createdBaseMs);
    record.adopt(buffer);
    record.diskLocation = slot.location;
    record.parse(0);
    // The tags before the slot: a tag is forgotten once no slot names what it voids.
    const field = record.tagsField();
    const isVoid = field.length > 0 && tags.areInvalidated(field, record.sequence);
    if (!this.#memory.isCurrent(slot)) return "changed";
    if (key !== null && !this.#isOf(record, key)) {
      this.#kernel.count(counter.counterFalseFingerprints, 1);
      return undefined;
    }
    if (record.sequence <= this.#kernel.control.clearEpochOf(record.space)) return undefined;
    if (isVoid) {
      this.#writer.drop(slot);
      return undefined;
    }
    // A chunk is no entry: its head was hit. And a walk is no hit.
    if (key === null || isChunk(record.flags)) return { record, slot, wasHit: false };
    // A second hit shows that the entry is worth memory again.
    const wasHit = verbs.touch(slot.slot, slot.low, slot.high) > 0;
    if (isHead(record.flags)) return { record, slot, wasHit };
    if (wasHit) this.#writer.promote(record, slot);
    return { record, slot, wasHit: false };
  }

  #isOf({ buffer, keyStart, keyEnd, space }: RecordReader, { bytes }: HashedKey): boolean {
    const isSameKey = buffer.subarray(keyStart, keyEnd).compare(bytes) === 0;
    return isSameKey && space === this.#memory.keys.space;
  }

  #dropDamaged(slot: SlotRef): "changed" | undefined {
    if (!this.#memory.isCurrent(slot)) return "changed";
    this.#kernel.count(counter.counterCorruptRecords, 1);
    this.#writer.drop(slot);
    return undefined;
  }
}
