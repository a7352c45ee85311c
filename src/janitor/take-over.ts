// A new janitor after one died: whatever the dead one had announced on disk and not written is taken back. Invariant: when
// this returns, every disk location in the index and in record headers is one whose batch was written.
import { offsetOfLocation, segmentHeaderSize } from "../disk/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import type { DiskHandle } from "../tiers/mod.js";
import { DiskTable } from "./disk-table.js";
import { RecordHeader, SegmentTable } from "./segments.js";

/** Seals the segment the dead janitor wrote to, and frees the one it was reclaiming. */
export function takeOver(kernel: Kernel, disk: DiskHandle): void {
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
  releaseClaimed(kernel);
}

/** Forgets every location in a disk segment from an offset on. */
function forget(kernel: Kernel, disk: DiskHandle, segment: number, from: number): void {
  const disks = new DiskTable(kernel);
  const perSegment = disk.segmentBytes / 16;
  kernel.verbs.dropUnits(segment * perSegment + from / 16, (segment + 1) * perSegment);
  const table = new SegmentTable(kernel);
  const header = new RecordHeader(kernel);
  for (let memory = 0; memory < table.count; memory++) {
    if (table.state(memory) === at.segmentFree) continue;
    const end = table.base(memory) + table.writeOffset(memory);
    for (let record = table.base(memory); record < end;) {
      const location = header.durable(record);
      const isThere =
        location !== 0 &&
        disks.segmentOf(location, disk.segmentBytes) === segment &&
        offsetOfLocation(location, disk.segmentBytes) >= from;
      if (isThere) kernel.verbs.assignDurable(record, 0);
      record += (header.size(record) + 7) & ~7;
    }
  }
}

/** Segments whose eviction stopped half way are sealed again: evicting them anew finds what is left. */
function releaseClaimed(kernel: Kernel): void {
  const table = new SegmentTable(kernel);
  for (let segment = 0; segment < table.count; segment++) {
    if (table.state(segment) === at.segmentEvicting) kernel.verbs.unclaimSegment(segment);
  }
}
