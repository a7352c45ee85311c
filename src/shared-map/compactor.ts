// Makes room in a map: moves the live records of the oldest segments together and frees the
// segments. A writer runs it when it finds no free segment. Invariants: an entry is moved, never
// dropped. One thread compacts at a time, so the free segments in reserve are enough. The order is
// the evictor's (docs/internals/memory.md): first every slot that names a record of the segment
// changes by CAS, then the generation grows, then the segment is free.
import { codes, type Kernel } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";

/** How many times a thread waits a millisecond for another thread's compaction. */
const waitsMax = 200;

export class Compactor {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /**
   * Frees a segment that any thread may take. "none": there is not enough garbage for one. "busy":
   * another thread compacts and does not finish.
   */
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

  /** True if this thread now compacts. False if there is room, or the wait was in vain. */
  #lock(): boolean {
    for (let wait = 0; wait < waitsMax && !this.#hasRoom(); wait++) {
      if (this.#kernel.locks.compactor.lock(1)) return true;
    }
    return false;
  }

  /**
   * Goes once through the segments that are sealed now, oldest first. A segment sealed meanwhile
   * holds only live records.
   */
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
    // Covers no buckets. It only seals again segments that were not freed because a bucket lock was
    // held, if that lock is free now.
    this.#kernel.verbs.sweep(0, 0, 0);
    const sealed: number[] = [];
    for (let segment = 0; segment < table.count; segment++) {
      if (table.state(segment) === codes.segmentSealed) sealed.push(segment);
    }
    return sealed.sort((left, right) => table.sealOrder(left) - table.sealOrder(right));
  }

  /**
   * Moves the live records of a claimed segment. Returns false if there was no room to move one.
   */
  #empty(segment: number): boolean {
    const { verbs, segments } = this.#kernel;
    const walk = segments.walk(segment);
    while (walk.next()) {
      const { record } = walk;
      const frequency = verbs.frequencyOfRecord(record);
      if (frequency >= 0) {
        if (verbs.move(record, codes.logMain, frequency) === codes.answerNoRoom) return false;
      } else if (frequency === codes.answerMiss) {
        // The record may be cleared while its slot still names it, so empty the slot. After
        // answerBusy nothing is known of the record, and the kernel does not free the segment.
        verbs.dropRecord(record);
      }
    }
    return true;
  }
}
