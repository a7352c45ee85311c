// Waits for room in memory, so that a writer that may wait never makes the cache evict what is not
// on disk yet. Called by `warm`. While segments are free beyond the eviction's reserve a write
// evicts nothing; the janitor frees those whose records are on disk. Invariant: a wait is bounded.
import { elapsedMs, setTimeout } from "../../base/mod.js";
import type { ThreadCore } from "../../entries/mod.js";

/** The longest wait for room. After it the write is tried all the same. */
export const roomWaitMsMax = 30_000;
const lookMs = 2;

export class SegmentRoom {
  readonly #core: ThreadCore;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  /** Whether a value of so many bytes can be written without a reclaim. */
  has(bytes: number): boolean {
    const { verbs, geometry, control } = this.#core.kernel;
    const { reserveSegments, segmentBytes } = geometry;
    const wanted = reserveSegments + 2 + Math.ceil(bytes / segmentBytes);
    // A large value in a small cache has to evict.
    const most = Math.max(reserveSegments + 2, control.segmentsWanted() >>> 2);
    return verbs.freeSegments(Math.min(wanted, most)) >= Math.min(wanted, most);
  }

  /** Resolves when there is room, or after `roomWaitMsMax`. */
  async wait(bytes: number): Promise<void> {
    const until = elapsedMs() + roomWaitMsMax;
    while (!this.has(bytes) && elapsedMs() < until) {
      this.#core.kernel.verbs.ring();
      await new Promise((resolve) => {
        setTimeout(resolve, lookMs);
      });
      this.#core.assertOpen();
    }
  }
}
