// Waits for a word of shared memory to change, without blocking the event loop. Called by followers
// of flights and by callers that wait for a flush.

/** A word to wait on: element `index` of `words`. */
export interface WaitWord {
  readonly words: Int32Array;
  readonly index: number;
}

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
) => { readonly async: boolean; readonly value: Promise<string> | string };

// Missing in TypeScript's ES2023 library, but in every Node.js version this package supports.
const { waitAsync } = Atomics as unknown as { readonly waitAsync: WaitAsync };

/** Resolves at once if the word is not `seen`, else when it is notified or after `timeoutMs`. Does
 *  not keep the process alive. */
export async function waitForChange(
  { words, index }: WaitWord,
  seen: number,
  timeoutMs: number,
): Promise<void> {
  await waitAsync(words, index, seen, timeoutMs).value;
}
