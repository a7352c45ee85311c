// What is in memory and not on disk: entries that leave before the flusher has written them, and
// what would be lost if memory were.
import { codes, type Kernel } from "../kernel/mod.js";
import { flagDiskLocation, isInternal } from "../record/mod.js";
import { counterRefusedDiskDown, counterRefusedQueue } from "../stats/mod.js";

/** Counts such an entry by its reason, if its record, with these flags, could go to disk at all. */
export function countUnwritten(kernel: Kernel, flags: number): void {
  if ((flags & flagDiskLocation) === 0) return;
  kernel.count(kernel.control.isDiskUp() ? counterRefusedQueue : counterRefusedDiskDown, 1);
}

/** Whether each live record of a segment, behind the flusher's mark, is on disk or cannot be. */
export function isWritten(kernel: Kernel, segment: number): boolean {
  const { segments, verbs } = kernel;
  const walk = segments.walk(segment, segments.flushedOffset(segment));
  while (walk.next()) {
    const { record } = walk;
    if (!lacksCopy(kernel, record)) continue;
    const frequency = verbs.frequencyOfRecord(record);
    if (frequency >= 0 || frequency === codes.answerBusy) return false;
  }
  return true;
}

/** Whether a record could be on disk and is not. */
function lacksCopy({ records }: Kernel, record: number): boolean {
  return (records.flags(record) & flagDiskLocation) !== 0 && records.diskLocation(record) === 0;
}

/** Live entries that could be on disk and are not. It walks all of memory. */
export function unwrittenEntries(kernel: Kernel, now: number): number {
  const { segments, records, verbs } = kernel;
  let entries = 0;
  for (let segment = 0; segment < segments.count; segment++) {
    const walk = segments.walk(segment);
    while (walk.next()) {
      const { record } = walk;
      if (!lacksCopy(kernel, record) || isInternal(records.flags(record))) continue;
      if (records.deadline(record) <= now) continue;
      if (verbs.frequencyOfRecord(record) >= 0) entries += 1;
    }
  }
  return entries;
}
