// Pending tombstones: announced by a thread and not written yet. The kernel announces up to two
// disk records that the last call made dead; their segments are not reused until the thread
// retracts the announcements. Only this file drains them. If a thread dies before, whoever recovers
// it does.
import * as at from "../layout.js";
import type { Views } from "./views.js";

/** Writes the tombstone of the record at a disk location. */
export type TombstoneWriter = (location: number) => void;

const perThread = 2;

/** The words of a thread's two announcements: disk segment + 1 (u32), and location (f64). */
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

  /** Writes the announced tombstones and retracts the announcements. Answers how many there
   *  were. */
  drain(write: TombstoneWriter): number {
    let count = 0;
    for (let index = 0; index < perThread; index++) {
      const location = this.#f64[this.#location + index] as number;
      if (location === 0) continue;
      count += 1;
      write(location);
      // Only after the write: if this thread dies before, whoever recovers it finds the location
      // here.
      Atomics.store(this.#i32, this.#segment + index, 0);
      this.#f64[this.#location + index] = 0;
    }
    return count;
  }

  /** Retracts the announcements without a write: what they name can never come back. */
  drop(): void {
    for (let index = 0; index < perThread; index++) {
      this.#f64[this.#location + index] = 0;
      Atomics.store(this.#i32, this.#segment + index, 0);
    }
  }

  /** For a dead thread: writes what it had announced. A location without a segment was
   *  retracted. */
  drainDead(write: TombstoneWriter): void {
    for (let index = 0; index < perThread; index++) {
      const location = this.#f64[this.#location + index] as number;
      const isAnnounced = Atomics.load(this.#i32, this.#segment + index) !== 0;
      if (isAnnounced && location !== 0) write(location);
      Atomics.store(this.#i32, this.#segment + index, 0);
    }
  }
}

/** Whether any thread is about to write a tombstone, into `segment` if one is given. */
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

/** Waits for the tombstones that are pending when it is made. */
export class TombstoneWatch {
  readonly #i32: Int32Array;
  #pending: number[] = [];

  constructor({ views }: { readonly views: Views }) {
    this.#i32 = views.i32;
    for (let thread = 0; thread < at.threadsMax; thread++) {
      const word = wordsOf(thread).segment;
      for (let index = 0; index < perThread; index++) this.#pending.push(word + index);
    }
  }

  /** Whether each announcement of that time has been retracted since. One that is seen again may be
   *  a later one: the next call looks once more. */
  areWritten(): boolean {
    this.#pending = this.#pending.filter((word) => Atomics.load(this.#i32, word) !== 0);
    return this.#pending.length === 0;
  }
}
