// Making room in a map: copies what lives in the oldest segments together and frees them. Run by a writer that finds no
// free segment. Invariants: an entry is moved, never dropped; one thread compacts at a time, so the free segments kept
// for it are enough; the safe order is the evictor's (docs/shared-memory.md): every slot that named a record of the
// segment is changed by compare first, then the generation, then the segment is free to be written again.
import { type Kernel, layout as at } from "../kernel/mod.js";
import { RecordHeader, SegmentTable } from "../memory/mod.js";
import * as counter from "../stats/mod.js";

/** Waits of a millisecond for another thread's compaction. */
const waitsMax = 200;
export class Compactor {
  readonly #kernel: Kernel;
  readonly #table: SegmentTable;
  readonly #header: RecordHeader;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#table = new SegmentTable(kernel);
    this.#header = new RecordHeader(kernel);
  }

  /** Frees a segment that any thread may take. "none": there is not enough garbage for one. "busy": another thread is at
   *  it and does not come to an end. */
  makeRoom(): "room" | "none" | "busy" {
    if (!this.#lock()) return this.#hasRoom() ? "room" : "busy";
    try {
      return this.#compact() ? "room" : "none";
    } finally {
      const { i32 } = this.#kernel.views;
      Atomics.store(i32, at.controlCompactor / 4, 0);
      Atomics.notify(i32, at.controlCompactor / 4);
    }
  }

  #hasRoom(): boolean {
    return this.#table.free > this.#kernel.geometry.reserveSegments;
  }

  /** True when this thread is the one that compacts; false once it need not, or waited in vain. */
  #lock(): boolean {
    const { i32 } = this.#kernel.views;
    const word = at.controlCompactor / 4;
    for (let wait = 0; wait < waitsMax && !this.#hasRoom(); wait++) {
      const owner = Atomics.compareExchange(i32, word, 0, this.#kernel.thread + 1);
      if (owner === 0) return true;
      Atomics.wait(i32, word, owner, 1);
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
    const table = this.#table;
    // Only for the segments whose emptying met a lock that is free by now: they are sealed again.
    this.#kernel.verbs.sweep(0, 0, 0);
    const sealed: number[] = [];
    for (let segment = 0; segment < table.count; segment++) {
      if (table.state(segment) === at.segmentSealed) sealed.push(segment);
    }
    return sealed.sort((left, right) => table.sealOrder(left) - table.sealOrder(right));
  }

  /** Moves what lives in a claimed segment; false if there was no room to move it to. */
  #empty(segment: number): boolean {
    const { verbs } = this.#kernel;
    const base = this.#table.base(segment);
    const end = base + this.#table.writeOffset(segment);
    for (let record = base; record < end;) {
      const size = this.#header.size(record);
      // No record: the walk would never end.
      if (size === 0) break;
      const frequency = verbs.frequencyOfRecord(record);
      if (frequency >= 0) {
        if (verbs.move(record, at.logMain, frequency) === at.answerNoRoom) return false;
      } else if (frequency === at.answerMiss) {
        // Cleared, perhaps: its slot still names the record and must let go of it. If its lock was held (answerBusy)
        // nothing is known of it, and the segment is not freed.
        verbs.dropRecord(record);
      }
      record += (size + 7) & ~7;
    }
    return true;
  }
}
