// Finds out what the values of a cache have in common, and gives it to all threads as a book of phrases (shapes/phrase-book.ts).
// Runs in the janitor, between its other duties, so that no caller waits for it. Invariants: a phrase is learnt from several
// values, never from one; a book is added only if it served values that it was not made from; a turn of learning is all that a
// round of the janitor waits for.
import { type Kernel, layout as at } from "../kernel/mod.js";
import { SegmentTable, type ShapeArea } from "../memory/mod.js";
import {
  codecPhrased,
  codecShaped,
  flagChunk,
  flagChunked,
  flagCompressed,
  recordHeaderSize,
  RecordReader,
} from "../record/mod.js";
import { PhraseBook, PhraseBooks, PhraseLearning } from "../shapes/mod.js";

/** Bytes of values that a book is made from, of several segments; half are kept to try it on. */
const sampleBytes = 48 * 1024;
const segmentSampleBytes = 16 * 1024;
/** Of a longer value the beginning says enough. */
const valueBytesMax = 1024;
/** A value shorter than this has nothing to learn from, nor to save. */
const valueBytesMin = 16;
/** The values kept for the trial must take at most this share of what they take by the newest book that there is. */
const worthwhile = 3 / 4;
/** Segments that pass until the next trial, after a book was added; twice as many after each trial that came to nothing. */
const segmentsBetween = 8;
const segmentsBetweenMax = 8192;

export class PhraseScout {
  readonly #kernel: Kernel;
  readonly #area: ShapeArea;
  readonly #table: SegmentTable;
  readonly #books: PhraseBooks;
  readonly #record: RecordReader;
  /** Segments sealed up to this sequence were looked at. */
  #seen = 0;
  /** Segments to let pass. */
  #idle = 0;
  #wasted = 0;
  #sample: Buffer[] = [];
  #bytes = 0;
  #learning: PhraseLearning | undefined;

  constructor(kernel: Kernel, area: ShapeArea) {
    this.#kernel = kernel;
    this.#area = area;
    this.#table = new SegmentTable(kernel);
    this.#books = new PhraseBooks(area);
    this.#record = new RecordReader(kernel.geometry.segmentBytes, kernel.createdBaseMs);
  }

  /** Looks at the newest sealed segment, or takes one turn of learning. */
  run(): void {
    if (this.#learning !== undefined) {
      if (this.#learning.step()) this.#conclude(this.#learning);
      return;
    }
    const segment = this.#newest();
    if (segment < 0) return;
    this.#seen = this.#table.sealOrder(segment);
    if (this.#idle > 0) this.#idle -= 1;
    else if (this.#area.takesBooks) this.#look(segment);
    if (this.#bytes < sampleBytes) return;
    this.#learning = new PhraseLearning(this.#sample.filter((_, place) => place % 2 === 0));
  }

  /** The segment sealed last, if it has not been looked at; -1 if it has. */
  #newest(): number {
    let newest = -1;
    let order = this.#seen;
    for (let segment = 0; segment < this.#table.count; segment++) {
      if (this.#table.state(segment) !== at.segmentSealed) continue;
      if (this.#table.pool(segment) !== at.poolSmall) continue;
      if (this.#table.sealOrder(segment) <= order) continue;
      order = this.#table.sealOrder(segment);
      newest = segment;
    }
    return newest;
  }

  /** Takes values of a segment into the sample. */
  #look(segment: number): void {
    const generation = this.#table.generation(segment);
    const picked: Buffer[] = [];
    let bytes = 0;
    const base = this.#table.base(segment);
    const end = base + this.#table.writeOffset(segment);
    const share = segmentSampleBytes / (end - base);
    for (let record = base; record < end;) {
      const size = this.#kernel.views.u32[record / 4] as number;
      if (size < recordHeaderSize || record + size > end) break;
      if (Math.random() < share) {
        const value = this.#valueOf(record, size);
        if (value !== undefined) {
          picked.push(value);
          bytes += value.length;
        }
      }
      record += (size + 7) & ~7;
    }
    // Emptied and used again meanwhile: what was read is of no certain record.
    if (this.#table.generation(segment) !== generation) return;
    this.#sample.push(...picked);
    this.#bytes += bytes;
  }

  /** The value of a record as msgpackr packed it, or its beginning; undefined if it is none that phrases serve. */
  #valueOf(from: number, size: number): Buffer | undefined {
    const record = this.#record;
    record.buffer.set(this.#kernel.views.u8.subarray(from, from + size));
    record.parse(0);
    const { codecId, flags, sequence, valueStart, valueEnd } = record;
    const isOther = (flags & (flagChunk | flagChunked | flagCompressed)) !== 0;
    if (sequence === 0 || isOther || valueEnd - valueStart < valueBytesMin) return undefined;
    if (codecId === codecShaped) {
      const most = Math.min(valueEnd, valueStart + valueBytesMax);
      return Buffer.from(record.buffer.subarray(valueStart, most));
    }
    if (codecId !== codecPhrased) return undefined;
    try {
      const length = this.#books.expand(record.buffer, valueStart, valueEnd);
      return Buffer.from(this.#books.expanded.subarray(0, Math.min(length, valueBytesMax)));
    } catch {
      // Its book is lost, or the record was torn.
      return undefined;
    }
  }

  #conclude(learning: PhraseLearning): void {
    const phrases = learning.phrases();
    const book = new PhraseBook(0, phrases);
    let before = 0;
    let after = 0;
    for (let place = 1; place < this.#sample.length; place += 2) {
      const value = this.#sample[place] as Buffer;
      before += this.#books.shorten(value)?.length ?? value.length;
      after += book.shorten(value)?.length ?? value.length;
    }
    const isAdded = after < before * worthwhile && this.#area.addBook(phrases);
    this.#wasted = isAdded ? 0 : this.#wasted + 1;
    this.#idle = Math.min(segmentsBetweenMax, segmentsBetween * 2 ** this.#wasted);
    this.#learning = undefined;
    this.#sample = [];
    this.#bytes = 0;
  }
}
