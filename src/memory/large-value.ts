// Values too large for one record: they are written as chunks, each a record under an internal key,
// and a head record under the value's own key. Called by the entry writer, the decoder and the pool
// workers. Layouts: record/record-layout.ts. Invariants: the parts of one write share an id that no
// other write has, so chunks of two writes are never joined. The head is published last and goes
// first: a head whose chunk is nowhere has lost it.
import { assert } from "../base/mod.js";
import { HashedKey, type Key } from "../kernel/mod.js";
import {
  chunkHash,
  chunkId,
  chunkKeySize,
  chunkNumber,
  flagChunk,
  flagChunked,
  headBytes,
  headChunkBytes,
  headChunks,
  headHash,
  headId,
  headSize,
  recordHeaderSize,
  type RecordReader,
} from "../record/mod.js";
import type { LargeValue } from "./head-record.js";
import type { MemoryReader } from "./memory-reader.js";
import type { MemoryWriter, WriteFields, WriteOutcome } from "./memory-writer.js";

/** What a chunk takes beside its bytes: header, disk location, two times, key. */
export const chunkOverheadMax = recordHeaderSize + 24 + chunkKeySize;

/** The most bytes of a value in one record: a quarter of a segment, so that segments fill well. */
export function inlineBytesMax(segmentBytes: number): number {
  return segmentBytes / 4;
}

/** The most bytes of any value: a quarter of the log, so that one value cannot evict everything. */
export function valueBytesMax(segmentBytes: number, segmentCount: number): number {
  return Math.floor((segmentBytes * segmentCount) / 4);
}

/** The bytes of a chunk but for the last: four fill a segment, headers included. */
export function chunkBytesOf(segmentBytes: number): number {
  return (segmentBytes / 4 - chunkOverheadMax) & ~7;
}

/** Writes a value of any size. */
export function writeValue(
  writer: MemoryWriter,
  key: Key | HashedKey,
  value: Uint8Array,
  fields: WriteFields,
): WriteOutcome {
  const { segmentBytes } = writer.kernel.geometry;
  if (value.length <= inlineBytesMax(segmentBytes)) return writer.write(key, value, fields);
  const segmentCount = writer.kernel.control.segmentsWanted();
  if (value.length > valueBytesMax(segmentBytes, segmentCount)) {
    return writer.refuse(key, fields.condition);
  }
  const hashed = key instanceof HashedKey ? key : hashedOf(writer, key);
  // The key is too long.
  if (!hashed.isHashed) return writer.refuse(hashed);
  const { verbs, thread, control } = writer.kernel;
  // No other write has this id: the sequence grows over all sessions, and this thread's next write
  // in chunks begins after it has published one of these.
  const sequence = control.sequence() + 1;
  const chunkBytes = chunkBytesOf(segmentBytes);
  const large: LargeValue = {
    bytes: value.length,
    chunks: Math.ceil(value.length / chunkBytes),
    chunkBytes,
    skipped: [],
    hashLow: hashed.hashLow,
    hashHigh: hashed.hashHigh,
    idLow: (sequence % 2 ** 24) * 256 + thread,
    idHigh: Math.floor(sequence / 2 ** 24),
  };
  // From here on eviction keeps the chunks, although they have no head.
  verbs.beginLargeWrite(large.idLow, large.idHigh);
  const outcome = writeParts(writer, hashed, value, fields, large);
  const isIntact = verbs.endLargeWrite() === 1;
  if (outcome !== "stored" || isIntact) return outcome;
  // For want of room eviction took chunks while they were being written.
  return writer.takeBack(hashed);
}

function hashedOf(writer: MemoryWriter, key: Key): HashedKey {
  writer.keys.write(key);
  return writer.keys.take(key);
}

/** The chunks, then the head. */
function writeParts(
  writer: MemoryWriter,
  key: HashedKey,
  value: Uint8Array,
  fields: WriteFields,
  large: LargeValue,
): WriteOutcome {
  const { chunkBytes } = large;
  const chunkFields = fieldsOfChunks(fields);
  for (let number = 0; number < large.chunks; number++) {
    const chunk = value.subarray(number * chunkBytes, (number + 1) * chunkBytes);
    // Not a set of its own: the refusal of the whole value is counted once, by `overload`.
    if (writer.append(chunkKey(large, number), chunk, chunkFields) === "stored") continue;
    dropChunks(writer, large, number);
    return writer.overload(key, fields.condition);
  }
  const flags = fields.flags | flagChunked;
  const outcome = writer.write(key, headOf(large), { ...fields, flags });
  if (outcome !== "stored") dropChunks(writer, large, large.chunks);
  return outcome;
}

/** The fields of the chunks of a value whose head has these: the head alone is the entry. */
export function fieldsOfChunks(fields: WriteFields): WriteFields {
  return {
    ...fields,
    flags: flagChunk,
    tags: new Uint8Array(0),
    flight: -1,
    revision: undefined,
    condition: undefined,
  };
}

