// Values too large for one record: written as chunks, each a record of its own under an internal key, and a head record
// that names them. Chunks live, move and leave like any record; a value with a chunk missing is a miss. Invariant: chunks
// carry the id of one write, so chunks of two writes are never put together.
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

/** What a head record says. */
export interface LargeValue {
  readonly bytes: number;
  readonly chunkBytes: number;
  readonly id: Uint8Array;
}

/** The most bytes of a record's value before it is cut: a quarter of a segment, so that segments fill well. */
export function inlineBytesMax(segmentBytes: number): number {
  return segmentBytes / 4;
}

/** The most bytes of a value at all: a quarter of the log, so that one value cannot turn the whole cache over. */
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
    // No set of its own: what is refused is the whole, and counted once.
    if (writer.append(chunkKey(large, number), chunk, chunkFields) === "stored") continue;
    removeChunks(writer, large, number);
    return writer.overload(key);
  }
  const outcome = writer.write(key, head, { ...fields, flags: fields.flags | flagChunked });
  if (outcome !== "stored") removeChunks(writer, large, Infinity);
  return outcome;
}

/** What the head record that was just read says. */
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

/** Puts a chunk's bytes into their place; false if they are not as long as they must be. */
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
