// Verifies one segment file: its header, each batch, each record and the tombstones, and that the
// rest is zeros. It reads what recovery reads by the same code, and the records too. Called by the
// verification of a directory, several times for a segment that is being written.
// Invariant: a window of the file is all that is in memory, whatever its headers say.
import { alignUp, MiB } from "../base/mod.js";
import { firstNonZero, isZero, type SegmentState } from "../directory/mod.js";
import {
  type Batch,
  BatchReader,
  batchHeaderSize,
  diskRecordBytesMax,
  type IndexEntry,
  indexBytesOf,
  openRecord,
  readSegmentIdentity,
  readTombstones,
  segmentHeaderSize,
  segmentKeyOf,
  tombstoneSize,
  unitBytes,
  verifyRecord,
} from "../disk/mod.js";
import { recordHeaderSize, recordSequence, recordSize, recordSpace } from "../record/mod.js";
import type { Fault, FaultKind } from "./fault.js";
import type { SegmentSource } from "./segment-overview.js";

/** What is read at once; more than the largest record. */
const windowBytes = 4 * MiB;

/** A segment file to verify. */
export interface SegmentToVerify extends SegmentSource {
  readonly file: string;
  /** The cache was closed in order, so no write was cut short. */
  readonly isClosed: boolean;
  /** What the snapshot says of it; null without one, or if it says that nothing is there. */
  readonly state: SegmentState | null;
  /** Called with the bytes that were read since the last call. */
  onRead(this: void, bytes: number): void;
}

/** What was found in a segment. */
export interface SegmentFindings {
  readonly faults: readonly Fault[];
  /** What is not as a close leaves it, and no fault: for people to read. */
  readonly notes: readonly string[];
  /** Null if the segment holds nothing. */
  readonly nonce: bigint | null;
  readonly records: number;
}

/** Verifies a segment. Throws ERR_DISK_IO if it cannot be read. */
export function verifySegment(what: SegmentToVerify): SegmentFindings {
  return new SegmentVerifier(what).run();
}

class SegmentVerifier {
  readonly #what: SegmentToVerify;
  readonly #faults: Fault[] = [];
  readonly #notes: string[] = [];
  readonly #window: Buffer;
  #windowStart = 0;
  #windowEnd = 0;
  #nonce = 0n;

  constructor(what: SegmentToVerify) {
    this.#what = what;
    this.#window = Buffer.alloc(Math.min(windowBytes, what.segmentBytes));
  }

  run(): SegmentFindings {
    const { fd, segmentBytes, seed, segment, hasher, device, state } = this.#what;
    const key = segmentKeyOf(seed, segment);
    const identity = readSegmentIdentity(fd, segmentBytes, key, hasher, device);
    if (identity === null) {
      this.#lookAtHeader();
      return this.#findings(null, 0);
    }
    this.#nonce = identity.nonce;
    if (state !== null && state.nonce !== identity.nonce) {
      this.#fault("header", 0, "the snapshot is of another use of this file");
    }
    const records = this.#batches();
    return this.#findings(identity.nonce, records);
  }

  #findings(nonce: bigint | null, records: number): SegmentFindings {
    return { faults: this.#faults, notes: this.#notes, nonce, records };
  }

