// Failover: a new janitor takes back what a dead one announced on disk and did not write. Also used
// by the disk log after a failed write. Invariant: when failOver returns, every disk location in
// the index and in record headers names a written batch. What they no longer name is void on disk,
// else it could be overwritten without a tombstone and a later session would bring it back.
import { UndercroftError } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import { tombstoneSize, segmentHeaderSize, voidSegment } from "../disk/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import type { ThreadDisk } from "../tiers/mod.js";
import { retryWhileBusy } from "./retry-while-busy.js";

/** A batch begins with a header of 64 bytes (docs/internals/files.md). */
const batchHeaderBytes = 64;

/** Seals the segment that the dead janitor was writing and frees the one it was reclaiming. */
export function failOver(kernel: Kernel, disk: ThreadDisk): void {
  const { segmentCount } = kernel.geometry;
  for (let segment = 0; segment < segmentCount; segment++) kernel.verbs.unpinSegment(segment);
  const disks = kernel.diskSegments;
  for (let segment = 0; segment < disks.count(); segment++) {
    const state = disks.state(segment);
    if (state === codes.diskOpen) {
      const end = disks.endOffset(segment) || segmentHeaderSize;
      // The batch may be whole on disk although the janitor died before it could record that.
      const isVoid = voidBatch(disk, segment, end, disks.recordCount(segment));
      if (dropLocationsFrom(kernel, disk, segment, end) && isVoid) kernel.verbs.sealDisk(segment);
      else giveUp(kernel, segment);
    } else if (state === codes.diskReclaiming) {
      const isVoid = attemptToVoid(() => voidSegment(disk.files.fd(segment)));
      const isEmpty =
        dropLocationsFrom(kernel, disk, segment, 0) && !disks.hasPendingTombstone(segment);
      if (isEmpty && isVoid) kernel.verbs.setDiskState(segment, codes.diskFree);
      else giveUp(kernel, segment);
    }
  }
}

/** Quarantines a segment. The janitor voids and empties it before the tier takes writes again. */
function giveUp(kernel: Kernel, segment: number): void {
  kernel.verbs.setDiskState(segment, codes.diskQuarantined);
  kernel.control.markDiskDown();
}

/** Voids a batch: overwrites its header with zeros, which end a scan. False if that write fails;
 *  the whole segment must be quarantined then. The end of the segment has room for `recordCount`
 *  tombstones. */
export function voidBatch(
  disk: ThreadDisk,
  segment: number,
  offset: number,
  recordCount: number,
  device: Device = fileDevice,
): boolean {
  const zeros = Buffer.alloc(batchHeaderBytes);
  // So close to the tombstones no batch fits, and a tombstone must not be overwritten.
  if (offset + zeros.length + recordCount * tombstoneSize > disk.segmentBytes) return true;
  const fd = disk.files.fd(segment);
  return attemptToVoid(() => device.writeAtSync(fd, zeros, 0, zeros.length, offset));
}

function attemptToVoid(write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if (!(error instanceof UndercroftError)) throw error;
    return false;
  }
}

/** Drops every location in a disk segment from an offset on: disk entries leave the index, memory
 *  records lose their copy there. False if a key's lock could not be taken: the index may still
 *  name a location there. */
export function dropLocationsFrom(
  kernel: Kernel,
  disk: ThreadDisk,
  segment: number,
  from: number,
): boolean {
  const perSegment = disk.segmentBytes / 16;
  const first = segment * perSegment + from / 16;
  const end = (segment + 1) * perSegment;
  const answer = retryWhileBusy(() =>
    kernel.verbs.dropUnits(first, end) === 0 ? 0 : codes.answerBusy,
  );
  return answer !== codes.answerBusy;
}
