// Which segment file the disk log takes next: a free one, or the one to reclaim. Reads the disk segment table.
import { codes, type ControlBlock, type DiskSegmentTable } from "../kernel/mod.js";

/** A free segment, or -1. */
export function findFree(table: DiskSegmentTable): number {
  for (let segment = 0; segment < table.count; segment++) {
    if (table.state(segment) === codes.diskFree) return segment;
  }
  return -1;
}

/** False while a segment is given up and not known to be void and empty. */
export function isTrusted(table: DiskSegmentTable): boolean {
  for (let segment = 0; segment < table.count; segment++) {
    if (table.state(segment) === codes.diskQuarantined) return false;
  }
  return true;
}

/** The sealed segment to reclaim next: one in which everything expired, was cleared or has a tombstone, else the oldest; -1 if
 *  there is none. `open` is never chosen. */
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
