// Values too large for one record: they are written as chunks, each a record under an internal key,
// and a head record that names them. Called by the entry writer, the decoder and the pool workers.
// Chunks are moved and evicted like any record; a value with a chunk missing is a miss. Invariant:
// the chunks of one write share a random id, so chunks of two writes are never joined.
//
//   head's value:  u32 bytes of the whole value, u32 bytes of a chunk, u64 id
//   chunk's key:   0x00, u64 id, u32 number
import { randomFillSync } from "node:crypto";
import { assert } from "../base/mod.js";
import { flagChunk, flagChunked, type RecordReader } from "../record/mod.js";
import type { HashedKey, Key } from "../kernel/mod.js";
import type { MemoryReader } from "./memory-reader.js";
import type { MemoryWriter, WriteFields, WriteOutcome } from "./memory-writer.js";

const headBytes = 16;
const chunkKeyBytes = 13;

/** The contents of a head record. */
export interface LargeValue {
  readonly bytes: number;
  readonly chunkBytes: number;
  readonly id: Uint8Array;
}

/** The most bytes of a value in one record: a quarter of a segment, so that segments fill well. */
export function inlineBytesMax(segmentBytes: number): number {
  return segmentBytes / 4;
}

/** The most bytes of any value: a quarter of the log, so that one value cannot evict everything. */
export function valueBytesMax(segmentBytes: number, segmentCount: number): number {
  return Math.floor((segmentBytes * segmentCount) / 4);
}

/** Writes a value of any size. */
export function writeValue(
  writer: MemoryWriter,
  key: Key | HashedKey,
  value: Uint8Array,
  fields: WriteFields,
): WriteOutcome {
  const { segmentBytes, segmentCount } = writer.kernel.geometry;
  if (value.length <= inlineBytesMax(segmentBytes)) return writer.write(key, value, fields);
  if (value.length > valueBytesMax(segmentBytes, segmentCount)) return writer.refuse(key);
  const chunkBytes = inlineBytesMax(segmentBytes);
  const head = Buffer.alloc(headBytes);
  head.writeUInt32LE(value.length, 0);
  head.writeUInt32LE(chunkBytes, 4);
  randomFillSync(head, 8, 8);
  const large = readHead(head, 0, headBytes);
  const chunkFields = { ...fields, flags: flagChunk, tags: new Uint8Array(0), flight: -1 };
  for (let number = 0; number * chunkBytes < value.length; number++) {
    const chunk = value.subarray(number * chunkBytes, (number + 1) * chunkBytes);
    // Not a set of its own: the refusal of the whole value is counted once, by `overload`.
    if (writer.append(chunkKey(large, number), chunk, chunkFields) === "stored") continue;
    removeChunks(writer, large, number);
    return writer.overload(key);
  }
  const outcome = writer.write(key, head, { ...fields, flags: fields.flags | flagChunked });
  if (outcome !== "stored") removeChunks(writer, large, Infinity);
  return outcome;
}

/** Reads the head record that was just found. */
export function largeValueOf(record: RecordReader): LargeValue {
  return readHead(record.buffer, record.valueStart, record.valueEnd);
}

function readHead(buffer: Buffer, start: number, end: number): LargeValue {
  assert(end - start === headBytes, "a head record has 16 bytes");
  return {
    bytes: buffer.readUInt32LE(start),
    chunkBytes: buffer.readUInt32LE(start + 4),
    id: Uint8Array.from(buffer.subarray(start + 8, end)),
  };
}

/** How many chunks a value has. */
export function chunkCount(large: LargeValue): number {
  return Math.ceil(large.bytes / large.chunkBytes);
}

/** The internal key of a chunk. */
export function chunkKey(large: LargeValue, number: number): Uint8Array {
  const key = Buffer.alloc(chunkKeyBytes);
  key.set(large.id, 1);
  key.writeUInt32LE(number, 9);
  return key;
}

/** Copies a chunk to its offset in `whole`; false if the chunk does not have its exact length. */
export function copyChunk(
  whole: Buffer,
  large: LargeValue,
  number: number,
  record: RecordReader,
): boolean {
  const from = number * large.chunkBytes;
  const length = record.valueEnd - record.valueStart;
  if (length !== Math.min(large.chunkBytes, large.bytes - from)) return false;
  record.buffer.copy(whole, from, record.valueStart, record.valueEnd);
  return true;
}

/** The whole value if every chunk is in memory, else undefined. */
export function readChunks(reader: MemoryReader, large: LargeValue): Buffer | undefined {
  const whole = Buffer.allocUnsafeSlow(large.bytes);
  for (let number = 0; number < chunkCount(large); number++) {
    if (reader.find(chunkKey(large, number), true) !== "memory") return undefined;
    if (!copyChunk(whole, large, number, reader.record)) return undefined;
  }
  return whole;
}

function removeChunks(writer: MemoryWriter, large: LargeValue, count: number): void {
  for (let number = 0; number < Math.min(count, chunkCount(large)); number++) {
    writer.remove(chunkKey(large, number));
  }
}
