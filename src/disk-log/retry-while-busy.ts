// Asking again where a key's lock was held: a writer holds it for instructions, and a dead thread's locks are given back
// by the owner within milliseconds. Called by the janitor where nothing may be left behind.

import { codes } from "../kernel/mod.js";

/** Each attempt waits for the lock itself, for about 50 ms. */
const attemptsMax = 20;

/** The answer of a verb once it is not answerBusy, or answerBusy after a second. */
export function retryWhileBusy(verb: () => number): number {
  for (let attempt = 1; attempt < attemptsMax; attempt++) {
    const answer = verb();
    if (answer !== codes.answerBusy) return answer;
  }
  return verb();
}
