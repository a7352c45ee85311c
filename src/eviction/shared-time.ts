// The time that every thread of a cache reads: the monotonic clock with the cache's anchor. If the
// opener injected a clock (tests), it is the coarse clock in shared memory, which the opener then
// keeps.
import { type Clock, SystemClock } from "../base/mod.js";
import type { Kernel } from "../kernel/mod.js";

/** A clock that all threads of the cache share. */
export function sharedClock({ control }: Kernel, isClockInjected: boolean): Clock {
  if (isClockInjected) return { now: () => control.coarseTime() };
  return new SystemClock(control.clockWords);
}
