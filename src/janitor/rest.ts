// How long the janitor sleeps between two rounds. While something changes, a round follows in 20
// ms. Otherwise it sleeps until something is due or changes, which the next write tells it: half a
// second at most, and up to two the longer nothing changes. Invariant: what changed after a round
// has looked is seen at once. The janitor says first that it sleeps, then looks for changes; a
// writer changes first, then looks whether it sleeps.
import type { Kernel } from "../kernel/mod.js";

/** Milliseconds to the next round while something changes. */
const roundMs = 20;
/** The first sleep in milliseconds when nothing changes, and the longest one. They bound how late
 *  the janitor is for what wakes nobody, such as the death of a thread. */
const restMsFirst = 500;
const restMsMax = 2000;

/** What a round has found. */
export interface RoundEnd {
  /** Something goes on that needs the next round soon, such as a pass over the index. */
  readonly isActive: boolean;
  /** Something could not be done and is tried again, later and later. */
  readonly isPending: boolean;
  /** Milliseconds until something is due. */
  readonly dueMs: number;
}

export class Rest {
  readonly #kernel: Kernel;
  #sequence = -1;
  #restMs = restMsFirst;
  #retryMs = roundMs;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Sleeps until the next round. `heard` and `sequence`: the doorbell and the newest sequence as
   *  they were before the round. */
  sleep(heard: number, sequence: number, { isActive, isPending, dueMs }: RoundEnd): void {
    const { control } = this.#kernel;
    const isChanging = sequence !== this.#sequence;
    this.#sequence = sequence;
    if (isActive || isChanging) {
      this.#retryMs = roundMs;
      this.#restMs = restMsFirst;
      control.waitForBell(heard, roundMs);
      return;
    }
    const longest = isPending ? Math.min(this.#retryMs, this.#restMs) : this.#restMs;
    this.#retryMs = isPending ? this.#retryMs * 2 : roundMs;
    this.#restMs = isPending ? restMsFirst : Math.min(restMsMax, this.#restMs * 2);
    control.fallAsleep();
    if (control.sequence() === sequence) {
      control.waitForBell(heard, Math.max(roundMs, Math.min(longest, dueMs)));
    }
    control.wakeUp();
  }
}
