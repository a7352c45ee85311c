// The loads of one thread that wait for a free flight. A key's flight is in one of two windows of
// the flight table, so a load waits for those two only: the first that waits for a window gets the
// next flight that is free there. Called by Entrance. Invariants: the queue is bounded; a load that
// has left is not tried again; while loads wait a timer runs, since other threads free flights too.
import { clearTimeout, monotonicMs, setTimeout } from "../../base/mod.js";

/** The most loads of a thread that wait for a free flight. */
export const queuedFlightsMax = 262_144;
/** How often the windows are tried for flights that other threads freed: at first, and at most
 *  while none is found. */
export const queuePollMs = 10;
export const queuePollMsMax = 80;
/** Windows tried at one poll. */
export const polledWindowsMax = 1024;
/** If no load of the thread got a flight for so long, those that have waited as long go on without:
 *  what holds the flights may itself wait for them, where nobody can see it. */
export const queueStallMs = 30_000;

/** One load that waits. */
export interface QueuedLoad {
  /** Its two windows of the flight table. */
  readonly windows: readonly number[];
  /** Whether a caller waits for it, which keeps the process alive. */
  isAwaited(): boolean;
  /** Tries to enter a flight; true if it did, whatever its role is then. */
  tryEnter(): boolean;
  /** It goes on without a flight. */
  goAlone(): void;
}

/** A load's place in the queue. */
export interface Queued {
  /** A caller waits for it from now on. */
  keepAlive(): void;
  /** Leaves the queue. */
  leave(): void;
}

class QueuedHandle implements Queued {
  readonly load: QueuedLoad;
  readonly sinceMs: number;
  readonly #queue: FlightQueue;

  constructor(queue: FlightQueue, load: QueuedLoad, sinceMs: number) {
    this.#queue = queue;
    this.load = load;
    this.sinceMs = sinceMs;
  }

  keepAlive(): void {
    this.#queue.keepAlive();
  }

  leave(): void {
    this.#queue.remove(this);
  }
}

export class FlightQueue {
  /** All that wait, and those that wait for a window, in the order in which they came. */
  readonly #queued = new Set<QueuedHandle>();
  readonly #ofWindow = new Map<number, Set<QueuedHandle>>();
  #timer: NodeJS.Timeout | undefined;
  #pollMs = queuePollMs;
  #lastEntryMs = -Infinity;
  readonly #now: () => number;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number = monotonicMs) {
    this.#now = now;
  }

  get size(): number {
    return this.#queued.size;
  }

  get isFull(): boolean {
    return this.#queued.size >= queuedFlightsMax;
  }

  /** Whether a load waits for one of these windows: a later one must not be first. */
  isAwaited(windows: readonly number[]): boolean {
    return windows.some((window) => this.#ofWindow.has(window));
  }

  add(load: QueuedLoad): Queued {
    const queued = new QueuedHandle(this, load, this.#now());
    this.#queued.add(queued);
    for (const window of load.windows) {
      const waiting = this.#ofWindow.get(window);
      if (waiting === undefined) this.#ofWindow.set(window, new Set([queued]));
      else waiting.add(queued);
    }
    this.#startTimer();
    if (load.isAwaited()) this.keepAlive();
    return queued;
  }

  remove(queued: QueuedHandle): void {
    if (!this.#queued.delete(queued)) return;
    for (const window of queued.load.windows) {
      const waiting = this.#ofWindow.get(window);
      waiting?.delete(queued);
      if (waiting?.size === 0) this.#ofWindow.delete(window);
    }
    if (this.#queued.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pollMs = queuePollMs;
  }

  keepAlive(): void {
    this.#timer?.ref();
  }

  /** A flight of this window may be free: lets those that wait for it enter, first the first. */
  serve(window: number): void {
    for (const queued of this.#ofWindow.get(window) ?? []) {
      if (!queued.load.tryEnter()) return;
      this.#lastEntryMs = this.#now();
      this.remove(queued);
    }
  }

  #startTimer(): void {
    this.#timer ??= setTimeout(() => this.#poll(), this.#pollMs).unref();
  }

  #poll(): void {
    this.#timer = undefined;
    const before = this.#queued.size;
    for (const window of Array.from(this.#ofWindow.keys()).slice(0, polledWindowsMax)) {
      this.serve(window);
      // Moved to the end of the map, so that the next poll begins with others.
      const waiting = this.#ofWindow.get(window);
      if (waiting === undefined) continue;
      this.#ofWindow.delete(window);
      this.#ofWindow.set(window, waiting);
    }
    const hasServed = this.#queued.size < before;
    this.#pollMs = hasServed ? queuePollMs : Math.min(queuePollMsMax, this.#pollMs * 2);
    this.#endStall();
    if (this.#queued.size === 0) return;
    this.#startTimer();
    for (const { load } of this.#queued) {
      if (!load.isAwaited()) continue;
      this.keepAlive();
      break;
    }
  }

  #endStall(): void {
    const sinceMs = this.#now() - queueStallMs;
    if (this.#lastEntryMs > sinceMs) return;
    for (const queued of this.#queued) {
      if (queued.sinceMs > sinceMs) return;
      this.remove(queued);
      queued.load.goAlone();
    }
  }
}
