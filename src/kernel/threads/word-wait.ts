// Waits for a word of shared memory to change, without blocking the event loop. Called by followers
// of flights and by callers that wait for a flush.
import { waitAsync } from "../../base/mod.js";

/** A word to wait on: element `index` of `words`. */
export interface WaitWord {
  readonly words: Int32Array;
  readonly index: number;
}

/** Resolves at once if the word is not `seen`, else when it is notified or after `timeoutMs`. Does
 *  not keep the process alive. */
export async function waitForChange(
  { words, index }: WaitWord,
  seen: number,
  timeoutMs: number,
): Promise<void> {
  await waitAsync(words, index, seen, timeoutMs).value;
}
