// Brings entries back from disk to memory after open, in the background, the hottest first. Runs in
// the janitor, between its other duties, in steps. How hot an entry is, its slot says: the snapshot
// of a clean close keeps the hits. Among equals the one that was written last comes first.
// Invariants: it takes room that nobody uses, so it stops for good when no segment is free beyond
// the watermark, and never makes anything leave; what it copies is verified, and `preload` looks
// under the key's lock whether the slot still names it. Only the janitor reuses segment files, so a
// location stays what it is during a step.
//
// A file is seen as windows of a mebibyte. One walk over the index adds up what each window has of
// each frequency; then windows are taken in their order, some thousands of records at a time, each
// group found by one more walk.
import { elapsedMs, MiB, UndercroftError } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import {
  isChunkLocation,
  offsetOfLocation,
  openRecord,
  segmentOfLocation,
  sizeClassOfLocation,
  sizeOfClass,
} from "../disk/mod.js";
import { SegmentRecords } from "../disk-log/mod.js";
import type { Hasher } from "../hash/mod.js";
import { codes, type Kernel, KeyWindow, type TombstoneWriter } from "../kernel/mod.js";
import {
  chunkKey,
  largeValueOf,
  MemoryReader,
  MemoryWriter,
  numbersOf,
  type SlotRef,
  type StoredRecord,
} from "../memory/mod.js";
import { isHead, isInternal, RecordReader } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { ThreadDisk } from "../tiers/mod.js";

/** Milliseconds of one of the janitor's rounds that it may take. */
const roundMs = 5;
/** Buckets of the index for one step: some tenths of a millisecond. */
const indexStep = 1024;
const windowBytesMax = MiB;
/** Records found by one walk, unless one window has more. */
const recordsPerGroup = 16_384;
/** Most bytes of one read, and of a gap in it that is read rather than skipped. */
const readBytesMax = 256 * 1024;
const gapBytesMax = 16 * 1024;
const frequencies = codes.slotFrequencyMax + 1;

/** A record to bring back. */
interface Wanted {
  readonly rank: number;
  readonly slot: number;
  readonly segment: number;
  readonly offset: number;
}

export interface PreloadParts {
  /** The most to bring back. */
  readonly bytes: number;
  /** The free segments that the janitor keeps. */
  readonly watermark: number;
  readonly writeTombstone: TombstoneWriter;
}

type Phase = "survey" | "find" | "read" | "over";

export class Preloader {
  readonly #kernel: Kernel;
  readonly #disk: ThreadDisk;
  readonly #hasher: Hasher;
  readonly #device: Device;
  readonly #records: SegmentRecords;
  readonly #writeTombstone: TombstoneWriter;
  /** Segments that stay free. */
  readonly #spared: number;
  readonly #windowBytes: number;
  #left: number;
  #phase: Phase;
  #bucket = 0;
  /** Records, and their bytes, by window and frequency. */
  #counts = new Uint32Array(0);
  #bytes = new Float64Array(0);
  /** Windows and frequencies to take, the first first; and those that are being found. */
  #order: number[] = [];
  #ranks = new Map<number, number>();
  #wanted: Wanted[] = [];
  #next = 0;
  readonly #spaces = new Map<number, { reader: MemoryReader; writer: MemoryWriter }>();

  constructor(
    kernel: Kernel,
    disk: ThreadDisk,
    hasher: Hasher,
    { bytes, watermark, writeTombstone }: PreloadParts,
    device: Device = fileDevice,
  ) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#hasher = hasher;
    this.#device = device;
    this.#records = new SegmentRecords(kernel, disk, hasher, device);
    this.#writeTombstone = writeTombstone;
    this.#spared = watermark;
    this.#left = bytes;
    this.#windowBytes = Math.min(disk.segmentBytes, windowBytesMax);
    // As many files as there may be: their number may change meanwhile.
    const { diskSegmentCount } = kernel.geometry;
    const windows = diskSegmentCount * (disk.segmentBytes / this.#windowBytes);
    this.#phase = bytes > 0 ? "survey" : "over";
    if (this.#phase === "over") return;
    this.#counts = new Uint32Array(windows * frequencies);
    this.#bytes = new Float64Array(windows * frequencies);
  }

  /** Goes on, for a while. True if there is more to do at once. */
  run(now: number): boolean {
    const until = elapsedMs() + roundMs;
    while (!this.#isOver) {
      this.#step(now);
      if (elapsedMs() >= until) return !this.#isOver;
    }
    return false;
  }

  get #isOver(): boolean {
    return this.#phase === "over";
  }

