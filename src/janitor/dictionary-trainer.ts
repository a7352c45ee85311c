// Finds out what the values of a cache have in common, and gives it to all threads as a compression dictionary (schemas/symbol-dictionary.ts).
// Runs in the janitor, between its other duties, so that no caller waits for it. Invariants: a symbol is learnt from several
// values, never from one; a dictionary is added only if it served values that it was not made from; a turn of learning is all that a
// round of the janitor waits for.
import { codes, type Kernel, type SegmentTable } from "../kernel/mod.js";
import type { SchemaArea } from "../memory/mod.js";
import {
  codecDictionary,
  codecSchema,
  flagChunk,
  flagChunked,
  flagCompressed,
  recordHeaderSize,
  RecordReader,
} from "../record/mod.js";
import {
  CompressionDictionary,
  CompressionDictionaries,
  DictionaryTraining,
} from "../dictionary/mod.js";

/** Bytes of values that a dictionary is made from, of several segments; half are kept to try it on. */
const sampleBytes = 48 * 1024;
const segmentSampleBytes = 16 * 1024;
/** Of a longer value the beginning says enough. */
const valueBytesMax = 1024;
/** A value shorter than this has nothing to learn from, nor to save. */
const valueBytesMin = 16;
/** The values kept for the trial must take at most this share of what they take by the newest dictionary that there is. */
const worthwhile = 3 / 4;
/** Segments that pass until the next trial, after a dictionary was added; twice as many after each trial that came to nothing. */
const segmentsBetween = 8;
const segmentsBetweenMax = 8192;

export class DictionaryTrainer {
  readonly #kernel: Kernel;
  readonly #area: SchemaArea;
  readonly #table: SegmentTable;
  readonly #dictionaries: CompressionDictionaries;
  readonly #record: RecordReader;
  /** Segments sealed up to this sequence were looked at. */
  #seen = 0;
  /** Segments to let pass. */
  #idle = 0;
  #wasted = 0;
  #sample: Buffer[] = [];
  #bytes = 0;
  #training: DictionaryTraining | undefined;

  constructor(kernel: Kernel, area: SchemaArea) {
    this.#kernel = kernel;
    this.#area = area;
    this.#table = kernel.segments;
    this.#dictionaries = new CompressionDictionaries(area);
    this.#record = new RecordReader(kernel.geometry.segmentBytes, kernel.control.createdBaseMs);
  }

  /** Looks at the newest sealed segment, or takes one turn of learning. */
  run(): void {
    if (this.#training !== undefined) {
      if (this.#training.step()) this.#conclude(this.#training);
      return;
    }
    const segment = this.#newest();
    if (segment < 0) return;
    this.#seen = this.#table.sealOrder(segment);
    if (this.#idle > 0) this.#idle -= 1;
    else if (this.#area.takesDictionaries) this.#look(segment);
    if (this.#bytes < sampleBytes) return;
    this.#training = new DictionaryTraining(this.#sample.filter((_, place) => place % 2 === 0));
  }

  /** The segment sealed last, if it has not been looked at; -1 if it has. */
  #newest(): number {
    let newest = -1;
    let order = this.#seen;
    for (let segment = 0; segment < this.#table.count; segment++) {
      if (this.#table.state(segment) !== codes.segmentSealed) continue;
      if (this.#table.log(segment) !== codes.logSmall) continue;
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
    const walk = this.#table.walk(segment);
    const share = segmentSampleBytes / walk.end;
    while (walk.next()) {
      const { record, size } = walk;
      if (size < recordHeaderSize || walk.offset + size > walk.end) break;
      if (Math.random() < share) {
        const value = this.#valueOf(record, size);
        if (value !== undefined) {
          picked.push(value);
          bytes += value.length;
        }
      }
    }
    // Emptied and used again meanwhile: what was read is of no certain record.
    if (this.#table.generation(segment) !== generation) return;
    this.#sample.push(...picked);
    this.#bytes += bytes;
  }

  /** The value of a record as msgpackr packed it, or its beginning; undefined if it is none that symbols serve. */
  #valueOf(from: number, size: number): Buffer | undefined {
    const record = this.#record;
    this.#kernel.records.copyTo(record, from, size);
    record.parse(0);
    const { codecId, flags, sequence, valueStart, valueEnd } = record;
    const isOther = (flags & (flagChunk | flagChunked | flagCompressed)) !== 0;
    if (sequence === 0 || isOther || valueEnd - valueStart < valueBytesMin) return undefined;
    if (codecId === codecSchema) {
      const most = Math.min(valueEnd, valueStart + valueBytesMax);
      return Buffer.from(record.buffer.subarray(valueStart, most));
    }
    if (codecId !== codecDictionary) return undefined;
    try {
      const length = this.#dictionaries.expand(record.buffer, valueStart, valueEnd);
      return Buffer.from(this.#dictionaries.expanded.subarray(0, Math.min(length, valueBytesMax)));
    } catch {
      // Its dictionary is lost, or the record was torn.
      return undefined;
    }
  }

  #conclude(training: DictionaryTraining): void {
    const symbols = training.symbols();
    const dictionary = new CompressionDictionary(0, symbols);
    let before = 0;
    let after = 0;
    for (let place = 1; place < this.#sample.length; place += 2) {
      const value = this.#sample[place] as Buffer;
      before += this.#dictionaries.shorten(value)?.length ?? value.length;
      after += dictionary.shorten(value)?.length ?? value.length;
    }
    const isAdded = after < before * worthwhile && this.#area.addDictionary(symbols);
    this.#wasted = isAdded ? 0 : this.#wasted + 1;
    this.#idle = Math.min(segmentsBetweenMax, segmentsBetween * 2 ** this.#wasted);
    this.#training = undefined;
    this.#sample = [];
    this.#bytes = 0;
  }
}
