// A new janitor after one died: whatever the dead one had announced on disk and not written is taken back. Invariant: when
// this returns, every disk location in the index and in record headers is one whose batch was written.
import { segmentHeaderSize } from "../disk/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import type { DiskHandle } from "../tiers/mod.js";
import { DiskTable } from "./disk-table.js";

/** Seals the segment the dead janitor wrote to, and frees the one it was reclaiming. */
export function takeOver(kernel: Kernel, disk: DiskHandle): void {
  const { segmentCount } = kernel.geometry;
  for (let segment = 0; segment < segmentCount; segment++) kernel.verbs.unpinSegment(segment);
  const disks = new DiskTable(kernel);
  for (let segment = 0; segment < disks.count; segment++) {
    const state = disks.state(segment);
    if (state === at.diskOpen) {
      forget(kernel, disk, segment, disks.endOffset(segment) || segmentHeaderSize);
      kernel.verbs.setDiskState(segment, at.diskSealed);
    } else if (state === at.diskReclaiming) {
      forget(kernel, disk, segment, 0);
      kernel.verbs.setDiskState(segment, at.diskFree);
    }
  }
}

/** Forgets every location in a disk segment from an offset on. */
function forget(kernel: Kernel, disk: DiskHandle, segment: number, from: number): void {
  const perSegment = disk.segmentBytes / 16;
  kernel.verbs.dropUnits(segment * perSegment + from / 16, (segment + 1) * perSegment);
}
