// One value that comes as a stream: its chunks are published as they come, its head last. Called by
// the writer of streams. Invariants as in large-value.ts; the id stands in words of its own for as
// long as the write lasts, over awaits (kernel/assembly/moves/streams.ts). Once the value is larger
// than memory takes it spills: its chunks are flushed as they come, and those that are on disk
// leave memory, before the head is there and after.
import { type Kernel, codes, type HashedKey } from "../kernel/mod.js";
import { codecStream, flagChunked } from "../record/mod.js";
import type { LargeValue } from "./head-record.js";
import {
  chunkKey,
  chunkOverheadMax,
  fieldsOfChunks,
  headOf,
  valueBytesMax,
} from "./large-value.js";
import type { AppendOutcome, MemoryWriter, WriteFields } from "./memory-writer.js";

/** The part of the index's slots that the chunks of one value may take: up to it hardly a bucket is
 *  full of them, where one would give way to another. */
const slotsShare = 1 / 6;
/** The part of the segment files that one value may take: the rest takes what others write
 *  meanwhile, and what was there. */
const diskShare = 1 / 2;
/** Numbers that one value may skip, since another chunk of their class is on disk: two of them
 *  could not be told apart there. One in some thousands is met. */
const skippedMax = 256;
/** A head has 32 bits for the length of its value, and the kernel adds the head's own. */
const lengthMax = 2 ** 32 - 2 ** 20;

/** The most bytes of any value in memory, in the segments that are in use. */
function memoryMax({ geometry, control }: Kernel): number {
  return valueBytesMax(geometry.segmentBytes, control.segmentsWanted());
}

/** The bytes of a stream's chunk but for the last: two fill a segment, headers included. */
function streamChunkBytes({ geometry }: Kernel): number {
  return (geometry.segmentBytes / 2 - chunkOverheadMax) & ~7;
}

/** The most bytes of a stream. `forDisk`: it may be written to disk. */
export function streamBytesMax(kernel: Kernel, forDisk: boolean): number {
  const { geometry } = kernel;
  if (!forDisk || geometry.diskSegmentCount === 0) return memoryMax(kernel);
  const disk = geometry.diskSegmentCount * geometry.diskSegmentUnits * 16;
  const slots = geometry.bucketCount * codes.bucketSlots;
  const most = Math.min(disk * diskShare, slots * slotsShare * streamChunkBytes(kernel));
  return Math.max(memoryMax(kernel), Math.min(most, lengthMax));
}

/** Whether a value with so many bytes is larger than memory takes, so that it is only on disk
 *  whole. */
export function isSpilled(kernel: Kernel, bytes: number): boolean {
  return bytes > memoryMax(kernel);
}

export class StreamedValue {
  /** The bytes of each chunk but the last. */
  readonly chunkBytes: number;
  readonly #writer: MemoryWriter;
  readonly #key: HashedKey;
  readonly #fields: WriteFields;
  readonly #chunkFields: WriteFields;
  readonly #idLow: number;
  readonly #idHigh: number;
  #bytes = 0;
  #chunks = 0;
  readonly #skipped: number[] = [];
  /** From then on its words may be another stream's. */
  #isOver = false;

  private constructor(writer: MemoryWriter, key: HashedKey, fields: WriteFields) {
    const { kernel } = writer;
    this.#writer = writer;
    this.#key = key;
    this.#fields = fields;
    this.#chunkFields = fieldsOfChunks(fields);
    this.chunkBytes = streamChunkBytes(kernel);
    this.#idLow = kernel.value.idLow;
    this.#idHigh = kernel.value.idHigh;
  }

  /** The bytes of each chunk but the last, of a value that begins now. */
  static chunkBytesIn(kernel: Kernel): number {
    return streamChunkBytes(kernel);
  }

  /** Null if as many streams are being written as there may be. `fields` are the head's. */
  static begin(writer: MemoryWriter, key: HashedKey, fields: WriteFields): StreamedValue | null {
    return writer.kernel.verbs.beginStream() === 0 ? null : new StreamedValue(writer, key, fields);
  }

