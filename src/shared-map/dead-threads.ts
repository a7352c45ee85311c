// What a map's threads do for those that died without `close`: where the system tells that a thread has ended (Linux), any
// other puts in order what it left. Asked by a set that found no room, and by a thread that attaches.
import { codes, deadHolderOf, type Kernel, recoverThread } from "../kernel/mod.js";

/** Recovers every thread that is proven dead; true if there was one. Costs some microseconds a thread attached. */
export function recoverDeadThread(kernel: Kernel): boolean {
  let recovered = false;
  for (let thread = 0; thread < codes.threadsMax; thread++) {
    if (thread === kernel.thread) continue;
    const holder = deadHolderOf(kernel, thread, true);
    // A map has nothing on disk, so nothing to mark dead there.
    if (holder !== null && recoverThread(kernel, holder, () => undefined)) recovered = true;
  }
  return recovered;
}
