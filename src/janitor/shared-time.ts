// The time as workers read it: the monotonic clock with the cache's anchor, or, where the owner injected a clock (tests),
// the coarse clock in shared memory that the owner keeps.
import { SystemClock } from "../base/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";

/** Wall-clock milliseconds, as every thread of the cache sees them. */
export function sharedTime(kernel: Kernel, clockAnchorMs: number | null): () => number {
  if (clockAnchorMs === null) {
    const { f64 } = kernel.views;
    return () => f64[at.controlClock / 8] as number;
  }
  const clock = new SystemClock(clockAnchorMs);
  return () => clock.now();
}
