// Recovers what a map's threads that died without `close` left. Any other thread can do so where
// the system tells that a thread has ended (Linux). Called by a set that was not stored, and
// by a thread that attaches.
import { codes, deadHolderOf, type Kernel, recoverThread } from "../kernel/mod.js";

/**
 * Recovers every thread that is proven dead. Returns true if there was one. Costs some microseconds
 * for each attached thread.
 */
export function recoverDeadThread(kernel: Kernel): boolean {
  let recovered = false;
  for (let thread = 0; thread < codes.threadsMax; thread++) {
    if (thread === kernel.thread) continue;
    const holder = deadHolderOf(kernel, thread, true);
    // A map has nothing on disk, so there is no tombstone to write.
    if (holder !== null && recoverThread(kernel, holder, () => undefined)) recovered = true;
  }
  return recovered;
}
