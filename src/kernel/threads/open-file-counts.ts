// How many segment files each thread of a cache has open, so that all of them together have no more
// than the cache may. Called by tiers/segment-files.ts. Only its thread writes a count; whoever
// recovers a dead thread sets it to 0, since the system has closed its files.
import * as at from "../layout.js";
import type { Views } from "../words/views.js";

function wordOf(thread: number): number {
  return (at.threadTable + thread * at.threadBlockSize + at.threadOpenFiles) / 4;
}

export class OpenFileCounts {
  readonly #i32: Int32Array;
  readonly #own: number;

  constructor(views: Views, thread: number) {
    this.#i32 = views.i32;
    this.#own = wordOf(thread);
  }

  /** Says how many this thread has open, or is about to have. */
  note(files: number): void {
    Atomics.store(this.#i32, this.#own, files);
  }

  /** The files of all threads, and how many threads have any. */
  all(): { readonly files: number; readonly threads: number } {
    let files = 0;
    let threads = 0;
    for (let thread = 0; thread < at.threadsMax; thread++) {
      const open = Atomics.load(this.#i32, wordOf(thread));
      files += open;
      if (open > 0) threads += 1;
    }
    return { files, threads };
  }
}
