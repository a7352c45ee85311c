// Learns what the values of a cache have in common and publishes it to all threads as a compression
// dictionary (dictionary/compression-dictionary.ts). Runs in the janitor, between its other duties,
// so no caller waits for it. Invariants: a dictionary is added only if it pays on values that it
// was not trained on. A round of the janitor waits for one training step at most.
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

/** Bytes of sampled values for one dictionary, from several segments. Half are kept to test it. */
const sampleBytes = 48 * 1024;
const segmentSampleBytes = 16 * 1024;
/** Only the beginning of a longer value is sampled. */
const valueBytesMax = 1024;
/** A shorter value neither teaches nor saves anything. */
const valueBytesMin = 16;
/** The test values must take at most this share of their size under the newest dictionary. */
const worthwhile = 3 / 4;
/** Segments to skip after a dictionary was added. Doubles with each training that added none. */
const segmentsBetween = 8;
const segmentsBetweenMax = 8192;

export class DictionaryTrainer {
  readonly #kernel: Kernel;
  readonly #area: SchemaArea;
  readonly #table: SegmentTable;
  readonly #dictionaries: CompressionDictionaries;
  readonly #record: RecordReader;
  /** Segments with a seal order up to this one have been looked at. */
  #seen = 0;
  /** Segments still to be skipped. */
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

  /** Looks at the newest sealed segment, or takes one training step. */
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
    this.#training = new DictionaryTraining(this.#sample.filter((_, index) => index % 2 === 0));
  }

  /** The segment of the small log sealed last, or -1 if it has been looked at. */
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

  /** Samples values of a segment. */
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
    // The segment was reused meanwhile, so the bytes read belong to no certain record.
    if (this.#table.generation(segment) !== generation) return;
    this.#sample.push(...picked);
    this.#bytes += bytes;
  }

  /** The beginning of a record's value as msgpackr packed it; undefined if it is no such value. */
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
    for (let index = 1; index < this.#sample.length; index += 2) {
      const value = this.#sample[index] as Buffer;
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
