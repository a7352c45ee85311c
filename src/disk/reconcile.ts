// Follows the scan of a segment: writes tombstones for the entries that this open must not bring
// back, and closes the holes in the list, so that exactly one free index is left for each live
// entry. Runs in the janitor at open, while no other thread writes tombstones.
// Invariant: the tombstone of a found record is erased only after its copy at a lower index was
// written, so a crash at any byte loses none.

import { type Device, fileDevice } from "../device/mod.js";
import { rewriteTombstones } from "./tombstone-list.js";
import { indexOfUnit, type SegmentEntries, type SegmentScan } from "./segment-scan.js";

/** Which of the entries found are void. openDirectory decides; see docs/internals/files.md. */
export interface RecoveryFilter {
  /** Entries up to this sequence were cleared. */
  readonly clearEpoch: number;
  /** By id of the namespace: its entries up to this sequence were cleared. */
  readonly namespaceEpochs: readonly number[];
  /** Entries above this sequence may have lost tombstones in a power loss; Infinity = keep all. */
  readonly keepThrough: number;
  /** The wall clock is behind the last session, so entries that expire could live too long. */
  readonly dropExpiring: boolean;
}

/** How a segment continues after recovery. */
export interface ReconciledSegment {
  /** Tombstones in the file, and so the index of the next one. */
  readonly tombstoneCount: number;
  /** Batches may be added at `endOffset`; false if it may be followed by anything but zeros. */
  readonly appendable: boolean;
}

/** A state of `dead` that only this file uses: a tombstone of the entry was found. */
const claimed = 2;

/**
 * Applies the filter to `scan.entries.dead` and reconciles the tombstones of the file.
 * Throws ERR_DISK_IO.
 */
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
  // After a power loss, pages of an unfinished write may be there even behind zeros.
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
    if (entries.dead[entry] === claimed) entries.dead[entry] = 1;
  }
  if (!changed) return { tombstoneCount, appendable };
  // Fill the free indexes first, then zero what moved: a crash in between leaves duplicates.
  rewriteTombstones(fd, segmentBytes, scan.nonce, units.subarray(0, tombstoneCount), device);
  if (units.length > tombstoneCount) rewriteTombstones(fd, segmentBytes, scan.nonce, units, device);
  return { tombstoneCount, appendable };
}

/** Marks the entries that the filter voids as dead; returns the number of dead entries. */
function applyFilter(entries: SegmentEntries, filter: RecoveryFilter): number {
  let tombstoneCount = 0;
  for (let entry = 0; entry < entries.dead.length; entry++) {
    const sequence = entries.sequence[entry] ?? 0;
    const isVoid =
      sequence <= filter.clearEpoch ||
      sequence <= (filter.namespaceEpochs[entries.space[entry] ?? 0] ?? 0) ||
      sequence > filter.keepThrough ||
      (filter.dropExpiring && entries.expires[entry] !== Infinity);
    if (isVoid) entries.dead[entry] = 1;
    tombstoneCount += entries.dead[entry] ?? 0;
  }
  return tombstoneCount;
}

/** The dead entry that a tombstone names, or -1 if another tombstone claimed it before. */
function claim(entries: SegmentEntries, unit: number): number {
  const entry = unit === 0 ? -1 : indexOfUnit(entries.unit, unit);
  if (entry < 0 || entries.dead[entry] !== 1) return -1;
  entries.dead[entry] = claimed;
  return entry;
}
