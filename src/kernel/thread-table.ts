// The thread places of a cache's memory: taking one, giving it back, telling whether its holder is dead, and putting in
// order what a dead holder left. Called by Kernel for its own thread, and for others by the janitor on its rounds, by the
// owner when a worker exits, and by threads that attached. Invariants: nothing is ever taken from a live thread: a death is
// proven by the system or by a worker's exit, and what is recovered names one life of one place; one thread at a time
// recovers a place, and if it dies over that, another begins anew, for each step may be done twice.
import { threadId } from "node:worker_threads";
import { UndercroftError } from "../base/mod.js";
import { counterThreadsRecovered } from "../stats/mod.js";
import * as at from "./layout.js";
import { hasEnded, systemThread } from "./system-thread.js";

/** Views of a cache's memory; element i of `i32` is at byte 4 i, of `f64` at byte 8 i. */
interface Views {
  readonly i32: Int32Array;
  readonly f64: Float64Array;
}

/** What of a thread's kernel it takes to put another thread's place in order. */
interface Recoverer {
  readonly thread: number;
  readonly views: Views;
  readonly verbs: {
    readonly releaseLocks: (lockWord: number) => number;
    readonly sealOrphans: (thread: number) => void;
    readonly releaseClaims: (thread: number) => void;
    readonly endFlightsOf: (thread: number) => void;
  };
  count(counter: number, amount: number): void;
}

/** One life of one place: who held it, and how often it had been given back. */
export interface ThreadHolder {
  readonly thread: number;
  readonly state: number;
  readonly incarnation: number;
}

/** Index in a view of 32-bit words of a word in a thread's block. */
function wordOf(thread: number, offset: number): number {
  return (at.threadTable + thread * at.threadBlockSize + offset) / 4;
}

/** What the calling thread is called in a place's state. */
function ownState(): number {
  const system = systemThread();
  const [id, kind] = system === null ? [threadId, 0] : [system.id, at.threadBySystem];
  return at.threadHeld | kind | (id << at.threadIdShift);
}

/** Takes a free place for the calling thread; throws ERR_TOO_MANY_THREADS when there is none. */
export function claimThread(views: Views): ThreadHolder {
  const state = ownState();
  for (let thread = 0; thread < at.threadsMax; thread++) {
    if (Atomics.compareExchange(views.i32, wordOf(thread, at.threadState), 0, state) !== 0)
      continue;
    nameHolder(views, thread);
    return { thread, state, incarnation: incarnationOf(views, thread) };
  }
  const message = `Cannot attach to a cache: all ${at.threadsMax} thread places are taken; close() what is not used`;
  throw new UndercroftError("ERR_TOO_MANY_THREADS", message);
}

/** Makes the calling thread the holder of a place that another thread took for it. */
export function takeOverThreadId(views: Views, thread: number): ThreadHolder {
  // First not known: the start of the thread that took the place must not stand beside this one's number.
  views.f64[wordOf(thread, at.threadStarted) / 2] = 0;
  const state = ownState();
  Atomics.store(views.i32, wordOf(thread, at.threadState), state);
  nameHolder(views, thread);
  return { thread, state, incarnation: incarnationOf(views, thread) };
}

function nameHolder(views: Views, thread: number): void {
  views.f64[wordOf(thread, at.threadStarted) / 2] = systemThread()?.started ?? 0;
  Atomics.store(views.i32, wordOf(thread, at.threadWorkerId), threadId);
}

function incarnationOf(views: Views, thread: number): number {
  return Atomics.load(views.i32, wordOf(thread, at.threadIncarnation));
}

/** The life of a place that is held, or null. */
export function holderOf(views: Views, thread: number): ThreadHolder | null {
  const incarnation = incarnationOf(views, thread);
  const state = Atomics.load(views.i32, wordOf(thread, at.threadState));
  return state === 0 ? null : { thread, state, incarnation };
}

function isStill(views: Views, holder: ThreadHolder): boolean {
  const now = holderOf(views, holder.thread);
  return now !== null && now.state === holder.state && now.incarnation === holder.incarnation;
}

/** Places that are held now, of 64. */
export function threadsAttached(views: Views): number {
  let held = 0;
  for (let thread = 0; thread < at.threadsMax; thread++) {
    if (Atomics.load(views.i32, wordOf(thread, at.threadState)) !== 0) held += 1;
  }
  return held;
}

