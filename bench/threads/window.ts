// How the suite's threads are synchronised: words in shared memory by which the main thread starts
// a window. The first `atThreads` threads of a crew work in it and the others wait. Both sides use
// it.

/** Words per cache line. Words that threads write have lines of their own. */
export const windowWords = 16;
/** The main thread increments it to start a window; threads wait on it. */
export const atWindow = 0;
/** How many threads take part in the window. */
export const atThreads = 1;
/** What they do: an index of `works`. */
export const atWork = 2;
/** Length of the window in milliseconds. */
export const atMs = 3;
/** How many threads are ready, so that all begin at once. */
export const atReady = windowWords;
/** How many threads are done. */
export const atDone = 2 * windowWords;
/** One line per thread: its operations, its microseconds, and how many operations failed. */
export const atResults = 3 * windowWords;

/** What threads do in a window. */
export interface Work {
  readonly name: string;
  /** Writes in a hundred operations. */
  readonly writes: number;
  /** Each thread has its own keys, all threads have all keys, or all have one key. */
  readonly keys: "own" | "all" | "one";
}

export const works: readonly Work[] = [
  { name: "reads, own keys", writes: 0, keys: "own" },
  { name: "reads, all keys", writes: 0, keys: "all" },
  { name: "reads, one hot key", writes: 0, keys: "one" },
  { name: "writes, own keys", writes: 100, keys: "own" },
  { name: "writes, one hot key", writes: 100, keys: "one" },
  { name: "95/5, all keys", writes: 5, keys: "all" },
];

export const entries = 16_384;

export function createWindow(threads: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * (atResults + threads * windowWords)));
}
