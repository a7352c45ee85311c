// A new janitor after one died: whatever the dead one had announced on disk and not written is taken back. Invariant: when
// this returns, every disk location in the index and in record headers is one whose batch was written, and what they no
// longer name is void on disk: it could be overwritten unseen, and a later life would bring it back.
import { UndercroftError } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import { tombstoneSize, segmentHeaderSize, voidSegment } from "../disk/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import type { DiskHandle } from "../tiers/mod.js";
import { retryWhileBusy } from "./retry-while-busy.js";

/** docs/internals/files.md: a batch begins with a header of 64 bytes. */
const batchHeaderBytes = 64;

/** Seals the segment the dead janitor wrote to, and frees the one it was reclaiming. */
export function failOver(kernel: Kernel, disk: DiskHandle): void {
  const { segmentCount } = kernel.geometry;
  for (let segment = 0; segment < segmentCount; segment++) kernel.verbs.unpinSegment(segment);
  const disks = kernel.diskSegments;
  for (let segment = 0; segment < disks.count; segment++) {
    const state = disks.state(segment);
    if (state === codes.diskOpen) {
      const end = disks.endOffset(segment) || segmentHeaderSize;
      // The batch may have been written whole before the janitor could say so.
      const isVoid = voidBatch(disk, segment, end, disks.recordCount(segment));
      if (dropLocationsFrom(kernel, disk, segment, end) && isVoid) kernel.verbs.sealDisk(segment);
      else giveUp(kernel, segment);
    } else if (state === codes.diskReclaiming) {
      const isVoid = attemptToVoid(() => voidSegment(disk.fds[segment] as number));
      const isEmpty =
        dropLocationsFrom(kernel, disk, segment, 0) && !disks.hasPendingTombstone(segment);
      if (isEmpty && isVoid) kernel.verbs.setDiskState(segment, codes.diskFree);
      else giveUp(kernel, segment);
    }
  }
}

/** Leaves a segment to the janitor's rounds, which make it void and empty it before the tier takes writes again. */
function giveUp(kernel: Kernel, segment: number): void {
  kernel.verbs.setDiskState(segment, codes.diskQuarantined);
  kernel.control.markDiskDown();
}

/** Puts zeros, at which a scan ends, in place of the header of a batch that does not count. False if they could
 *  not be written, after a failed write for instance: then the whole segment must be given up. `recordCount`: what the
 *  segment has room for marks of. */
export function voidBatch(
  disk: DiskHandle,
  segment: number,
  offset: number,
  recordCount: number,
  device: Device = fileDevice,
): boolean {
  const zeros = Buffer.alloc(batchHeaderBytes);
  // Nearer to the marks there is no room for a batch, and a mark must not be overwritten.
  if (offset + zeros.length + recordCount * tombstoneSize > disk.segmentBytes) return true;
  const fd = disk.fds[segment] as number;
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

/** Drops every location in a disk segment from an offset on: disk entries leave the index, memory records lose their copy there.
 *  False if a key's lock could not be had: then the index may still name what is there. */
export function dropLocationsFrom(
  kernel: Kernel,
  disk: DiskHandle,
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
