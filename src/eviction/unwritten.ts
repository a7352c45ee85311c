// Entries that leave memory before the flusher has written them.
import type { Kernel } from "../kernel/mod.js";
import { flagDiskLocation } from "../record/mod.js";
import { counterRefusedDiskDown, counterRefusedQueue } from "../stats/mod.js";

/** Counts such an entry by its reason, if its record, with these flags, could go to disk at all. */
export function countUnwritten(kernel: Kernel, flags: number): void {
  if ((flags & flagDiskLocation) === 0) return;
  kernel.count(kernel.control.isDiskUp() ? counterRefusedQueue : counterRefusedDiskDown, 1);
}
