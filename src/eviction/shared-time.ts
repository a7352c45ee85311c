// The time as any thread of the cache reads it: the monotonic clock with the cache's anchor, or, where the opener injected a
// clock (tests), the coarse clock in shared memory that the opener keeps.
import { SystemClock } from "../base/mod.js";
import type { Kernel } from "../kernel/mod.js";

/** Wall-clock milliseconds, as every thread of the cache sees them. */
export function sharedTime(kernel: Kernel, clockAnchorMs: number | null): () => number {
  if (clockAnchorMs === null) {
    const { control } = kernel;
    return () => control.coarseTime();
  }
  const clock = new SystemClock(clockAnchorMs);
  return () => clock.now();
}
