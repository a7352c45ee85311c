// Retries a verb that found a key's lock held. Called by the janitor where no record may be left
// out. A lock is held for a few instructions. A waiting thread releases the locks of a dead owner
// itself where the system can prove the death; elsewhere the opener does, when the worker exits.

import { codes } from "../kernel/mod.js";

/** Each attempt waits for the lock itself, for about 50 ms. */
const attemptsMax = 20;

/** Returns the first answer that is not answerBusy, or answerBusy after about a second. */
export function retryWhileBusy(verb: () => number): number {
  for (let attempt = 1; attempt < attemptsMax; attempt++) {
    const answer = verb();
    if (answer !== codes.answerBusy) return answer;
  }
  return verb();
}
