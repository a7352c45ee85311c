// A new janitor after one died: whatever the dead one had announced on disk and not written is taken back. Invariant: when
// this returns, every disk location in the index and in record headers is one whose batch was written, and what they no
// longer name is void on disk: it could be overwritten unseen, and a later life would bring it back.
import { UndercroftError } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import { deadMarkSize, segmentHeaderSize, voidSegment } from "../disk/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import type { DiskHandle } from "../tiers/mod.js";
import { DiskTable } from "./disk-table.js";

/** docs/segment-format.md: a batch begins with a header of 64 bytes. */
const batchHeaderBytes = 64;

/** Seals the segment the dead janitor wrote to, and frees the one it was reclaiming. */
export function takeOver(kernel: Kernel, disk: DiskHandle): void {
  const { segmentCount } = kernel.geometry;
  for (let segment = 0; segment < segmentCount; segment++) kernel.verbs.unpinSegment(segment);
  const disks = new DiskTable(kernel);
  for (let segment = 0; segment < disks.count; segment++) {
    const state = disks.state(segment);
    if (state === at.diskOpen) {
      const end = disks.endOffset(segment) || segmentHeaderSize;
      // The batch may have been written whole before the janitor could say so.
      voidBatch(disk, segment, end, disks.recordCount(segment));
      forget(kernel, disk, segment, end);
      kernel.verbs.setDiskState(segment, at.diskSealed);
    } else if (state === at.diskReclaiming) {
      attemptToVoid(() => voidSegment(disk.fds[segment] as number));
      forget(kernel, disk, segment, 0);
      kernel.verbs.setDiskState(segment, at.diskFree);
    }
  }
}

/** Puts zeros, at which a scan ends, in place of the header of a batch that does not count. Best effort: after a failed
 *  write the next one may fail too. `recordCount`: what the segment has room for marks of. */
export function voidBatch(
  disk: DiskHandle,
  segment: number,
  offset: number,
  recordCount: number,
  device: Device = fileDevice,
): void {
  const zeros = Buffer.alloc(batchHeaderBytes);
  // Nearer to the marks there is no room for a batch, and a mark must not be overwritten.
  if (offset + zeros.length + recordCount * deadMarkSize > disk.segmentBytes) return;
  const fd = disk.fds[segment] as number;
  attemptToVoid(() => device.writeAtSync(fd, zeros, 0, zeros.length, offset));
}

function attemptToVoid(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof UndercroftError)) throw error;
  }
}

/** Forgets every location in a disk segment from an offset on. */
export function forget(kernel: Kernel, disk: DiskHandle, segment: number, from: number): void {
  const perSegment = disk.segmentBytes / 16;
  kernel.verbs.dropUnits(segment * perSegment + from / 16, (segment + 1) * perSegment);
}
