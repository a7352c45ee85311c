// Turns a record's bytes into the value that a caller gets: joins chunks, decompresses, decodes.
// Called by the entry reader and writer. Invariant: only private bytes that were validated after
// the copy are decoded. Bytes that do not decode are damage: counted, and no value.
import { decompress, deepFreeze } from "../codec/mod.js";
import {
  chunkCount,
  chunkKey,
  copyChunk,
  type LargeValue,
  largeValueOf,
  readChunks,
} from "../memory/mod.js";
import type { HashedKey } from "../kernel/mod.js";
import { flagChunked, flagCompressed, type RecordReader } from "../record/mod.js";
import { counterCorruptRecords } from "../stats/mod.js";
import type { ThreadCore } from "./thread-core.js";

/** Attempts to read an entry that moves between memory and disk at each lookup. */
export const moveAttemptsMax = 4;

/** An encoded value and how it is encoded. */
interface EncodedValue {
  readonly codecId: number;
  readonly flags: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** A decoded value, and the bytes of its chunks, 0 if it has none. */
export interface DecodedValue<V> {
  readonly value: V;
  readonly chunkBytes: number;
}

export class ValueDecoder<V> {
  readonly #core: ThreadCore;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  /** Decodes a record whose chunks, if any, are in memory. Undefined if it is damaged, "elsewhere"
   *  if a chunk is not in memory. Chunks overwrite the memory reader's record. */
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

  /** Like `decode`, with chunks in memory or on disk. Undefined if one is missing. */
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

  /** Decodes bytes to the value as a hit returns it. Undefined if they are damaged. */
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

  /** A function that gives the value itself to its first caller, and to each later one a copy
   *  decoded from the same bytes. It encodes when the second one comes. */
  copiesOf(key: HashedKey, value: V): () => V {
    const { codec } = this.#core;
    let encoded: { readonly codecId: number; readonly buffer: Buffer } | undefined;
    let isFirst = true;
    return () => {
      if (isFirst) {
        isFirst = false;
        return value;
      }
      if (encoded === undefined) {
        const buffer = Buffer.from(codec.encode(value, key.toKey()));
        encoded = { codecId: codec.lastCodecId, buffer };
      }
      return this.present(codec.decode(encoded.codecId, encoded.buffer, 0, encoded.buffer.length));
    };
  }

  /** A decoded value as a hit returns it: deep-frozen in near mode "frozen". */
  present(value: unknown): V {
    return (this.#core.config.near?.mode === "frozen" ? deepFreeze(value) : value) as V;
  }

  /** Joins all chunks of a value, from memory and disk. Undefined if one is missing. */
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