  #fault(kind: FaultKind, offset: number, text: string): void {
    const { file, segment } = this.#what;
    this.#faults.push({ file, segment, offset, kind, text });
  }

  /** A header of zeros is that of a segment which holds nothing. */
  #lookAtHeader(): void {
    const header = this.#read(0, segmentHeaderSize);
    const isUsed = this.#what.state !== null;
    if (isZero(header) && header.length === segmentHeaderSize && !isUsed) return;
    this.#fault("header", 0, "the header is damaged: nothing in this segment comes back");
  }

  /** Verifies all batches, and what is behind them. Returns the number of records. */
  #batches(): number {
    const { fd, segmentBytes, hasher, device, cipher } = this.#what;
    const nonce = this.#nonce;
    const reader = new BatchReader({ fd, segmentBytes, nonce, hasher, device, cipher });
    let offset = segmentHeaderSize;
    let records = 0;
    for (;;) {
      const batch = reader.header(offset, records);
      if (batch === "end") break;
      if (batch === "damaged") {
        this.#fault("batch", offset, "a batch's header is damaged: it and those behind are lost");
        this.#tombstones(records);
        return records;
      }
      if (this.#isCutShort(batch)) {
        this.#notes.push(
          `${this.#what.file}: the last batch, at ${offset}, was cut short when the process ended`,
        );
        this.#tombstones(records);
        return records;
      }
      this.#batch(reader, batch);
      records += batch.count;
      offset = batch.end;
    }
    const { state } = this.#what;
    const known = state === null ? offset : state.endOffset || segmentHeaderSize;
    if (state !== null && state.nonce === this.#nonce && known !== offset) {
      const text = `the snapshot knows batches up to ${known}; they end here`;
      this.#fault("batch", offset, text);
    }
    const tombstones = this.#tombstones(records);
    this.#rest(offset, segmentBytes - Math.max(records, tombstones) * tombstoneSize);
    return records;
  }

  /** A write that ends with its process leaves what was written before, and zeros from there on.
   *  What a batch ends with, an entry or a tag, is never zeros. */
  #isCutShort(batch: Batch): boolean {
    if (this.#what.isClosed) return false;
    const { fd, device } = this.#what;
    const last = Buffer.alloc(unitBytes);
    return (
      device.readAtSync(fd, last, 0, unitBytes, batch.end - unitBytes) === unitBytes && isZero(last)
    );
  }

  #batch(reader: BatchReader, batch: Batch): void {
    const index = Buffer.alloc(indexBytesOf(batch));
    const start = batch.offset + batchHeaderSize;
    let end = start;
    const entries: IndexEntry[] = [];
    const { isOpaque } = this.#what;
    const isWhole = isOpaque
      ? reader.isWhole(batch, index)
      : reader.index(batch, index, (entry) => void entries.push(entry));
    this.#what.onRead(batchHeaderSize + index.length);
    if (!isWhole) {
      const text = `the index of a batch of ${batch.count} records is damaged: a scan ends here`;
      this.#fault("index", start + batch.recordsBytes, text);
      return;
    }
    if (isOpaque) {
      this.#opaqueRecords(start, start + batch.recordsBytes, batch.count);
      return;
    }
    for (const entry of entries) {
      const at = entry.unit * unitBytes;
      this.#padding(end, at);
      end = at + entry.size;
      this.#record(at, entry);
      const padded = alignUp(end, unitBytes);
      this.#padding(end, padded);
      end = padded;
    }
    this.#padding(end, start + batch.recordsBytes);
  }

  #record(at: number, entry: IndexEntry): void {
    const { hasher, onRead, cipher } = this.#what;
    onRead(entry.size);
    if (entry.size > diskRecordBytesMax) {
      this.#fault("record", at, `a record has ${entry.size} bytes, more than one may have`);
      return;
    }
    // A copy: the check changes the bytes.
    const record = Buffer.from(this.#read(at, at + entry.size));
    const isSame =
      record.length >= recordHeaderSize &&
      record.readUIntLE(recordSize, 3) === entry.size &&
      record.readUInt8(recordSpace) === entry.space &&
      record.readUIntLE(recordSequence, 6) === entry.sequence;
    const place = { nonce: this.#nonce, offset: at, hasher, cipher };
    const size = openRecord(record, 0, record.length, place);
    if (size === 0) this.#fault("record", at, "a record fails its checksum: a read of it misses");
    else if (!isSame) this.#fault("record", at, "a record is not the one that the index names");
  }

  /** Finds the records without their index, which cannot be read: each begins where the last ends,
   *  but for zeros in between, and its header is not encrypted. */
  #opaqueRecords(from: number, to: number, count: number): void {
    const { hasher, onRead } = this.#what;
    onRead(to - from);
    let found = 0;
    let lost = -1;
    for (let at = from; at < to;) {
      const wanted = this.#read(at, at + unitBytes).readUIntLE(recordSize, 3);
      const isPossible = wanted <= Math.min(diskRecordBytesMax, to - at);
      const bytes = Buffer.from(this.#read(at, at + (isPossible ? wanted : unitBytes)));
      const size = verifyRecord(bytes, 0, bytes.length, this.#nonce, at, hasher);
      if (size > 0) {
        found += 1;
        this.#padding(at + size, alignUp(at + size, unitBytes));
        at = alignUp(at + size, unitBytes);
        continue;
      }
      if (lost < 0 && !isZero(this.#read(at, at + unitBytes))) lost = at;
      at += unitBytes;
    }
    if (lost >= 0) this.#fault("record", lost, "a record fails its checksum: a read of it misses");
    else if (found !== count) this.#fault("record", from, `${found} of ${count} records are there`);
  }

  #padding(from: number, to: number): void {
    if (from >= to) return;
    const found = firstNonZero(this.#read(from, to));
    if (found < 0) return;
    this.#fault("padding", from + found, "a byte between two records is not zero");
  }

  /** Returns the length of the list. */
  #tombstones(records: number): number {
    const { fd, segmentBytes, device } = this.#what;
    const list = readTombstones(fd, segmentBytes, this.#nonce, records, device);
    this.#what.onRead(list.units.length * tombstoneSize);
    if (!list.damaged) return list.length;
    const known = Math.max(list.length, records);
    const index = list.firstInvalid < known ? list.firstInvalid : list.units.indexOf(0);
    const text = "the tombstones cannot be trusted: nothing in this segment comes back";
    this.#fault("tombstone", segmentBytes - (Math.max(0, index) + 1) * tombstoneSize, text);
    return known;
  }

  /** What is behind the last batch. A batch whose write failed was made void by zeros over its
   *  header, and its records are left. */
  #rest(from: number, to: number): void {
    const first = from + batchHeaderSize;
    if (first + recordHeaderSize > to) return;
    const header = this.#read(first, first + recordHeaderSize);
    const isRecord =
      header.readUIntLE(recordSize, 3) > recordHeaderSize &&
      header.readUIntLE(recordSequence, 6) > 0;
    if (isRecord) {
      this.#notes.push(`${this.#what.file}: a batch at ${from} was not written, and is void`);
      return;
    }
    for (let at = first; at < to; at += windowBytes) {
      const bytes = this.#read(at, Math.min(to, at + windowBytes));
      this.#what.onRead(bytes.length);
      const found = firstNonZero(bytes);
      if (found < 0) continue;
      this.#fault("padding", at + found, "a byte behind the last batch is not zero");
      return;
    }
  }

  /** The bytes of a range of at most windowBytes; fewer if the file ends before. Valid until the
   *  next call. */
  #read(from: number, to: number): Buffer {
    if (from < this.#windowStart || to > this.#windowEnd) {
      const { fd, device, segmentBytes } = this.#what;
      const length = Math.min(this.#window.length, Math.max(to - from, segmentBytes - from));
      this.#windowStart = from;
      this.#windowEnd = from + device.readAtSync(fd, this.#window, 0, length, from);
    }
    const end = Math.min(to, this.#windowEnd);
    return this.#window.subarray(from - this.#windowStart, Math.max(0, end - this.#windowStart));
  }
}
