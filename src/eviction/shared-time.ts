// The time that every thread of a cache reads: the monotonic clock with the cache's anchor. If the
// opener injected a clock (tests), it is the coarse clock in shared memory, which the opener then
// keeps.
import { SystemClock } from "../base/mod.js";
import type { Kernel } from "../kernel/mod.js";

/** Returns a clock of wall-clock milliseconds that all threads of the cache share. */
export function sharedTime(kernel: Kernel, clockAnchorMs: number | null): () => number {
  if (clockAnchorMs === null) {
    const { control } = kernel;
    return () => control.coarseTime();
  }
  const clock = new SystemClock(clockAnchorMs);
  return () => clock.now();
}
