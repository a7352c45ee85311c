// What a dead thread left in shared memory, put in order by the owner: its bucket locks, dead marks it had announced and
// not written, its open segments, those it was emptying, its flights and its thread block. Called only when the thread's death is proven (its
// worker's `exit` event), so nothing is ever taken from a live one.
import { type Kernel, layout as at } from "../kernel/mod.js";

/** Recovers one thread block. `kill` writes a dead mark. */
export function recoverThread(
  kernel: Kernel,
  thread: number,
  kill: (location: number) => void,
): void {
  const { i32, u32, f64 } = kernel.views;
  const block = at.threadTable + thread * at.threadBlockSize;
  const incarnation = u32[(block + at.threadIncarnation) / 4] as number;
  // First the locks: other threads wait for them. Every state under a lock is a valid one.
  kernel.verbs.releaseLocks((thread + 1) | (incarnation << 8));
  for (let place = 0; place < 2; place++) {
    const word = (block + at.threadKilling0) / 4 + place;
    const location = f64[(block + at.resultKill0) / 8 + place] as number;
    if (Atomics.load(i32, word) !== 0 && location !== 0) kill(location);
    Atomics.store(i32, word, 0);
  }
  kernel.verbs.sealOrphans(thread);
  kernel.verbs.releaseClaims(thread);
  kernel.verbs.endFlightsOf(thread);
  Atomics.compareExchange(i32, at.controlSlackOwner / 4, thread + 1, 0);
  Atomics.store(i32, (block + at.threadState) / 4, 0);
}

/** The thread block that a worker with this Node thread id holds, or -1. */
export function blockOfWorker(kernel: Kernel, workerId: number): number {
  const { i32 } = kernel.views;
  for (let thread = 0; thread < at.threadsMax; thread++) {
    const block = at.threadTable + thread * at.threadBlockSize;
    if (Atomics.load(i32, (block + at.threadState) / 4) === 0) continue;
    if (Atomics.load(i32, (block + at.threadWorkerId) / 4) === workerId) return thread;
  }
  return -1;
}
