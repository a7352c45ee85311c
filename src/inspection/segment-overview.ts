// What one segment file holds, by its headers, indexes and tombstones, without reading a value.
// Called by the overview of a directory.
import type { Device } from "../device/mod.js";
import { isZero } from "../directory/mod.js";
import {
  BatchReader,
  type DiskCipher,
  type IndexEntry,
  indexBytesOf,
  readSegmentIdentity,
  readTombstones,
  segmentHeaderSize,
  segmentKeyOf,
} from "../disk/mod.js";
import type { Hasher } from "../hash/mod.js";

/** What is in a segment: "unused" if nothing, "damaged" if its header tells nothing. */
export type SegmentUse = "used" | "unused" | "damaged";

/** Why a record is none that a read would return. */
export type RecordState = "live" | "expired" | "deleted" | "void";

export interface SegmentSource {
  readonly fd: number;
  readonly segment: number;
  readonly segmentBytes: number;
  readonly seed: bigint;
  readonly hasher: Hasher;
  readonly device: Device;
  readonly cipher: DiskCipher | null;
  /** It is encrypted, and there is no key: records are counted and not visited. */
  readonly isOpaque: boolean;
}

/** One segment. */
export interface SegmentOverview {
  readonly segment: number;
  readonly use: SegmentUse;
  /** Order of use over all sessions; 0 if it is not used. */
  readonly serial: number;
  /** When it was begun, wall-clock milliseconds; 0 if it is not used. */
  readonly createdMs: number;
  /** Bytes up to the end of the last batch. */
  readonly usedBytes: number;
  readonly records: number;
  readonly liveRecords: number;
  readonly liveBytes: number;
  /** What was found damaged, null for nothing. */
  readonly damage: "header" | "batch" | "tombstones" | null;
}

/** Tells what became of a record, and takes note of it. */
export type RecordVisitor = (entry: IndexEntry, isDeleted: boolean) => RecordState;

/** Reads a segment, and visits each of its records. Throws ERR_DISK_IO. */
export function overviewOfSegment(source: SegmentSource, visit: RecordVisitor): SegmentOverview {
  const { fd, segment, segmentBytes, seed, hasher, device, cipher, isOpaque } = source;
  const none = { segment, serial: 0, createdMs: 0, usedBytes: 0, records: 0 };
  const key = segmentKeyOf(seed, segment);
  const identity = readSegmentIdentity(fd, segmentBytes, key, hasher, device);
  if (identity === null) {
    const header = Buffer.alloc(segmentHeaderSize);
    const isRead = device.readAtSync(fd, header, 0, header.length, 0) === header.length;
    const isUnused = isRead && isZero(header);
    const [use, damage] = isUnused ? (["unused", null] as const) : (["damaged", "header"] as const);
    return { ...none, use, damage, liveRecords: 0, liveBytes: 0 };
  }
  const { nonce, serial, createdMs } = identity;
  const reader = new BatchReader({ fd, segmentBytes, nonce, hasher, device, cipher });
  const { batches, isDamaged, end } = batchesOf(reader);
  const records = batches.reduce((sum, { count }) => sum + count, 0);
  const list = readTombstones(fd, segmentBytes, nonce, records, device);
  const deleted = new Set(list.units);
  let liveRecords = 0;
  let liveBytes = 0;
  let isWhole = !isDamaged;
  for (const batch of batches) {
    const index = Buffer.alloc(indexBytesOf(batch));
    if (isOpaque) isWhole = reader.isWhole(batch, index) && isWhole;
    if (isOpaque) continue;
    isWhole = reader.index(batch, index, (entry) => {
      if (visit(entry, list.damaged || deleted.has(entry.unit)) !== "live") return;
      liveRecords += 1;
      liveBytes += entry.size;
    });
    if (!isWhole) break;
  }
  const broken = isWhole ? null : ("batch" as const);
  const damage = list.damaged ? ("tombstones" as const) : broken;
  const found = { segment, use: "used" as const, serial, createdMs, usedBytes: end, records };
  return { ...found, liveRecords, liveBytes, damage };
}

function batchesOf(reader: BatchReader) {
  const batches = [];
  let end = segmentHeaderSize;
  let records = 0;
  for (;;) {
    const batch = reader.header(end, records);
    if (typeof batch === "string") return { batches, isDamaged: batch === "damaged", end };
    batches.push(batch);
    records += batch.count;
    end = batch.end;
  }
}
