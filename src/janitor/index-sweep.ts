// Empties the slots of entries that have ended: expired, cleared, invalidated by a tag. Part of the
// janitor's rounds: a pass over the index, some buckets at a time. A pass begins when there may be
// something to find: a deadline has passed, there was a clear or an invalidation, a segment waits
// for a lock, or the last pass missed a slot; and a minute after the last one, since a thread that
// dies between the change of a slot and the note of its deadline leaves an entry that none of these
// tells of. Invariant: readers judge each entry themselves, so nobody is served what a late pass
// has left.
import { elapsedMs } from "../base/mod.js";
import type { RemovalReporter } from "../eviction/mod.js";
import { codes, type Kernel, type TombstoneWriter } from "../kernel/mod.js";
import { isInternal } from "../record/mod.js";
import * as counter from "../stats/mod.js";

/** Buckets swept at a time, at most once a millisecond. */
const sweepBuckets = 4096;
/** Milliseconds from the begin of a pass to the next, if nothing asks for one. */
const passEveryMs = 60_000;

export class IndexSweep {
  readonly #kernel: Kernel;
  readonly #removals: RemovalReporter;
  readonly #writeTombstone: TombstoneWriter;
  /** The next bucket; 0 between two passes. */
  #from = 0;
  #isDue = true;
  #tagEpoch = 0;
  #begunMs = 0;
  #stepDueMs = 0;

  constructor(kernel: Kernel, removals: RemovalReporter, writeTombstone: TombstoneWriter) {
    this.#kernel = kernel;
    this.#removals = removals;
    this.#writeTombstone = writeTombstone;
  }

  /** Whether a pass has begun and goes on, or begins with the next step. */
  get isUnderWay(): boolean {
    return this.#from > 0 || this.#isDue;
  }

  /** Begins anew: many entries have ended at once. */
  restart(): void {
    this.#from = 0;
    this.#isDue = true;
  }

  /** Goes on with the pass, or begins one if there may be something to find. */
  step(now: number): void {
    // Real time: an injected clock may stand still.
    const realMs = elapsedMs();
    if (realMs < this.#stepDueMs) return;
    this.#stepDueMs = realMs + 1;
    if (this.#from === 0) {
      if (!this.#mayFind(now, realMs)) return;
      this.#begin(realMs);
    }
    if (this.#removals.isWanted) this.#tellExpired(now);
    const { verbs, tombstones, results, geometry } = this.#kernel;
    this.#from = verbs.sweep(this.#from, this.#from + sweepBuckets, now);
    if (results.unvisited > 0) this.#isDue = true;
    tombstones.drain(this.#writeTombstone);
    if (this.#from >= geometry.bucketCount) this.#from = 0;
  }

  #mayFind(now: number, realMs: number): boolean {
    const { control, segments } = this.#kernel;
    return (
      this.#isDue ||
      now >= control.soonestDeadline() ||
      control.tagEpoch() !== this.#tagEpoch ||
      realMs - this.#begunMs >= passEveryMs ||
      segments.hasState(codes.segmentBlocked)
    );
  }

  #begin(realMs: number): void {
    const { control } = this.#kernel;
    this.#isDue = false;
    this.#begunMs = realMs;
    this.#tagEpoch = control.tagEpoch();
    // Before the first slot is read: an entry that the pass does not see notes its deadline later.
    control.forgetDeadlines();
  }

  /** Removes expired entries like `sweep`, and reports each one's key to the listeners. */
  #tellExpired(now: number): void {
    const { verbs, results, geometry } = this.#kernel;
    const end = Math.min(this.#from + sweepBuckets, geometry.bucketCount) * 8;
    const next = (from: number): number => verbs.nextExpired(from, end, now);
    for (let slot = next(this.#from * 8); slot >= 0; slot = next(slot + 1)) {
      const { slotLow: low, slotHigh: high, record, recordSize } = results;
      // A torn size: the segment is being reused, and the slot has changed.
      if (recordSize > geometry.segmentBytes) continue;
      this.#removals.copy(record, recordSize);
      const isPart = isInternal(this.#kernel.records.flags(record));
      const space = this.#kernel.records.space(record);
      if (verbs.validate(slot, low, high) !== 1) continue;
      const isDropped = verbs.dropSlot(slot, low, high) === codes.answerDone;
      // Its copy on disk has expired too, so it needs no tombstone.
      this.#kernel.tombstones.drop();
      if (!isDropped || isPart) continue;
      this.#kernel.countRemoval(space, counter.counterExpirations);
      this.#removals.tell("expired");
    }
  }
}
