// The memory segments that the janitor keeps free, and how many are in use at all: it follows what
// `resize` wants. Part of its rounds. A segment is taken out of use only when it is free, by one
// atomic change of its state, and comes back the same way; so writers and readers need to know
// nothing of it, and a new janitor goes on where a dead one was.
import { type Evictor, policyCapacityOf, usedGeometryOf, watermarkOf } from "../eviction/mod.js";
import type { Kernel } from "../kernel/mod.js";
import type { LogPolicy } from "../policy/mod.js";

/** Segments taken out of use in one round. */
const segmentsPerRound = 8;

export class MemoryRoom {
  readonly #kernel: Kernel;
  readonly #evictor: Evictor;
  readonly #policy: LogPolicy;
  #wanted: number;
  /** Free segments that are kept, for the segments that are to be in use. */
  watermark: number;

  constructor(kernel: Kernel, evictor: Evictor, policy: LogPolicy) {
    this.#kernel = kernel;
    this.#evictor = evictor;
    this.#policy = policy;
    this.#wanted = kernel.control.segmentsWanted();
    this.watermark = watermarkOf(usedGeometryOf(kernel));
  }

  /** Empties segments until enough are free; false if that cannot be. */
  make(now: number, flushedOnly: boolean): boolean {
    if (this.#kernel.verbs.spillingStreams() === 1) this.#evictor.emptyDead(now);
    return this.#evictor.makeRoom(this.watermark, now, flushedOnly);
  }

  /** Takes segments out of use, or back into it. True if there is more to do at once. */
  fit(now: number, flushedOnly: boolean): boolean {
    const { verbs, control, geometry } = this.#kernel;
    const wanted = control.segmentsWanted();
    if (wanted !== this.#wanted) this.#adopt(wanted);
    const target = geometry.segmentCount - wanted;
    let withheld = verbs.withheldSegments();
    for (; withheld > target; withheld--) verbs.releaseSegment();
    const step = Math.min(target - withheld, segmentsPerRound);
    if (step === 0) return false;
    // What cannot be freed yet, since it is not on disk, is freed by a later round.
    this.#evictor.makeRoom(this.watermark + step, now, flushedOnly);
    let taken = 0;
    while (taken < step && this.#hasSpare() && verbs.withholdSegment() === 1) taken += 1;
    return taken > 0 && withheld + taken < target;
  }

  #hasSpare(): boolean {
    return this.#kernel.verbs.freeSegments(this.watermark + 1) > this.watermark;
  }

  #adopt(wanted: number): void {
    this.#wanted = wanted;
    const used = usedGeometryOf(this.#kernel);
    this.watermark = watermarkOf(used);
    this.#policy.resize(policyCapacityOf(used));
  }
}