function dropChunks(writer: MemoryWriter, large: LargeValue, count: number): void {
  const { hashLow, hashHigh, idLow, idHigh } = large;
  writer.kernel.verbs.setValue(hashLow, hashHigh, idLow, idHigh, writer.keys.space);
  writer.dropChunks(count);
}

/** The value of a head record. */
export function headOf(large: LargeValue): Buffer {
  const head = Buffer.alloc(headSize + 4 * large.skipped.length);
  for (const [index, number] of large.skipped.entries()) {
    head.writeUInt32LE(number, headSize + 4 * index);
  }
  head.writeUInt32LE(large.chunkBytes, headChunkBytes);
  head.writeUInt32LE(large.bytes, headBytes);
  head.writeUInt32LE(large.chunks, headChunks);
  head.writeUInt32LE(large.hashLow, headHash);
  head.writeUInt32LE(large.hashHigh, headHash + 4);
  head.writeUInt32LE(large.idLow, headId);
  head.writeUInt32LE(large.idHigh, headId + 4);
  return head;
}

/** Reads a head record, such as the one that was just found. */
export function largeValueOf(record: RecordReader): LargeValue {
  const { buffer, valueStart: start } = record;
  const more = record.valueEnd - start - headSize;
  assert(more >= 0 && more % 4 === 0, "a head record has 32 bytes, and 4 for each number");
  return {
    skipped: Array.from({ length: more / 4 }, (_, index) =>
      buffer.readUInt32LE(start + headSize + 4 * index),
    ),
    bytes: buffer.readUInt32LE(start + headBytes),
    chunks: buffer.readUInt32LE(start + headChunks),
    chunkBytes: buffer.readUInt32LE(start + headChunkBytes),
    hashLow: buffer.readUInt32LE(start + headHash),
    hashHigh: buffer.readUInt32LE(start + headHash + 4),
    idLow: buffer.readUInt32LE(start + headId),
    idHigh: buffer.readUInt32LE(start + headId + 4),
  };
}

/** The internal key of a chunk. */
export function chunkKey(large: LargeValue, number: number): Uint8Array {
  const key = Buffer.alloc(chunkKeySize);
  key.writeUInt32LE(large.hashLow, chunkHash);
  key.writeUInt32LE(large.hashHigh, chunkHash + 4);
  key.writeUInt32LE(large.idLow, chunkId);
  key.writeUInt32LE(large.idHigh, chunkId + 4);
  key.writeUInt32LE(number, chunkNumber);
  return key;
}

/** The key of another internal record than a chunk. It is shorter than a chunk's. */
export function internalKey(id: Uint8Array, number: number): Uint8Array {
  assert(id.length + 5 < chunkKeySize, "an internal key is no chunk's");
  const key = Buffer.alloc(1 + id.length + 4);
  key.set(id, 1);
  key.writeUInt32LE(number, 1 + id.length);
  return key;
}

/** The numbers of the chunks of a value. */
export function numbersOf({ chunks, skipped }: LargeValue): number[] {
  const numbers = Array.from({ length: chunks }, (_, number) => number);
  return skipped.length === 0 ? numbers : numbers.filter((number) => !skipped.includes(number));
}

/** A value that is put together from its chunks, in their order. */
export class JoinedValue {
  readonly bytes: Buffer;
  readonly #large: LargeValue;
  #joined = 0;
  #end = 0;

  constructor(large: LargeValue) {
    this.#large = large;
    this.bytes = Buffer.allocUnsafeSlow(large.bytes);
  }

  /** Appends the next chunk; false if it does not fit the value. */
  append(record: RecordReader): boolean {
    const length = record.valueEnd - record.valueStart;
    if (length === 0 || this.#end + length > this.bytes.length) return false;
    record.buffer.copy(this.bytes, this.#end, record.valueStart, record.valueEnd);
    this.#end += length;
    this.#joined += 1;
    return true;
  }

  /** Whether every chunk was appended and the value is whole. */
  get isWhole(): boolean {
    const { chunks, skipped } = this.#large;
    return this.#joined === chunks - skipped.length && this.#end === this.bytes.length;
  }
}

/** The whole value if every chunk is in memory; "elsewhere" if one is on disk, "missing" if one is
 *  in neither. */
export function readChunks(
  reader: MemoryReader,
  large: LargeValue,
): Buffer | "elsewhere" | "missing" {
  const value = new JoinedValue(large);
  for (const number of numbersOf(large)) {
    // Not a hit: the head was hit.
    const found = reader.find(chunkKey(large, number), false);
    if (found === "disk") return "elsewhere";
    if (found === "none" || !value.append(reader.record)) return "missing";
  }
  return value.isWhole ? value.bytes : "missing";
}
