// One load under way in one thread, and the callers that wait for it. The phases of a fetch decide; what is here only keeps.
// Invariant: a waiter is settled once, and then no timer, no abort listener and no set holds it.

import type { ResolvedFetchOptions } from "../config/mod.js";
import type { HashedKey } from "../kernel/mod.js";

/** The period of a timer that does nothing but hold the event loop. */
const keepAliveMs = 60_000;

/** One caller of `fetch` that waits. */
export class Waiter<V> {
  readonly promise: Promise<V | undefined>;
  /** It asked for a load of its own time: it is never given what was there before. */
  readonly isForced: boolean;
  /** It does not wait where there is a stale value. */
  readonly takesStaleAtOnce: boolean;
  /** It found the flight under way. */
  readonly isJoined: boolean;
  /** It was counted as one that waits for another's loader. */
  isCoalesced = false;
  /** Its own hard timeout runs. */
  isTimed = false;
  readonly #cleanups: (() => void)[] = [];
  #resolve: (value: V | undefined) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #isSettled = false;

  constructor(options: ResolvedFetchOptions, isJoined: boolean) {
    this.isForced = options.forceRefresh;
    this.takesStaleAtOnce = !options.forceRefresh && options.softTimeoutMs === Infinity;
    this.isJoined = isJoined;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Runs `cleanup` when the waiter is settled. */
  atEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Calls `callback` after `ms` unless the waiter is settled by then; `Infinity` is never. */
  after(ms: number, callback: () => void): void {
    if (ms === Infinity) return;
    const timer = setTimeout(callback, ms);
    this.atEnd(() => {
      clearTimeout(timer);
    });
  }

  resolve(value: V | undefined): void {
    if (this.#end()) this.#resolve(value);
  }

  reject(reason: unknown): void {
    if (this.#end()) this.#reject(reason);
  }

  #end(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    for (const cleanup of this.#cleanups) cleanup();
    return true;
  }
}

/** A load under way, from the moment it is asked for. */
export class Flight<V> {
  readonly key: HashedKey;
  /** Those of the fetch that began it. */
  readonly options: ResolvedFetchOptions;
  readonly waiters = new Set<Waiter<V>>();
  /** Made when the loader asks for its signal: a flight that ends at the disk needs none. */
  #controller: AbortController | undefined;
  #hardTimer: NodeJS.Timeout | undefined;
  /** The expired value that was met on the way to the loader. */
  stale: V | undefined;
  /** The number in the kernel's flight table, -1 = none: then the value is not published. */
  number = -1;
  /** The number of another thread's flight that this one waits for, -1 = none. */
  followed = -1;
  #following: NodeJS.Timeout | undefined;
  /** Monotonic milliseconds when the loader was called; undefined before. */
  startedMs: number | undefined;
  /** Somebody was given a stale value and relies on the refresh: it goes on without waiters. */
  isBackground = false;
  /** It began when too many were under way: nobody joins it, and its value is not published. */
  isUnshared = false;
  /** A newer flight of the key has come instead: its value goes to its waiters only. */
  isReplaced = false;
  /** What is on disk is being made sure of: who comes now may have seen a later write, and must not join. */
  hasRead = false;
  /** The key was written or deleted since it began: an answer of "nothing" is not remembered. */
  isWrittenOver = false;
  #isDone = false;

  constructor(key: HashedKey, options: ResolvedFetchOptions) {
    this.key = key;
    this.options = options;
  }

  /** The outcome is known, or nobody wants it any more. */
  get isDone(): boolean {
    return this.#isDone;
  }

  get isLoading(): boolean {
    return this.startedMs !== undefined;
  }

  /** What the loader is told to stop by. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  add(waiter: Waiter<V>): void {
    this.waiters.add(waiter);
    this.#holdLoop();
    waiter.atEnd(() => {
      this.waiters.delete(waiter);
      this.#holdLoop();
    });
  }

  /** Calls `callback` at the hard timeout unless the flight is done by then. */
  startHardTimer(callback: () => void): void {
    const { hardTimeoutMs } = this.options;
    if (hardTimeoutMs === Infinity) return;
    this.#hardTimer = setTimeout(callback, hardTimeoutMs);
    this.#holdLoop();
  }

  /** It waits for a flight of another thread from now on. */
  startFollowing(number: number): void {
    this.followed = number;
    // A wait on shared memory keeps no process alive, as one on a loader's socket or timer does.
    this.#following = setInterval(() => undefined, keepAliveMs);
    this.#holdLoop();
  }

  stopFollowing(): void {
    this.followed = -1;
    clearInterval(this.#following);
    this.#following = undefined;
  }

  /** Marks it done; what its loader still brings is ignored. */
  end(): void {
    this.#isDone = true;
    clearTimeout(this.#hardTimer);
  }

  /** Runs the loader's abort listeners, which are not ours: call it when all else is in order. */
  abort(reason: unknown): void {
    this.#controller?.abort(reason);
  }

  /** Its timers keep the process alive for those who wait for it, not for a refresh in the background. */
  #holdLoop(): void {
    for (const timer of [this.#hardTimer, this.#following]) {
      if (this.waiters.size > 0) timer?.ref();
      else timer?.unref();
    }
  }
}
