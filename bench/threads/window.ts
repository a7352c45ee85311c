// How the threads of the suite are held together: words in shared memory by which the main thread starts a window in
// which the first threads of a crew work and the others wait. Called by both sides.

/** Words; those that threads write have lines of their own. */
export const windowWords = 16;
/** Added to when a window begins; threads wait here. */
export const atWindow = 0;
/** Threads that take part in the window; the others wait on. */
export const atThreads = 1;
/** What they do: its place in `works`. */
export const atWork = 2;
/** How long, in milliseconds. */
export const atMs = 3;
/** Threads that stand ready, so that all begin at once. */
export const atReady = windowWords;
/** Threads that are done. */
export const atDone = 2 * windowWords;
/** Operations and microseconds of each thread, and what was not answered as it should, on a line each. */
export const atResults = 3 * windowWords;

/** What threads do in a window. */
export interface Work {
  readonly name: string;
  /** Operations of a hundred that write. */
  readonly writes: number;
  /** Each thread has keys of its own, all threads have all keys, or all have one key. */
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
