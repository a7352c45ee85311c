// What a map's threads do for those that died without `close`: where the system tells that a thread has ended (Linux), any
// other puts in order what it left. Asked by a set that found no room, and by a thread that attaches.
import { deadHolderOf, type Kernel, layout as at, recoverThread } from "../kernel/mod.js";

/** Recovers every thread that is proven dead; true if there was one. Costs some microseconds a thread attached. */
export function recoverDeadThread(kernel: Kernel): boolean {
  let recovered = false;
  for (let thread = 0; thread < at.threadsMax; thread++) {
    if (thread === kernel.thread) continue;
    const life = deadHolderOf(kernel.views, thread, true);
    // A map has nothing on disk, so nothing to mark dead there.
    if (life !== null && recoverThread(kernel, life, () => undefined)) recovered = true;
  }
  return recovered;
}
