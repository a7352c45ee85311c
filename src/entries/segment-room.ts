// Waits for room in memory, so that a writer that may wait is not refused. Called by `warm`, and by
// `setAsync` in a thread without workers. While segments are free beyond the eviction's reserve a
// write evicts nothing; the janitor frees those whose records are on disk. Invariant: a wait is
// bounded.
import { elapsedMs, setTimeout } from "../base/mod.js";
import { usedGeometryOf, watermarkOf } from "../eviction/mod.js";
import type { ThreadCore } from "./thread-core.js";

/** The longest wait for room. After it the write is tried all the same. */
export const roomWaitMsMax = 30_000;
const lookMs = 2;

export class SegmentRoom {
  readonly #core: ThreadCore;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  /** Whether a value of so many bytes can be written without a reclaim, as far as the janitor makes
   *  room: it keeps no more than its watermark free. */
  has(bytes: number): boolean {
    const used = usedGeometryOf(this.#core.kernel);
    const wanted = used.reserveSegments + 2 + Math.floor(bytes / used.segmentBytes);
    const most = Math.min(wanted, watermarkOf(used));
    return this.#core.kernel.verbs.freeSegments(most) >= most;
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
