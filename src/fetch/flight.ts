// One load under way in one thread, and its waiters. The phases of a fetch decide; this file only
// keeps state. Invariant: a waiter is settled once, and then no timer, abort listener or set holds
// it.

import { clearInterval, clearTimeout, ownText, setInterval, setTimeout } from "../base/mod.js";
import type { ResolvedFetchOptions } from "../config/mod.js";
import type { FoundValue } from "../entries/mod.js";
import type { HashedKey } from "../kernel/mod.js";
import type { Loading } from "./cycles/loading.js";
import type { Queued } from "./queue/flight-queue.js";
import type { Validity } from "./validity.js";

/** The period of a timer that only keeps the event loop alive. */
const keepAliveMs = 60_000;

/** One caller of `fetch` that waits. */
export class Waiter<V> {
  readonly promise: Promise<V | undefined>;
  /** It asked for a load that begins after its call: it never gets what was there before. */
  readonly isForced: boolean;
  /** It takes a stale value at once instead of waiting. */
  readonly takesStaleAtOnce: boolean;
  /** It joined a flight under way. */
  get isJoined(): boolean {
    return this.retry !== undefined;
  }
  /** Of one that joined: fetches anew, if it turns out that the load was too old for it. */
  readonly retry: (() => Promise<V | undefined>) | undefined;
  readonly #validity: Validity<V> | undefined;
  /** It has got a value. */
  isGiven = false;
  /** It was counted as waiting for another caller's loader. */
  isCoalesced = false;
  /** Its own hard timeout is running. */
  isTimed = false;
  readonly #cleanups: (() => void)[] = [];
  #resolve: (value: V | undefined | Promise<V | undefined>) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #isSettled = false;

  constructor(
    options: ResolvedFetchOptions,
    validity: Validity<V> | undefined,
    retry: (() => Promise<V | undefined>) | undefined,
  ) {
    this.#validity = validity;
    this.retry = retry;
    this.isForced = options.forceRefresh;
    this.takesStaleAtOnce = !options.forceRefresh && options.softTimeoutMs === Infinity;
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

  /** Calls `callback` after `ms` unless the waiter is settled by then; `Infinity` means never. */
  after(ms: number, callback: () => void): void {
    if (ms === Infinity) return;
    const timer = setTimeout(callback, ms);
    this.atEnd(() => {
      clearTimeout(timer);
    });
  }

  /** Whether its caller has refused a value. */
  get hasRefused(): boolean {
    return this.#validity?.hasRefused === true;
  }

  /** Whether its caller takes this value; `isLoaded`: of a load that was under way. Runs code of
   *  the user's, which may throw. */
  accepts(found: FoundValue<V>, isLoaded: boolean): boolean {
    return this.#validity === undefined || this.#validity.accepts(found, isLoaded);
  }

  resolve(value: V | undefined | Promise<V | undefined>): void {
    if (!this.#end()) return;
    this.isGiven = true;
    this.#resolve(value);
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

/** A load, from the moment it is asked for. */
export class Flight<V> {
  readonly key: HashedKey;
  /** The options of the fetch that began the flight. */
  readonly options: ResolvedFetchOptions;
  readonly waiters = new Set<Waiter<V>>();
  /** Created when the loader reads its signal: a flight that ends at the disk needs none. */
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #hardTimer: NodeJS.Timeout | undefined;
  /** What the loader is given as `stale`, read for it alone; set just before it runs. */
  stale: FoundValue<V> | undefined;
  /** The sequence of a fresh record that is old enough to be loaded anew; undefined if the load is
   *  for another reason. */
  replaces: number | undefined;
  /** A value that is to be loaded anew was found on the way to the loader: it is expired, old or
   *  refused. */
  hasMetStale = false;
  /** The number in the kernel's flight table; -1 = none: then the value is not published. */
  number = -1;
  /** The number of another thread's flight that this one follows, -1 = none. */
  followed = -1;
  #following: NodeJS.Timeout | undefined;
  /** Its wait while it waits for a free flight. */
  queued: (Queued & { hurry(): void }) | undefined;
  /** A loader waits for it, so it does not wait for a free flight. */
  isHurried = false;
  /** The load whose loader began it, if one did. */
  within: Loading | undefined;
  /** A load of the same key whose loader began it, while it waits for that to end. */
  heldBy: Loading | undefined;
  /** Its loader, from the moment it is called. */
  loading: Loading | undefined;
  /** Called once its thread looks no further for the value itself: it waits for another load, or
   *  is done. Not if its loader is called first. */
  looked: (() => void) | undefined;
  /** Monotonic milliseconds when the loader was called; undefined before. */
  startedMs: number | undefined;
  /** A caller got a stale value and relies on the refresh, so the load goes on without waiters. */
  isBackground = false;
  /** It began when too many were under way: nobody joins it, and its value is not published. */
  isUnshared = false;
  /** It began during a guarded write of the key: its value is not published. */
  isGuarded = false;
  /** A newer flight of the key has replaced it: its value goes to its waiters only. */
  isReplaced = false;
  /** What was read from disk is being verified. A fetch from now on may come after a later write,
   *  and must not join. */
  hasRead = false;
  /** Ends its turn over all processes, if it has one (others-loads.ts). Called once, at the end:
   *  what was loaded is stored by then. */
  release: (() => void) | undefined;
  #isDone = false;

  constructor(key: HashedKey, options: ResolvedFetchOptions) {
    this.key = key;
    // Tags of its own: the caller's strings may be cut from larger ones.
    const { tags } = options;
    this.options = tags.length === 0 ? options : { ...options, tags: tags.map(ownText) };
  }

  /** The outcome is known, or nobody wants it any more. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether the load is to replace what was found: an expired value, or the one it began for. */
  isFor({ stale, sequence }: FoundValue<V>): boolean {
    return stale || sequence === this.replaces;
  }

  get isLoading(): boolean {
    return this.startedMs !== undefined;
  }

  /** The signal that tells the loader to stop. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    }
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

  /** From now on the flight waits for another thread's. */
  startFollowing(number: number): void {
    this.followed = number;
    // A wait on shared memory does not keep the process alive, unlike a loader's socket or timer.
    this.#following = setInterval(() => undefined, keepAliveMs);
    this.#holdLoop();
  }

  stopFollowing(): void {
    this.followed = -1;
    clearInterval(this.#following);
    this.#following = undefined;
  }

  /** Marks the flight done; what its loader still brings is ignored. */
  end(): void {
    this.#isDone = true;
    this.release?.();
    this.looked?.();
    clearTimeout(this.#hardTimer);
    this.queued?.leave();
    this.loading?.end();
  }

  /** Runs the loader's abort listeners, which are user code: call it when all else is in order. */
  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(reason);
  }

  /** Its timers keep the process alive for waiters, not for a refresh in the background. */
  #holdLoop(): void {
    for (const timer of [this.#hardTimer, this.#following]) {
      if (this.waiters.size > 0) timer?.ref();
      else timer?.unref();
    }
    if (this.waiters.size > 0) this.queued?.keepAlive();
  }
}
