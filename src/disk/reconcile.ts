// What follows the scan of a segment: entries that this open must not bring back are made dead durably, and the dead
// list is put in order, so that there is exactly one free mark for each entry that still lives. Runs in a worker, while
// no other thread writes marks.
// Invariant: no place of the list that holds a mark of a record found is overwritten, so a kill at any byte loses none.

import { type Device, fileDevice } from "../device/mod.js";
import { rewriteTombstones } from "./tombstone-list.js";
import { indexOfUnit, type SegmentEntries, type SegmentScan } from "./segment-scan.js";

/** Which of the entries found are void; openDirectory decides, see docs/internals/files.md. */
export interface RecoveryFilter {
  /** Entries with a sequence up to this were cleared. */
  readonly clearEpoch: number;
  /** Entries with a higher sequence may have lost their marks in a power loss; Infinity = keep all. */
  readonly keepThrough: number;
  /** The wall clock is behind the last life of the directory: entries that expire might live too long. */
  readonly dropExpiring: boolean;
}

/** How a segment goes on after recovery. */
export interface ReconciledSegment {
  /** Marks in the dead list: the index of the segment's next mark. */
  readonly tombstoneCount: number;
  /** Batches may be added at `endOffset`; false if anything but zeros may follow there. */
  readonly appendable: boolean;
}

const placed = 2;

/** Completes `scan.entries.dead` by the filter and settles the dead list of the file. Throws ERR_DISK_IO. */
export function reconcileSegment(
  fd: number,
  segmentBytes: number,
  scan: SegmentScan,
  filter: RecoveryFilter,
  device: Device = fileDevice,
): ReconciledSegment {
  const { entries, tombstones } = scan;
  const tombstoneCount = applyFilter(entries, filter);
  if (scan.tombstonesDamaged) return { tombstoneCount, appendable: false };
  // After a power loss any page of an unfinished write may be there, also behind zeros.
  const appendable = scan.damagedBatches === 0 && filter.keepThrough === Infinity;
  const units = new Uint32Array(Math.max(tombstoneCount, tombstones.length));
  let changed = tombstones.length > tombstoneCount;
  for (let index = 0; index < Math.min(tombstoneCount, tombstones.length); index++) {
    const entry = claim(entries, tombstones[index] ?? 0);
    if (entry >= 0) units[index] = tombstones[index] ?? 0;
  }
  let free = 0;
  for (let entry = 0; entry < entries.dead.length; entry++) {
    if (entries.dead[entry] !== 1) continue;
    while (units[free] !== 0) free += 1;
    units[free] = entries.unit[entry] ?? 0;
    changed = true;
  }
  for (let entry = 0; entry < entries.dead.length; entry++) {
    if (entries.dead[entry] === placed) entries.dead[entry] = 1;
  }
  if (!changed) return { tombstoneCount, appendable };
  // First the marks that fill places, then the zeros over the marks that moved: a kill between leaves some twice.
  rewriteTombstones(fd, segmentBytes, scan.nonce, units.subarray(0, tombstoneCount), device);
  if (units.length > tombstoneCount) rewriteTombstones(fd, segmentBytes, scan.nonce, units, device);
  return { tombstoneCount, appendable };
}

/** Marks what the filter voids and returns the number of dead entries. */
function applyFilter(entries: SegmentEntries, filter: RecoveryFilter): number {
  let tombstoneCount = 0;
  for (let entry = 0; entry < entries.dead.length; entry++) {
    const sequence = entries.sequence[entry] ?? 0;
    const isVoid =
      sequence <= filter.clearEpoch ||
      sequence > filter.keepThrough ||
      (filter.dropExpiring && entries.expires[entry] !== Infinity);
    if (isVoid) entries.dead[entry] = 1;
    tombstoneCount += entries.dead[entry] ?? 0;
  }
  return tombstoneCount;
}

/** The dead entry of a mark if this is its first mark, else -1. */
function claim(entries: SegmentEntries, unit: number): number {
  const entry = unit === 0 ? -1 : indexOfUnit(entries.unit, unit);
  if (entry < 0 || entries.dead[entry] !== 1) return -1;
  entries.dead[entry] = placed;
  return entry;
}