  #step(now: number): void {
    if (!this.#hasRoom(0) || !this.#kernel.control.isDiskUp()) this.#end();
    else if (this.#phase === "survey") this.#walk(() => this.#rank());
    else if (this.#phase === "find") this.#walk(() => this.#sort());
    else this.#read(now);
  }

  #end(): void {
    this.#phase = "over";
    this.#counts = new Uint32Array(0);
    this.#bytes = new Float64Array(0);
    this.#wanted = [];
    this.#order = [];
  }

  /** Whether so many bytes fit what is free, and what is still to be brought. */
  #hasRoom(bytes: number): boolean {
    const { verbs, geometry } = this.#kernel;
    const wanted = this.#spared + 1 + Math.ceil(bytes / geometry.segmentBytes);
    return bytes <= this.#left && verbs.freeSegments(wanted) >= wanted;
  }

  // ── Which records ───────────────────────────────────────────────────────────────────────────

  /** Looks at some more buckets, and calls `done` after the last. */
  #walk(done: () => void): void {
    const { slots, geometry } = this.#kernel;
    const end = Math.min(geometry.bucketCount, this.#bucket + indexStep);
    for (; this.#bucket < end; this.#bucket++) {
      const first = slots.firstOf(this.#bucket);
      for (let slot = first; slot < first + codes.bucketSlots; slot++) {
        const word = slots.read(slot);
        const location = slots.diskLocationOf(word);
        if (location > 0 && !isChunkLocation(location)) {
          this.#note(slot, slots.frequencyOf(word), location);
        }
      }
    }
    if (this.#bucket < geometry.bucketCount) return;
    this.#bucket = 0;
    done();
  }

  #note(slot: number, frequency: number, location: number): void {
    const { segmentBytes } = this.#disk;
    const segment = segmentOfLocation(location, segmentBytes);
    const offset = offsetOfLocation(location, segmentBytes);
    const window = segment * (segmentBytes / this.#windowBytes) + offset / this.#windowBytes;
    const cell = Math.floor(window) * frequencies + frequency;
    if (this.#phase === "survey") {
      this.#counts[cell] = (this.#counts[cell] as number) + 1;
      const bytes = sizeOfClass(sizeClassOfLocation(location));
      this.#bytes[cell] = (this.#bytes[cell] as number) + bytes;
      return;
    }
    const rank = this.#ranks.get(cell);
    if (rank !== undefined) this.#wanted.push({ rank, slot, segment, offset });
  }

  /** Orders windows and frequencies, as far as there is something to bring back. */
  #rank(): void {
    const { diskSegments, geometry } = this.#kernel;
    const windowsOfSegment = this.#disk.segmentBytes / this.#windowBytes;
    const serials = Array.from({ length: geometry.diskSegmentCount }, (_, segment) =>
      diskSegments.serial(segment),
    );
    const serialOf = (cell: number): number =>
      serials[Math.floor(cell / frequencies / windowsOfSegment)] as number;
    const cells = Array.from(this.#counts.keys()).filter((cell) => this.#counts[cell] !== 0);
    cells.sort(
      (left, right) =>
        (right % frequencies) - (left % frequencies) ||
        serialOf(right) - serialOf(left) ||
        right - left,
    );
    let bytes = 0;
    const needed = cells.findIndex((cell) => {
      bytes += this.#bytes[cell] as number;
      return bytes >= this.#left;
    });
    this.#order = needed < 0 ? cells : cells.slice(0, needed + 1);
    this.#beginGroup();
  }

  /** Begins to find the records of the next windows. */
  #beginGroup(): void {
    let records = 0;
    let taken = 0;
    this.#ranks = new Map();
    for (const cell of this.#order) {
      records += this.#counts[cell] as number;
      if (taken > 0 && records > recordsPerGroup) break;
      this.#ranks.set(cell, taken);
      taken += 1;
    }
    this.#order.splice(0, taken);
    if (taken === 0) this.#end();
    else this.#phase = "find";
  }

  #sort(): void {
    this.#wanted.sort((left, right) => left.rank - right.rank || left.offset - right.offset);
    this.#next = 0;
    this.#phase = "read";
  }

  // ── Bringing them back ──────────────────────────────────────────────────────────────────────

