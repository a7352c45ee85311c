// Making room in a map: copies what lives in the oldest segments together and frees them. Run by a writer that finds no
// free segment. Invariants: an entry is moved, never dropped; one thread compacts at a time, so the free segments kept
// for it are enough; the safe order is the evictor's (docs/internals/memory.md): every slot that named a record of the
// segment is changed by compare first, then the generation, then the segment is free to be written again.
import { codes, type Kernel } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";

/** Waits of a millisecond for another thread's compaction. */
const waitsMax = 200;

export class Compactor {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Frees a segment that any thread may take. "none": there is not enough garbage for one. "busy": another thread is at
   *  it and does not come to an end. */
  makeRoom(): "room" | "none" | "busy" {
    if (!this.#lock()) return this.#hasRoom() ? "room" : "busy";
    try {
      return this.#compact() ? "room" : "none";
    } finally {
      this.#kernel.locks.compactor.unlock();
    }
  }

  #hasRoom(): boolean {
    const { verbs, geometry } = this.#kernel;
    return verbs.freeSegments(geometry.segmentCount) > geometry.reserveSegments;
  }

  /** True when this thread is the one that compacts; false once it need not, or waited in vain. */
  #lock(): boolean {
    for (let wait = 0; wait < waitsMax && !this.#hasRoom(); wait++) {
      if (this.#kernel.locks.compactor.lock(1)) return true;
    }
    return false;
  }

  /** Once round the segments that are sealed now, oldest first: what is sealed meanwhile is full of live records. */
  #compact(): boolean {
    for (const segment of this.#sealed()) {
      if (this.#hasRoom()) return true;
      if (this.#kernel.verbs.claimSegment(segment) === 0) continue;
      if (!this.#empty(segment)) {
        this.#kernel.verbs.releaseClaims(this.#kernel.thread);
        return false;
      }
      this.#kernel.verbs.freeSegment(segment);
      this.#kernel.count(counter.counterSegmentsEvicted, 1);
    }
    return this.#hasRoom();
  }

  #sealed(): number[] {
    const table = this.#kernel.segments;
    // Only for the segments whose emptying met a lock that is free by now: they are sealed again.
    this.#kernel.verbs.sweep(0, 0, 0);
    const sealed: number[] = [];
    for (let segment = 0; segment < table.count; segment++) {
      if (table.state(segment) === codes.segmentSealed) sealed.push(segment);
    }
    return sealed.sort((left, right) => table.sealOrder(left) - table.sealOrder(right));
  }

  /** Moves what lives in a claimed segment; false if there was no room to move it to. */
  #empty(segment: number): boolean {
    const { verbs, segments } = this.#kernel;
    const walk = segments.walk(segment);
    while (walk.next()) {
      const { record } = walk;
      const frequency = verbs.frequencyOfRecord(record);
      if (frequency >= 0) {
        if (verbs.move(record, codes.logMain, frequency) === codes.answerNoRoom) return false;
      } else if (frequency === codes.answerMiss) {
        // Cleared, perhaps: its slot still names the record and must let go of it. If its lock was held (answerBusy)
        // nothing is known of it, and the segment is not freed.
        verbs.dropRecord(record);
      }
    }
    return true;
  }
}
