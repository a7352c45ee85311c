// From the bytes of a record to the value that a caller gets: decodes, decompresses, puts chunks together. Called by the entry
// reader and writer. Invariant: a value is decoded from private bytes that were validated after they were copied; bytes that no
// codec of this version made are damage, counted, and no value.
import { decompress, deepFreeze } from "../codec/mod.js";
import {
  chunkCount,
  chunkKey,
  copyChunk,
  type LargeValue,
  largeValueOf,
  readChunks,
} from "../memory/mod.js";
import { flagChunked, flagCompressed, type RecordReader } from "../record/mod.js";
import { counterCorruptRecords } from "../stats/mod.js";
import type { ThreadCore } from "./thread-core.js";

/** Attempts to read an entry that goes from memory to disk and back each time it is looked for. */
export const moveAttemptsMax = 4;

/** The encoding of a value, with its bytes. */
interface EncodedValue {
  readonly codecId: number;
  readonly flags: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** A decoded value, with the bytes of its chunks if it has some. */
export interface DecodedValue<V> {
  readonly value: V;
  readonly chunkBytes: number;
}

export class ValueDecoder<V> {
  readonly #core: ThreadCore;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  /** The value of a record whose chunks, if it has some, are in memory; undefined if it is damaged. "elsewhere": a chunk is not in
   *  memory. Writes over the record reader of memory where there are chunks. */
  decode(record: RecordReader): DecodedValue<V> | "elsewhere" | undefined {
    const { codecId, flags, buffer } = record;
    if ((flags & flagChunked) === 0) {
      const { valueStart: start, valueEnd: end } = record;
      return this.#decoded({ codecId, flags, buffer, start, end }, 0);
    }
    const whole = readChunks(this.#core.reader, largeValueOf(record));
    if (whole === undefined) return "elsewhere";
    return this.#decodedWhole(codecId, flags, whole);
  }

  /** As `decode`, with the chunks wherever they are; undefined if one is gone. */
  async decodeAnywhere(record: RecordReader): Promise<DecodedValue<V> | undefined> {
    const { codecId, flags } = record;
    if ((flags & flagChunked) === 0) return this.decode(record) as DecodedValue<V> | undefined;
    const whole = await this.#gather(largeValueOf(record));
    return whole === undefined ? undefined : this.#decodedWhole(codecId, flags, whole);
  }

  #decodedWhole(codecId: number, flags: number, whole: Buffer): DecodedValue<V> | undefined {
    const encoded = { codecId, flags, buffer: whole, start: 0, end: whole.length };
    return this.#decoded(encoded, whole.length);
  }

  #decoded(encoded: EncodedValue, chunkBytes: number): DecodedValue<V> | undefined {
    const value = this.#decodeBytes(encoded);
    return value === undefined ? undefined : { value, chunkBytes };
  }

  /** The value of bytes as a hit gives it; undefined if they are damaged. */
  #decodeBytes({ codecId, flags, buffer, start, end }: EncodedValue): V | undefined {
    const { codec, kernel } = this.#core;
    try {
      let value: unknown;
      if ((flags & flagCompressed) === 0) {
        value = codec.decode(codecId, buffer, start, end);
      } else {
        const plain = decompress(buffer.subarray(start, end));
        value = codec.decode(codecId, plain, 0, plain.length);
      }
      return this.present(value);
    } catch {
      kernel.count(counterCorruptRecords, 1);
      return undefined;
    }
  }

  /** A decoded value as a hit gives it. */
  present(value: unknown): V {
    return (this.#core.config.near?.mode === "frozen" ? deepFreeze(value) : value) as V;
  }

  /** All chunks of a value, from memory and disk; undefined if one is gone. */
  async #gather(large: LargeValue): Promise<Buffer | undefined> {
    const whole = Buffer.allocUnsafeSlow(large.bytes);
    for (let number = 0; number < chunkCount(large); number++) {
      const record = await this.#chunk(large, number);
      if (record === undefined || !copyChunk(whole, large, number, record)) return undefined;
    }
    return whole;
  }

  async #chunk(large: LargeValue, number: number): Promise<RecordReader | undefined> {
    const { reader, disk, keys } = this.#core;
    const name = chunkKey(large, number);
    for (let attempt = 0; attempt < moveAttemptsMax; attempt++) {
      if (reader.find(name, true) === "memory") return reader.record;
      const record = await disk?.read(keys.take(name));
      this.#core.assertOpen();
      if (record !== "memory") return record;
    }
    return undefined;
  }
}
