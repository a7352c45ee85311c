// Submits the reads of one turn of the event loop together. A thread of libuv's pool falls asleep
// when it finds no work, and waking it costs several times a read from the page cache; reads that
// are submitted one after another, with nothing between, find it awake. Called by the file device.
// Invariant: a read waits for the end of its turn at most.
import { setImmediate } from "../base/mod.js";

/** Reads that are submitted before the turn ends: the pool works on them meanwhile. */
const togetherMost = 32;

export class ReadTurns {
  readonly #waiting: ((ended: () => void) => void)[] = [];
  #isDue = false;
  #underWay = 0;
  readonly #ended = (): void => {
    this.#underWay -= 1;
  };

  /** Calls `start` now if no read is under way, else with others of this turn. */
  submit(start: (ended: () => void) => void): void {
    if (this.#underWay === 0) {
      this.#start(start);
      return;
    }
    this.#waiting.push(start);
    if (this.#waiting.length >= togetherMost) this.#startAll();
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#startAll();
    });
  }

  #startAll(): void {
    for (const start of this.#waiting.splice(0)) this.#start(start);
  }

  #start(start: (ended: () => void) => void): void {
    this.#underWay += 1;
    start(this.#ended);
  }
}