  /** Reads some neighbours in one go, and brings them back. */
  #read(now: number): void {
    const first = this.#wanted[this.#next];
    if (first === undefined) {
      this.#wanted = [];
      this.#beginGroup();
      return;
    }
    const sizeAt = (slot: number): number => {
      const location = this.#kernel.slots.diskLocationOf(this.#kernel.slots.read(slot));
      return location === 0 ? 0 : sizeOfClass(sizeClassOfLocation(location));
    };
    let end = first.offset + sizeAt(first.slot);
    let last = this.#next + 1;
    for (; last < this.#wanted.length; last++) {
      const { rank, offset, slot } = this.#wanted[last] as Wanted;
      const next = offset + sizeAt(slot);
      const isNear = offset - end <= gapBytesMax && next - first.offset <= readBytesMax;
      if (rank !== first.rank || !isNear) break;
      end = Math.max(end, next);
    }
    const some = this.#wanted.slice(this.#next, last);
    this.#next = last;
    const bytes = this.#bytesOf(first.segment, first.offset, end - first.offset);
    if (bytes === null) return;
    for (const one of some) {
      if (!this.#hasRoom(0)) return;
      this.#bring(one, bytes, first.offset, now);
    }
  }

  /** Null if nothing could be read, which ends it unless the file has left the disk. */
  #bytesOf(segment: number, offset: number, length: number): Buffer | null {
    if (segment >= this.#kernel.diskSegments.count()) return null;
    const buffer = Buffer.allocUnsafe(Math.min(length, this.#disk.segmentBytes - offset));
    try {
      const fd = this.#disk.files.fd(segment);
      const read = this.#device.readAtSync(fd, buffer, 0, buffer.length, offset);
      return buffer.subarray(0, read);
    } catch (error) {
      if (!(error instanceof UndercroftError)) throw error;
      this.#kernel.count(counter.counterDiskErrors, 1);
      this.#end();
      return null;
    }
  }

  /** Brings one record back, if its slot still names it and it is worth it. */
  #bring({ slot, segment, offset }: Wanted, bytes: Buffer, start: number, now: number): void {
    const { slots, diskSegments, control } = this.#kernel;
    const { segmentBytes } = this.#disk;
    const { low, high } = slots.read(slot);
    const location = slots.diskLocationOf({ low, high });
    const isSame =
      location > 0 &&
      segmentOfLocation(location, segmentBytes) === segment &&
      offsetOfLocation(location, segmentBytes) === offset;
    const from = offset - start;
    if (!isSame || from >= bytes.length) return;
    const nonce = diskSegments.nonce(segment);
    const [hasher, { cipher }] = [this.#hasher, this.#disk];
    const place = { nonce, offset, hasher, cipher };
    const size = openRecord(bytes, from, bytes.length - from, place);
    // What is damaged, a reader drops and counts.
    if (size === 0) return;
    const record = new RecordReader(0, control.createdBaseMs);
    record.adopt(bytes);
    record.parse(from);
    // Not what stands for a delete.
    if (isInternal(record.flags) || record.expiresMs <= now) return;
    if (size > this.#left) {
      this.#end();
      return;
    }
    const ref = { slot, low, high, location };
    if (isHead(record.flags)) this.#bringLarge({ record, slot: ref });
    else if (this.#writerOf(record.space).promote(record, ref)) this.#left -= size;
  }

  /** Brings back a value in chunks, if all of it fits. */
  #bringLarge(head: StoredRecord): void {
    const large = largeValueOf(head.record);
    if (!this.#hasRoom(large.bytes)) return;
    const { reader, writer } = this.#spaceOf(head.record.space);
    const parts: StoredRecord[] = [];
    for (const number of numbersOf(large)) {
      if (reader.find(chunkKey(large, number), false) !== "disk") return;
      const part = this.#partAt(reader.slotRef());
      if (part === null) return;
      parts.push(part);
    }
    writer.promoteValue(head, large, parts);
    this.#left -= large.bytes;
  }

  #partAt(slot: SlotRef): StoredRecord | null {
    const bytes = this.#records.read(slot.location);
    if (bytes === null) return null;
    const record = new RecordReader(0, this.#kernel.control.createdBaseMs);
    record.adopt(bytes);
    record.parse(0);
    return { record, slot };
  }

  #writerOf(space: number): MemoryWriter {
    return this.#spaceOf(space).writer;
  }

  /** Reader and writer for the keys of a namespace. */
  #spaceOf(space: number): { reader: MemoryReader; writer: MemoryWriter } {
    let found = this.#spaces.get(space);
    if (found === undefined) {
      const kernel = this.#kernel;
      const keys = new KeyWindow(kernel, space);
      const reader = new MemoryReader(kernel, keys);
      const writer = new MemoryWriter(kernel, keys, codes.logSmall, "preload");
      // It has no reclaim: what does not fit stays on disk.
      writer.connect(this.#writeTombstone, () => false);
      found = { reader, writer };
      this.#spaces.set(space, found);
    }
    return found;
  }
}
