// Which thread runs next: two ways to choose. A seeded one draws at random or by priorities
// (probabilistic concurrency testing: Burckhardt et al., ASPLOS '10); an exhaustive one walks every
// schedule with a bounded number of preemptions (iterative context bounding: Musuvathi and Qadeer,
// PLDI '07). Called by scheduler.ts. Threads are numbers.

/** At a step: which thread goes on, or `dies` for the thread at that step. */
export interface Strategy {
  begin(threads: number): void;
  /** The running thread is about to access a word that others access too. */
  atStep(current: number, others: readonly number[], mayDie: boolean): number;
  /** The running thread waits for a lock that another has, or, if it may not insist, sleeps. */
  atGiveWay(current: number, others: readonly number[], mayInsist: boolean): number;
  /** The thread that ran is done, or none has run yet. */
  atEnd(ready: readonly number[]): number;
}

export const dies = -1;

/** A generator of numbers below 2^32 (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
    this.below(2);
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}

/** Draws a schedule from a seed. `length` is about how many steps a schedule has. */
export class SeededStrategy implements Strategy {
  readonly random: Random;
  readonly #switchOneIn: number;
  readonly #byPriority: boolean;
  readonly #patient: boolean;
  readonly #deathAt: number;
  readonly #changes: ReadonlySet<number>;
  #priorities: number[] = [];
  #lowest = 0;
  #step = 0;
  #hasDied = false;

  constructor(seed: number, length: number) {
    const random = new Random(seed);
    this.random = random;
    this.#byPriority = random.below(2) === 0;
    this.#switchOneIn = random.of([2, 4, 12, 40]);
    this.#patient = random.below(4) > 0;
    this.#deathAt = random.below(2) === 0 ? random.below(length) : Infinity;
    const changes = Array.from({ length: 1 + random.below(4) }, () => random.below(length));
    this.#changes = new Set(changes);
  }

  begin(threads: number): void {
    this.#priorities = Array.from({ length: threads }, () => this.random.below(1 << 20));
  }

  /** An impatient schedule lets some lock waits reach their bound, which ends in answerBusy. */
  #insists(): boolean {
    return !this.#patient && this.random.below(2) === 0;
  }

  #highest(ready: readonly number[]): number {
    let best = ready[0] as number;
    for (const thread of ready) {
      if ((this.#priorities[thread] ?? 0) > (this.#priorities[best] ?? 0)) best = thread;
    }
    return best;
  }

  atStep(current: number, others: readonly number[], mayDie: boolean): number {
    const step = this.#step++;
    if (mayDie && !this.#hasDied && step >= this.#deathAt) {
      this.#hasDied = true;
      return dies;
    }
    if (others.length === 0) return current;
    if (!this.#byPriority) {
      return this.random.below(this.#switchOneIn) === 0 ? this.random.of(others) : current;
    }
    if (!this.#changes.has(step)) return current;
    this.#priorities[current] = --this.#lowest;
    return this.#highest([current, ...others]);
  }

  atGiveWay(current: number, others: readonly number[], mayInsist: boolean): number {
    if (others.length === 0 || (mayInsist && this.#insists())) return current;
    if (!this.#byPriority) return this.random.of(others);
    this.#priorities[current] = --this.#lowest;
    return this.#highest(others);
  }

  atEnd(ready: readonly number[]): number {
    return this.#byPriority ? this.#highest(ready) : this.random.of(ready);
  }
}

/** Walks every schedule with at most `bound` preemptions, one after the other, by running each from
 *  the start. */
export class ExhaustiveStrategy implements Strategy {
  readonly #bound: number;
  readonly #path: { choice: number; options: number }[] = [];
  #depth = 0;
  #spent = 0;
  #hasDied = false;

  constructor(bound: number) {
    this.#bound = bound;
  }

  begin(): void {
    this.#depth = 0;
    this.#spent = 0;
    this.#hasDied = false;
  }

  /** Moves to the next schedule; false if there is none. */
  next(): boolean {
    while (this.#path.length > 0) {
      const last = this.#path.at(-1) as { choice: number; options: number };
      last.choice += 1;
      if (last.choice < last.options) return true;
      this.#path.pop();
    }
    return false;
  }

  #choose(options: number): number {
    if (options < 2) return 0;
    if (this.#depth === this.#path.length) this.#path.push({ choice: 0, options });
    return (this.#path[this.#depth++] as { choice: number }).choice;
  }

  atStep(current: number, others: readonly number[], mayDie: boolean): number {
    const targets = this.#spent < this.#bound ? others : [];
    const isMortal = mayDie && !this.#hasDied;
    const choice = this.#choose(1 + targets.length + (isMortal ? 1 : 0));
    if (choice === 0) return current;
    if (choice > targets.length) {
      this.#hasDied = true;
      return dies;
    }
    this.#spent += 1;
    return targets[choice - 1] as number;
  }

  /** Yielding costs nothing; insisting, which ends in answerBusy, costs a preemption. */
  atGiveWay(current: number, others: readonly number[], mayInsist: boolean): number {
    if (others.length === 0) return current;
    const insists = mayInsist && this.#spent < this.#bound;
    const choice = this.#choose(others.length + (insists ? 1 : 0));
    if (choice < others.length) return others[choice] as number;
    this.#spent += 1;
    return current;
  }

  atEnd(ready: readonly number[]): number {
    return ready[this.#choose(ready.length)] as number;
  }
}
