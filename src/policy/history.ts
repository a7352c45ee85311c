// What a policy remembers of keys: a set-associative table of 32-bit cells, one for a key that was seen when a segment
// was emptied. It is ghost list and frequency sketch in one: when the key was last seen tells whether it left lately,
// and its frequency is halved for each half-life since. Called by log policies only.
//
//   ┌ fingerprint 16 ┬ frequency 4 ┬ time 12 ┐   0 = empty; a set is eight cells, the one seen longest ago gives way
//
// Cells are written without a lock. Each is one word, so a reader sees some thread's whole cell; a lost one is forgotten.

export const historyWays = 8;
export const historyFrequencyMax = 15;
const timeMask = 0xfff;

/** Cells, in whole sets, of a table that remembers at least `keys` keys. */
export function historyCells(keys: number): number {
  return Math.max(8, Math.ceil(keys / historyWays)) * historyWays;
}

export class History {
  readonly #cells: Uint32Array;
  /** A hash times this is its set: the hash's high bits choose it, its low ones are the fingerprint. */
  readonly #scale: number;

  /** `cells.length` is a multiple of a set. */
  constructor(cells: Uint32Array) {
    this.#cells = cells;
    this.#scale = cells.length / historyWays / 2 ** 32;
  }

  /** The cell that remembers the key, 0 = none does. */
  find(hash: number): number {
    const first = Math.floor(hash * this.#scale) * historyWays;
    const fingerprint = hash & 0xffff;
    for (let way = first; way < first + historyWays; way++) {
      const cell = this.#cells[way] as number;
      if (cell >>> 16 === fingerprint && cell !== 0) return cell;
    }
    return 0;
  }

  /** Remembers a key as seen at `time` with a frequency of at least 1. */
  note(hash: number, frequency: number, time: number): void {
    const first = Math.floor(hash * this.#scale) * historyWays;
    const fingerprint = hash & 0xffff;
    let place = first;
    let oldest = -1;
    for (let way = first; way < first + historyWays; way++) {
      const cell = this.#cells[way] as number;
      if (cell === 0 || cell >>> 16 === fingerprint) {
        place = way;
        break;
      }
      const age = cellAge(cell, time);
      if (age > oldest) {
        oldest = age;
        place = way;
      }
    }
    const counted = Math.min(historyFrequencyMax, Math.max(1, frequency));
    this.#cells[place] = ((fingerprint << 16) | (counted << 12) | (time & timeMask)) >>> 0;
  }
}

/** How long ago the cell was written, in the clock's ticks, modulo 4,096. */
export function cellAge(cell: number, time: number): number {
  return (time - cell) & timeMask;
}

/** The cell's frequency, halved at each multiple of `halfLife` ticks that passed since it was written. */
export function cellFrequency(cell: number, time: number, halfLife: number): number {
  const age = cellAge(cell, time);
  const halvings = Math.floor(time / halfLife) - Math.floor((time - age) / halfLife);
  return ((cell >>> 12) & historyFrequencyMax) >> Math.min(halvings, 31);
}