  /** The bytes that are written. */
  get bytes(): number {
    return this.#bytes;
  }

  get chunks(): number {
    return this.#chunks;
  }

  #name(): void {
    const { hashLow, hashHigh } = this.#key;
    const { kernel, keys } = this.#writer;
    kernel.verbs.setValue(hashLow, hashHigh, this.#idLow, this.#idHigh, keys.space);
  }

  #large(): LargeValue {
    return {
      bytes: this.#bytes,
      chunks: this.#chunks,
      skipped: this.#skipped,
      chunkBytes: this.chunkBytes,
      hashLow: this.#key.hashLow,
      hashHigh: this.#key.hashHigh,
      idLow: this.#idLow,
      idHigh: this.#idHigh,
    };
  }

  /** Publishes the next chunk: of `chunkBytes`, or the last. */
  append(chunk: Uint8Array): AppendOutcome {
    while (this.#isTaken()) {
      if (this.#skipped.length === skippedMax) return "no-room";
      this.#skipped.push(this.#chunks);
      this.#chunks += 1;
    }
    const name = chunkKey(this.#large(), this.#chunks);
    const outcome = this.#writer.append(name, chunk, this.#chunkFields);
    if (outcome !== "stored") return outcome;
    this.#chunks += 1;
    this.#bytes += chunk.length;
    return outcome;
  }

  /** Whether another chunk on disk has the class of the next one, which would take its slot. */
  #isTaken(): boolean {
    this.#name();
    const copy = this.#writer.kernel.verbs.chunkCopy(this.#chunks);
    return copy === codes.answerDisk;
  }

  /** From here on its chunks are flushed as they come, and leave memory. */
  spill(): void {
    this.#name();
    this.#writer.kernel.verbs.spillStream();
  }

  /** False once eviction or reclaim has taken chunks of it for want of room. */
  get isIntact(): boolean {
    this.#name();
    return this.#writer.kernel.verbs.isStreamIntact() === 1;
  }

  /** Whether a chunk that was written has left memory, since it is on disk: or leaves it now. */
  leavesMemory(number: number): boolean {
    this.#name();
    return this.#writer.demoteChunk(number);
  }

  /** Publishes the head. "taken": eviction had taken chunks of it, and the key has no value; it is
   *  counted as overloaded. "lost": a chunk has given way in a full index. Unless "taken" or
   *  "stored", nothing has changed and the write goes on:
   *  `end` it, or try again. */
  finish(): AppendOutcome | "taken" | "lost" {
    const { kernel } = this.#writer;
    if (!this.#isWhole()) return "lost";
    const isLarge = isSpilled(kernel, this.#bytes);
    const codecId = isLarge ? codecStream : this.#fields.codecId;
    const flags = this.#fields.flags | flagChunked;
    const fields = { ...this.#fields, codecId, flags };
    const outcome = this.#writer.append(this.#key, headOf(this.#large()), fields);
    if (outcome !== "stored") return outcome;
    if (this.end()) return "stored";
    return this.#writer.takeBack(this.#key) === "stored" ? "stored" : "taken";
  }

  #isWhole(): boolean {
    const { verbs } = this.#writer.kernel;
    this.#name();
    for (let number = 0; number < this.#chunks; number++) {
      const isGone = verbs.chunkCopy(number) === codes.answerAbsent;
      if (isGone && !this.#skipped.includes(number)) return false;
    }
    return true;
  }

  /** Ends the write. Without a head, what `dropChunks` does not drop afterwards is dead all the
   *  same. False if the write was abandoned. */
  end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#name();
    return this.#writer.kernel.verbs.endStream() === 1;
  }

  /** Drops chunks [from, to), of a write that has ended. */
  dropChunks(from: number, to: number): void {
    this.#name();
    for (let number = from; number < to; number++) {
      if (!this.#skipped.includes(number)) this.#writer.dropChunks(number + 1, number);
    }
  }
}
