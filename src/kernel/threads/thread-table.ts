// The thread ids of a cache: claims one, gives it back, proves its holder dead, and reconciles what
// a dead holder left. Called by Kernel for its own thread; for others by the janitor, by the opener
// when a worker exits, and by attached threads. Invariants: nothing is taken from a live thread,
// since the system or a worker's exit proves the death, and a recovery names one incarnation of one
// thread id. One thread at a time recovers a holder; if it dies, another starts over, since each
// step may be repeated.
import { threadId } from "node:worker_threads";
import { UndercroftError } from "../../base/mod.js";
import { counterThreadsRecovered } from "../../stats/mod.js";
import * as at from "../layout.js";
import { PendingTombstones, type TombstoneWriter } from "../words/pending-tombstones.js";
import type { Views } from "../words/views.js";
import { hasEnded, systemThread } from "./system-thread.js";

/** What this file reads of a kernel. */
interface Memory {
  readonly views: Views;
}

/** What a kernel needs to reconcile another thread's words. */
interface Recoverer extends Memory {
  readonly thread: number;
  readonly verbs: {
    readonly releaseLocks: (lockWord: number) => number;
    readonly sealOrphans: (thread: number) => void;
    readonly releaseClaims: (thread: number) => void;
    readonly endFlightsOf: (thread: number) => void;
    readonly endStreamsOf: (thread: number) => void;
  };
  count(counter: number, amount: number): void;
}

/** The holder of a thread id: the id, its state word, and how often the id had been given back. */
export interface ThreadHolder {
  readonly thread: number;
  readonly state: number;
  readonly incarnation: number;
}

/** Index, in a view of 32-bit words, of a word in a thread's block. */
function wordOf(thread: number, offset: number): number {
  return (at.threadTable + thread * at.threadBlockSize + offset) / 4;
}

/** The state word that names the calling thread. */
function ownState(): number {
  const system = systemThread();
  const [id, kind] = system === null ? [threadId, 0] : [system.id, at.threadBySystem];
  return at.threadHeld | kind | (id << at.threadIdShift);
}

/** Whose thread it is: the user's, or a worker of the pool, which has ids of its own. */
export type ThreadKind = "user" | "pool";

/** Claims a free thread id for the calling thread; throws ERR_TOO_MANY_THREADS when there is none.
 *  The pool's own ids never go to the user's threads; when a stuck worker has not given one back,
 *  its successor takes one of theirs. */
export function claimThread({ views }: Memory, kind: ThreadKind): ThreadHolder {
  const state = ownState();
  const first = kind === "user" ? 0 : at.userThreadsMax;
  const count = kind === "user" ? at.userThreadsMax : at.threadsMax;
  for (let step = 0; step < count; step++) {
    const thread = (first + step) % at.threadsMax;
    const word = wordOf(thread, at.threadState);
    if (Atomics.compareExchange(views.i32, word, 0, state) !== 0) continue;
    nameHolder(views, thread);
    return { thread, state, incarnation: incarnationOf(views, thread) };
  }
  const message =
    `Cannot attach to a cache: all ${at.userThreadsMax} thread ids are taken; close() it in ` +
    "threads that no longer need it, or end them, and attach again";
  throw new UndercroftError("ERR_TOO_MANY_THREADS", message);
}

