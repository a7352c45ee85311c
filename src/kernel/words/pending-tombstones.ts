// Tombstones that a thread has announced and not yet written: the kernel names up to two disk records that the last call made
// dead, and keeps their segments from being reused until the thread takes the announcement back. Here is the one place that
// drains them. A thread that dies in between is drained by whoever recovers it.
import * as at from "../layout.js";
import type { Views } from "./views.js";

/** Writes the tombstone of the record at a disk location. */
export type TombstoneWriter = (location: number) => void;

const perThread = 2;

/** Offsets of a thread's two announcements: the segment + 1, then the location. */
function wordsOf(thread: number): { readonly segment: number; readonly location: number } {
  const block = at.threadTable + thread * at.threadBlockSize;
  return {
    segment: (block + at.threadTombstoneSegment0) / 4,
    location: (block + at.resultTombstone0) / 8,
  };
}

export class PendingTombstones {
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #segment: number;
  readonly #location: number;

  constructor(views: Pick<Views, "i32" | "f64">, thread: number) {
    this.#i32 = views.i32;
    this.#f64 = views.f64;
    const words = wordsOf(thread);
    this.#segment = words.segment;
    this.#location = words.location;
  }

  /** Writes what is announced and takes the announcements back. Answers how many there were. */
  drain(write: TombstoneWriter): number {
    let count = 0;
    for (let index = 0; index < perThread; index++) {
      const location = this.#f64[this.#location + index] as number;
      if (location === 0) continue;
      count += 1;
      write(location);
      // Only now: if this thread dies before the tombstone is written, whoever recovers it finds the location here.
      Atomics.store(this.#i32, this.#segment + index, 0);
      this.#f64[this.#location + index] = 0;
    }
    return count;
  }

  /** Takes the announcements back unwritten: what they name cannot come back. */
  drop(): void {
    for (let index = 0; index < perThread; index++) {
      this.#f64[this.#location + index] = 0;
      Atomics.store(this.#i32, this.#segment + index, 0);
    }
  }

  /** For a thread that is gone: writes what it had announced; a location without a segment was none any more. */
  drainDead(write: TombstoneWriter): void {
    for (let index = 0; index < perThread; index++) {
      const location = this.#f64[this.#location + index] as number;
      const isAnnounced = Atomics.load(this.#i32, this.#segment + index) !== 0;
      if (isAnnounced && location !== 0) write(location);
      Atomics.store(this.#i32, this.#segment + index, 0);
    }
  }
}

/** Is any thread about to write a tombstone, into this disk segment if one is given? */
export function hasPendingTombstone(
  { views }: { readonly views: Views },
  segment?: number,
): boolean {
  for (let thread = 0; thread < at.threadsMax; thread++) {
    const word = wordsOf(thread).segment;
    for (let index = 0; index < perThread; index++) {
      const pending = Atomics.load(views.i32, word + index);
      if (segment === undefined ? pending !== 0 : pending === segment + 1) return true;
    }
  }
  return false;
}
