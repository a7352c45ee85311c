// Chooses the disk log's next segment file: a free one to open, or a victim to reclaim. Reads the
// disk segment table only.
import type { DiskShares } from "./disk-shares.js";
import { codes, type ControlBlock, type DiskSegmentTable } from "../kernel/mod.js";

/** The first free segment, or -1. */
export function findFree(table: DiskSegmentTable): number {
  for (let segment = 0; segment < table.count(); segment++) {
    if (table.state(segment) === codes.diskFree) return segment;
  }
  return -1;
}

/** How many segments are not free. */
export function usedSegments(table: DiskSegmentTable): number {
  let used = 0;
  for (let segment = 0; segment < table.count(); segment++) {
    if (table.state(segment) !== codes.diskFree) used += 1;
  }
  return used;
}

/** The last segment that is not free, or -1. */
export function lastUsed(table: DiskSegmentTable): number {
  let segment = table.count() - 1;
  while (segment >= 0 && table.state(segment) === codes.diskFree) segment -= 1;
  return segment;
}

/** False while any segment is quarantined: it may hold records that must not come back. */
export function isTrusted(table: DiskSegmentTable): boolean {
  for (let segment = 0; segment < table.count(); segment++) {
    if (table.state(segment) === codes.diskQuarantined) return false;
  }
  return true;
}

/** A segment is passed over while more of it than this would be written again, for namespaces that
 *  are within their share. */
const passedShare = 1 / 2;

/** The sealed segment to reclaim next, or -1: one whose entries all expired, were cleared or have a
 *  tombstone, else the oldest of which no more than half is kept for shares, else that of which
 *  least is. Never `open`. */
export function chooseVictim(
  table: DiskSegmentTable,
  control: ControlBlock,
  now: number,
  open: number,
  shares: DiskShares,
): number {
  const epoch = control.clearEpoch();
  const hasShares = shares.refresh();
  let oldest = -1;
  let least = -1;
  let leastShare = Infinity;
  for (let segment = 0; segment < table.count(); segment++) {
    if (segment === open || table.state(segment) !== codes.diskSealed) continue;
    if (table.maxExpires(segment) <= now || table.maxSequence(segment) <= epoch) return segment;
    if (table.tombstoneCount(segment) >= table.recordCount(segment)) return segment;
    const kept = hasShares ? shares.keptShareOf(segment) : 0;
    if (kept < leastShare) {
      least = segment;
      leastShare = kept;
    }
    if (kept > passedShare) continue;
    if (oldest < 0 || table.serial(segment) < table.serial(oldest)) oldest = segment;
  }
  return oldest < 0 ? least : oldest;
}
