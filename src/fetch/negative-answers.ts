// The negative answers of one thread: keys whose loader lately answered `undefined`. Called by
// ReadThrough. Invariant: bounded in number and in characters; the oldest answer is forgotten
// first.

import { type Clock, MiB } from "../base/mod.js";

/** The most answers that a thread remembers, and the most characters of their keys together. */
export const negativeAnswersMax = 16_384;
export const negativeAnswerCharsMax: number = 4 * MiB;

export class NegativeAnswers {
  /** Key id to the wall-clock milliseconds at which the answer is forgotten, oldest first. */
  readonly #until = new Map<string, number>();
  readonly #clock: Clock;
  #chars = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many are remembered, including expired answers that nobody has asked for since. */
  get size(): number {
    return this.#until.size;
  }

  /** Whether the answer for `id` is `undefined`. */
  has(id: string): boolean {
    const until = this.#until.get(id);
    if (until === undefined) return false;
    if (this.#clock.now() < until) return true;
    this.forget(id);
    return false;
  }

  /** Remembers `undefined` for `id` during `ttlMs` > 0. */
  remember(id: string, ttlMs: number): void {
    this.forget(id); // a Map keeps insertion order: this moves the key to the end
    this.#until.set(id, this.#clock.now() + ttlMs);
    this.#chars += id.length;
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= negativeAnswersMax && this.#chars <= negativeAnswerCharsMax) break;
      this.forget(oldest);
    }
  }

  forget(id: string): void {
    if (this.#until.delete(id)) this.#chars -= id.length;
  }

  forgetAll(): void {
    this.#until.clear();
    this.#chars = 0;
  }
}
