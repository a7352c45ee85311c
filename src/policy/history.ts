// What a policy remembers of keys: a table of 32-bit cells in sets of eight, one for each key seen
// when a segment was emptied. It is both ghost list and frequency sketch: the time of a cell tells
// whether the key left recently, and its frequency halves with each half-life since. Called by
// LogPolicy.
//
//   ┌ fingerprint 16 ┬ frequency 4 ┬ time 12 ┐   0 = empty; the oldest of a set gives way
//
// Threads write cells without a lock. A cell is one word, so a reader sees one thread's whole cell;
// a lost write loses one remembered key.

export const historyWays = 8;
export const historyFrequencyMax = 15;
const timeMask = 0xfff;

/** Number of cells, in whole sets, of a table that remembers at least `keys` keys. */
export function historyCells(keys: number): number {
  return Math.max(8, Math.ceil(keys / historyWays)) * historyWays;
}

export class History {
  readonly #cells: Uint32Array;
  /** A hash times this is its set. The high bits of a hash choose the set; the low 16 are the
   *  fingerprint. */
  readonly #scale: number;

  /** `cells.length` is a multiple of `historyWays`. */
  constructor(cells: Uint32Array) {
    this.#cells = cells;
    this.#scale = cells.length / historyWays / 2 ** 32;
  }

  /** The cell of the key, or 0 if it is not remembered. */
  find(hash: number): number {
    const first = Math.floor(hash * this.#scale) * historyWays;
    const fingerprint = hash & 0xffff;
    for (let way = first; way < first + historyWays; way++) {
      const cell = this.#cells[way] as number;
      if (cell >>> 16 === fingerprint && cell !== 0) return cell;
    }
    return 0;
  }

  /** Remembers that the key was seen at `time`; stores a frequency of at least 1. */
  note(hash: number, frequency: number, time: number): void {
    const first = Math.floor(hash * this.#scale) * historyWays;
    const fingerprint = hash & 0xffff;
    let position = first;
    let oldest = -1;
    for (let way = first; way < first + historyWays; way++) {
      const cell = this.#cells[way] as number;
      if (cell === 0 || cell >>> 16 === fingerprint) {
        position = way;
        break;
      }
      const age = cellAge(cell, time);
      if (age > oldest) {
        oldest = age;
        position = way;
      }
    }
    const counted = Math.min(historyFrequencyMax, Math.max(1, frequency));
    this.#cells[position] = ((fingerprint << 16) | (counted << 12) | (time & timeMask)) >>> 0;
  }
}

/** Ticks since the cell was written, modulo 4,096. */
export function cellAge(cell: number, time: number): number {
  return (time - cell) & timeMask;
}

/** The cell's frequency, halved at each multiple of `halfLife` ticks since it was written. */
export function cellFrequency(cell: number, time: number, halfLife: number): number {
  const age = cellAge(cell, time);
  const halvings = Math.floor(time / halfLife) - Math.floor((time - age) / halfLife);
  return ((cell >>> 12) & historyFrequencyMax) >> Math.min(halvings, 31);
}
