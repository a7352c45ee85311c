// Runs the scripts of a few threads one step at a time in one thread of Node, in the order that a
// strategy chooses. Called by explorer.ts. A step is one access to shared memory. The strategy is
// asked only at words that several threads access and one writes, because the order of other
// accesses makes no difference.

import { type Strategy, dies } from "./strategy.js";
import { type Coroutine, type Steps, use } from "./suspension.js";

/** A thread's script. */
export interface Fiber {
  readonly name: string;
  readonly script: Coroutine;
  readonly isMortal: boolean;
  /** Never lets others run while it waits for a lock, and so never gets one that is held. */
  readonly isHasty?: boolean;
  state: "ready" | "done" | "dead";
}

/** One step as it was done. */
export interface Step {
  readonly thread: string;
  readonly address: number;
  readonly site: string;
  readonly isShared: boolean;
}

/** Steps of one schedule before it counts as endless. */
const stepsMax = 400_000;
/** How often a thread may insist on a lock before it yields again: by then it has spun and slept to
 *  its bound. */
const insistMax = 4096;

/** Which words several threads accessed, one of them writing; eight bytes each. */
export class Conflicts {
  readonly #seen: Uint16Array;
  #isFrozen = false;
  /** Grows when a word turned out to be shared. */
  version = 0;

  constructor(bytes: number) {
    this.#seen = new Uint16Array((bytes >>> 3) + 2);
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  /** Whether threads contend for this word. */
  touch(thread: number, address: number, bytes: number, isWrite: boolean): boolean {
    const first = address >>> 3;
    const last = (address + bytes - 1) >>> 3;
    let isShared = false;
    for (let word = first; word <= last; word++) {
      const before = this.#seen[word] as number;
      if (!this.#isFrozen) {
        const after = before | (1 << thread) | (isWrite ? 256 << thread : 0);
        if (after !== before) {
          this.#seen[word] = after;
          if (contended(after)) this.version += 1;
        }
      }
      if (contended(this.#seen[word] as number)) isShared = true;
    }
    return isShared;
  }
}

function contended(seen: number): boolean {
  const threads = seen & 255;
  return seen > 255 && (threads & (threads - 1)) !== 0;
}

export class Scheduler implements Steps {
  readonly buffer: ArrayBufferLike;
  readonly trace: Step[] | undefined;
  readonly fibers: Fiber[] = [];
  /** Steps at which the strategy was asked. */
  asked = 0;
  steps = 0;
  readonly #strategy: Strategy;
  readonly #conflicts: Conflicts;
  readonly #onDeath: (fiber: Fiber) => Fiber | undefined;
  #current = 0;
  #next = 0;
  #lastAddress = -1;
  #lastThread = -1;
  #repeats = 0;
  #isInsisting = false;
  #insisted = 0;
  #lastSite = "";

  constructor(
    buffer: ArrayBufferLike,
    strategy: Strategy,
    conflicts: Conflicts,
    onDeath: (fiber: Fiber) => Fiber | undefined,
    trace?: Step[],
  ) {
    this.buffer = buffer;
    this.#strategy = strategy;
    this.#conflicts = conflicts;
    this.#onDeath = onDeath;
    this.trace = trace;
  }

  /** The number of the running thread. */
  get current(): number {
    return this.#current;
  }

  #ready(but: number): number[] {
    const ready: number[] = [];
    for (let thread = 0; thread < this.fibers.length; thread++) {
      if (thread !== but && this.fibers[thread]?.state === "ready") ready.push(thread);
    }
    return ready;
  }

  /** Runs all scripts to their end, or to their thread's death. */
  run(fibers: readonly Fiber[]): void {
    this.fibers.push(...fibers);
    this.#strategy.begin(fibers.length + 1);
    this.#next = this.#strategy.atEnd(this.#ready(-1));
    use(this);
    try {
      for (;;) {
        this.#current = this.#next;
        const fiber = this.fibers[this.#current] as Fiber;
        this.#lastThread = -1;
        const result = fiber.script.next();
        if (result.done === true) {
          fiber.state = "done";
        } else if (this.#next === dies) {
          fiber.state = "dead";
          const heir = this.#onDeath(fiber);
          if (heir !== undefined) this.fibers.push(heir);
        } else {
          continue;
        }
        const ready = this.#ready(-1);
        if (ready.length === 0) return;
        this.#next = this.#strategy.atEnd(ready);
      }
    } finally {
      use(undefined);
    }
  }

  access(address: number, bytes: number, isWrite: boolean, site: string): boolean {
    const thread = this.#current;
    const isShared = this.#conflicts.touch(thread, address, bytes, isWrite);
    if (++this.steps > stepsMax) throw new Error("the schedule does not end");
    const fiber = this.fibers[thread] as Fiber;
    this.trace?.push({ thread: fiber.name, address, site, isShared });
    // The same word read again and again, with nothing in between: it waits for another thread.
    if (address !== this.#lastAddress) {
      this.#isInsisting = false;
      this.#insisted = 0;
    }
    const isSpinning = address === this.#lastAddress && thread === this.#lastThread && !isWrite;
    this.#lastAddress = address;
    this.#lastThread = thread;
    if (isSpinning && site === this.#lastSite) {
      if (++this.#repeats >= 2) return this.giveWay(false);
    } else {
      this.#repeats = 0;
    }
    this.#lastSite = site;
    if (!isShared) return false;
    this.asked += 1;
    return this.#go(this.#strategy.atStep(thread, this.#ready(thread), fiber.isMortal));
  }

  giveWay(isAsleep: boolean): boolean {
    if (++this.steps > stepsMax) throw new Error("the schedule does not end");
    const insists = this.#isInsisting || this.fibers[this.#current]?.isHasty === true;
    if (!isAsleep && insists && this.#insisted++ < insistMax) return false;
    const others = this.#ready(this.#current);
    const next = this.#strategy.atGiveWay(this.#current, others, !isAsleep);
    // Asked once for a lock: a thread that insists does so until it has the lock or is refused.
    this.#isInsisting = next === this.#current;
    this.#insisted = 0;
    return this.#go(next);
  }

  pause(): boolean {
    const fiber = this.fibers[this.#current] as Fiber;
    this.#lastThread = -1;
    this.asked += 1;
    const others = this.#ready(this.#current);
    return this.#go(this.#strategy.atStep(this.#current, others, fiber.isMortal));
  }

  #go(next: number): boolean {
    this.#next = next;
    return next !== this.#current;
  }
}
