// Chooses the disk log's next segment file: a free one to open, or a victim to reclaim. Reads the
// disk segment table only.
import { codes, type ControlBlock, type DiskSegmentTable } from "../kernel/mod.js";

/** A free segment, or -1. */
export function findFree(table: DiskSegmentTable): number {
  for (let segment = 0; segment < table.count; segment++) {
    if (table.state(segment) === codes.diskFree) return segment;
  }
  return -1;
}

/** False while any segment is quarantined: it may hold records that must not come back. */
export function isTrusted(table: DiskSegmentTable): boolean {
  for (let segment = 0; segment < table.count; segment++) {
    if (table.state(segment) === codes.diskQuarantined) return false;
  }
  return true;
}

/** The sealed segment to reclaim next, or -1: one whose entries all expired, were cleared or have a
 *  tombstone, else the oldest. Never `open`. */
export function chooseVictim(
  table: DiskSegmentTable,
  control: ControlBlock,
  now: number,
  open: number,
): number {
  const epoch = control.clearEpoch();
  let oldest = -1;
  for (let segment = 0; segment < table.count; segment++) {
    if (segment === open || table.state(segment) !== codes.diskSealed) continue;
    if (table.maxExpires(segment) <= now || table.maxSequence(segment) <= epoch) return segment;
    if (table.tombstoneCount(segment) >= table.recordCount(segment)) return segment;
    if (oldest < 0 || table.serial(segment) < table.serial(oldest)) oldest = segment;
  }
  return oldest;
}
