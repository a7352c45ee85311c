// Waiting for a word of shared memory to change without blocking the event loop.

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

// Not in the library of ES2023, but in every Node.js this package runs on.
const { waitAsync } = Atomics as unknown as { readonly waitAsync: WaitAsync };

/** Resolves when the word is not `seen` and somebody has notified it, or after `timeoutMs`. Keeps no process alive. */
export async function waitForChange(
  { words, index }: WaitWord,
  seen: number,
  timeoutMs: number,
): Promise<void> {
  await waitAsync(words, index, seen, timeoutMs).value;
}
