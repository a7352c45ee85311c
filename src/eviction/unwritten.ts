// What is in memory and not on disk: entries that leave before the flusher has written them, and
// what would be lost if memory were.
import type { Kernel } from "../kernel/mod.js";
import { flagDiskLocation, isInternal } from "../record/mod.js";
import { counterRefusedDiskDown, counterRefusedQueue } from "../stats/mod.js";

/** Counts such an entry by its reason, if its record, with these flags, could go to disk at all. */
export function countUnwritten(kernel: Kernel, flags: number): void {
  if ((flags & flagDiskLocation) === 0) return;
  kernel.count(kernel.control.isDiskUp() ? counterRefusedQueue : counterRefusedDiskDown, 1);
}

/** Live entries that could be on disk and are not. It walks all of memory. */
export function unwrittenEntries(kernel: Kernel, now: number): number {
  const { segments, records, verbs } = kernel;
  let entries = 0;
  for (let segment = 0; segment < segments.count; segment++) {
    const walk = segments.walk(segment);
    while (walk.next()) {
      const { record } = walk;
      const flags = records.flags(record);
      if ((flags & flagDiskLocation) === 0 || isInternal(flags)) continue;
      if (records.diskLocation(record) !== 0 || records.deadline(record) <= now) continue;
      if (verbs.frequencyOfRecord(record) >= 0) entries += 1;
    }
  }
  return entries;
}