/** Makes the calling thread the holder of an id that another thread claimed for it. */
export function takeOverThreadId({ views }: Memory, thread: number): ThreadHolder {
  // Unknown first: the claimer's start must never appear beside this thread's number.
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

/** The holder of a thread id, or null. */
export function holderOf({ views }: Memory, thread: number): ThreadHolder | null {
  const incarnation = incarnationOf(views, thread);
  const state = Atomics.load(views.i32, wordOf(thread, at.threadState));
  return state === 0 ? null : { thread, state, incarnation };
}

/** Whether this holder still holds its thread id. */
function isStill(memory: Memory, holder: ThreadHolder): boolean {
  const now = holderOf(memory, holder.thread);
  return now !== null && now.state === holder.state && now.incarnation === holder.incarnation;
}

/** How many of the 64 ids of the user's threads are held now. */
export function threadsAttached({ views }: Memory): number {
  let held = 0;
  for (let thread = 0; thread < at.userThreadsMax; thread++) {
    if (Atomics.load(views.i32, wordOf(thread, at.threadState)) !== 0) held += 1;
  }
  return held;
}

/** The Node.js thread id of the thread that holds an id. */
export function workerIdOf({ views }: Memory, thread: number): number {
  return Atomics.load(views.i32, wordOf(thread, at.threadWorkerId));
}

/** Whether the system can prove this holder's death while the process lives: it is not the main
 *  thread. */
export function isMortal(holder: ThreadHolder): boolean {
  if ((holder.state & at.threadBySystem) === 0) return false;
  return holder.state >>> at.threadIdShift !== process.pid;
}

/** The holder of a thread id if the system proves it dead. Null if it lives, nobody holds the id,
 *  or the system does not tell. Unless `exactly`, a live thread that reuses the dead one's number
 *  hides the death. */
export function deadHolderOf(
  memory: Memory,
  thread: number,
  exactly: boolean,
): ThreadHolder | null {
  const holder = holderOf(memory, thread);
  if (holder === null || (holder.state & at.threadBySystem) === 0) return null;
  const started = memory.views.f64[wordOf(thread, at.threadStarted) / 2] as number;
  if (!hasEnded(holder.state >>> at.threadIdShift, started, exactly)) return null;
  // The start that was read is this holder's only if the id was not given to another meanwhile.
  return isStill(memory, holder) ? holder : null;
}

/** The ids held by the worker with this Node.js thread id, which Node.js never reuses. Call after
 *  it exited. */
export function holdersOfWorker(memory: Memory, workerId: number): ThreadHolder[] {
  const holders: ThreadHolder[] = [];
  for (let thread = 0; thread < at.threadsMax; thread++) {
    const holder = holderOf(memory, thread);
    if (holder === null) continue;
    const own = at.threadHeld | (workerId << at.threadIdShift);
    const isIts = workerIdOf(memory, thread) === workerId;
    if ((isIts || holder.state === own) && isStill(memory, holder)) holders.push(holder);
  }
  return holders;
}

/** The value of a bucket lock that this holder has. */
export function lockWordOf(holder: ThreadHolder): number {
  return (holder.thread + 1) | (holder.incarnation << 8);
}

/** Reconciles what a dead thread left in memory, and frees its thread id; `writeTombstone` writes
 *  its pending tombstones. False if that is done already or another thread is doing it. Call only
 *  for a holder that is proven dead. */
export function recoverThread(
  kernel: Recoverer,
  holder: ThreadHolder,
  writeTombstone: TombstoneWriter,
): boolean {
  const { i32 } = kernel.views;
  const recoverer = wordOf(holder.thread, at.threadRecoverer);
  if (Atomics.compareExchange(i32, recoverer, 0, kernel.thread + 1) !== 0) return false;
  const isDue = isStill(kernel, holder);
  if (isDue) {
    reconcileThread(kernel, holder, writeTombstone);
    kernel.count(counterThreadsRecovered, 1);
  }
  // Last: whoever begins a recovery from here on sees that the id was given back.
  Atomics.store(i32, recoverer, 0);
  return isDue;
}

/** Releases everything a holder has, then its thread id. The holder calls this for itself, or
 *  whoever recovers it. */
export function reconcileThread(
  kernel: Recoverer,
  holder: ThreadHolder,
  writeTombstone: TombstoneWriter,
): void {
  const { thread } = holder;
  const { verbs, views } = kernel;
  const { i32 } = views;
  // Locks first: other threads wait for them. Every state under a lock is a valid one.
  verbs.releaseLocks(lockWordOf(holder));
  new PendingTombstones(views, thread).drainDead(writeTombstone);
  verbs.sealOrphans(thread);
  verbs.releaseClaims(thread);
  verbs.endFlightsOf(thread);
  verbs.endStreamsOf(thread);
  Atomics.compareExchange(i32, at.controlSchemaLock / 4, thread + 1, 0);
  Atomics.compareExchange(i32, at.controlCompactor / 4, thread + 1, 0);
  Atomics.compareExchange(i32, at.controlTagLock / 4, thread + 1, 0);
  Atomics.compareExchange(i32, at.controlNamespaceLock / 4, thread + 1, 0);
  // The recoveries that it was doing are for others to redo.
  for (let other = 0; other < at.threadsMax; other++) {
    Atomics.compareExchange(i32, wordOf(other, at.threadRecoverer), thread + 1, 0);
  }
  free(views, thread);
}

function free(views: Views, thread: number): void {
  const { i32, f64 } = views;
  // The chunks of a value that it did not finish are dead from here on: eviction drops them.
  Atomics.store(i32, wordOf(thread, at.threadLargeWrite), 0);
  Atomics.store(i32, wordOf(thread, at.threadLargeWrite + 4), 0);
  Atomics.store(i32, wordOf(thread, at.threadOpenSegment), 0);
  Atomics.store(i32, wordOf(thread, at.threadOpenMainSegment), 0);
  Atomics.store(i32, wordOf(thread, at.threadWorkerId), 0);
  Atomics.store(i32, wordOf(thread, at.threadOpenFiles), 0);
  f64[wordOf(thread, at.threadStarted) / 2] = 0;
  Atomics.add(i32, wordOf(thread, at.threadIncarnation), 1);
  Atomics.store(i32, wordOf(thread, at.threadState), 0);
}