/** The life of a place if its holder is proven dead by the system, else null; also null if it holds none, or where the
 *  system does not tell. Unless `exactly`, a thread that has the dead one's number by now passes for it. */
export function deadHolderOf(views: Views, thread: number, exactly: boolean): ThreadHolder | null {
  const holder = holderOf(views, thread);
  if (holder === null || (holder.state & at.threadBySystem) === 0) return null;
  const started = views.f64[wordOf(thread, at.threadStarted) / 2] as number;
  if (!hasEnded(holder.state >>> at.threadIdShift, started, exactly)) return null;
  // The start that was read belongs to this life only if the place was not given on meanwhile.
  return isStill(views, holder) ? holder : null;
}

/** The lives that a worker with this id in Node holds; ids are never given out again. Call when it has exited. */
export function holdersOfWorker(views: Views, workerId: number): ThreadHolder[] {
  const holders: ThreadHolder[] = [];
  for (let thread = 0; thread < at.threadsMax; thread++) {
    const holder = holderOf(views, thread);
    if (holder === null) continue;
    const own = at.threadHeld | (workerId << at.threadIdShift);
    const isIts = Atomics.load(views.i32, wordOf(thread, at.threadWorkerId)) === workerId;
    if ((isIts || holder.state === own) && isStill(views, holder)) holders.push(holder);
  }
  return holders;
}

/** What stands in a lock that this life holds. */
export function lockWordOf(holder: ThreadHolder): number {
  return (holder.thread + 1) | (holder.incarnation << 8);
}

/** Puts in order what a dead thread left in memory and frees its place; `writeTombstone` writes a dead mark that it had announced.
 *  False if that is done, or another thread is at it. Call only for a life that is proven dead. */
export function recoverThread(
  kernel: Recoverer,
  holder: ThreadHolder,
  writeTombstone: (location: number) => void,
): boolean {
  const { i32 } = kernel.views;
  const recoverer = wordOf(holder.thread, at.threadRecoverer);
  if (Atomics.compareExchange(i32, recoverer, 0, kernel.thread + 1) !== 0) return false;
  const isDue = isStill(kernel.views, holder);
  if (isDue) {
    reconcileThread(kernel, holder, writeTombstone);
    kernel.count(counterThreadsRecovered, 1);
  }
  // Last: who takes the recovery from here on sees that the place was given back.
  Atomics.store(i32, recoverer, 0);
  return isDue;
}

/** Gives back a place with all that its holder has; the holder calls this for itself, or who recovers it. */
export function reconcileThread(
  kernel: Recoverer,
  holder: ThreadHolder,
  writeTombstone: (location: number) => void,
): void {
  const { thread } = holder;
  const { verbs, views } = kernel;
  const { i32, f64 } = views;
  // First the locks: other threads wait for them. Every state under a lock is a valid one.
  verbs.releaseLocks(lockWordOf(holder));
  for (let place = 0; place < 2; place++) {
    const word = wordOf(thread, at.threadTombstoneSegment0) + place;
    const location = f64[wordOf(thread, at.resultTombstone0) / 2 + place] as number;
    if (Atomics.load(i32, word) !== 0 && location !== 0) writeTombstone(location);
    Atomics.store(i32, word, 0);
  }
  verbs.sealOrphans(thread);
  verbs.releaseClaims(thread);
  verbs.endFlightsOf(thread);
  Atomics.compareExchange(i32, at.controlSlackOwner / 4, thread + 1, 0);
  Atomics.compareExchange(i32, at.controlSchemaLock / 4, thread + 1, 0);
  Atomics.compareExchange(i32, at.controlCompactor / 4, thread + 1, 0);
  Atomics.compareExchange(i32, at.controlTagLock / 4, thread + 1, 0);
  // What it was recovering itself is for others to recover.
  for (let other = 0; other < at.threadsMax; other++) {
    Atomics.compareExchange(i32, wordOf(other, at.threadRecoverer), thread + 1, 0);
  }
  free(views, thread);
}

function free(views: Views, thread: number): void {
  const { i32, f64 } = views;
  Atomics.store(i32, wordOf(thread, at.threadOpenSegment), 0);
  Atomics.store(i32, wordOf(thread, at.threadOpenMainSegment), 0);
  Atomics.store(i32, wordOf(thread, at.threadWorkerId), 0);
  f64[wordOf(thread, at.threadStarted) / 2] = 0;
  Atomics.add(i32, wordOf(thread, at.threadIncarnation), 1);
  Atomics.store(i32, wordOf(thread, at.threadState), 0);
}
