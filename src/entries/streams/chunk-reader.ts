// Reads a value in chunks piece by piece, from memory and disk. Made by the reader of streams.
// Invariant: what was looked up is not trusted after an await; each piece is looked up anew, by the
// id of its write.
import type { HashedKey } from "../../kernel/mod.js";
import { chunkKey, type LargeValue, largeValueOf, type SlotRef } from "../../memory/mod.js";
import type { RecordReader } from "../../record/mod.js";
import { counterChunksMissing } from "../../stats/mod.js";
import type { DiskRecord } from "../../tiers/mod.js";
import type { ThreadCore } from "../thread-core.js";
import { type ByteReader, lostError, pause } from "./read-stream.js";

/** Looks at a chunk that the index says is on disk and that cannot be read: its batch may not be
 *  written yet, or the device may fail for a moment. A second in all. */
const looksMax = 100;
const lookMs = 10;

export class ChunkReader implements ByteReader {
  readonly size: number;
  readonly #core: ThreadCore;
  readonly #head: SlotRef;
  readonly #large: LargeValue;
  /** Whether the entry has ended, though a slot may show it still. */
  readonly #isOver: () => boolean;

  /** `head` is the record that was just read, `slot` where it was found. */
  constructor(core: ThreadCore, head: RecordReader, slot: SlotRef) {
    this.#core = core;
    this.#head = slot;
    this.#large = largeValueOf(head);
    this.size = this.#large.bytes;
    const { sequence, space, expiresMs } = head;
    const field = Uint8Array.from(head.tagsField());
    const { control, tags } = core.kernel;
    this.#isOver = () =>
      sequence <= control.clearEpochOf(space) ||
      (field.length > 0 && tags.areInvalidated(field, sequence)) ||
      expiresMs <= core.clock.now();
  }

  read(from: number, to: number): Buffer | Promise<Buffer> {
    const core = this.#core;
    core.assertOpen();
    const number = Math.floor(from / this.#large.chunkBytes);
    const name = chunkKey(this.#large, this.#named(number));
    const found = core.reader.find(name, false);
    if (found === "memory") return this.#pieceOf(core.reader.record, number, from, to, false);
    if (found === "none") throw this.#lost();
    return this.#readLater(core.keys.take(name), number, from, to);
  }

  /** The number in the key of the chunk that is the n-th. */
  #named(nth: number): number {
    let number = nth;
    for (const skipped of this.#large.skipped) if (skipped <= number) number += 1;
    return number;
  }

  async #readLater(name: HashedKey, number: number, from: number, to: number): Promise<Buffer> {
    const core = this.#core;
    for (let look = 0; look < looksMax; look++) {
      const read = await core.disk?.read(name);
      core.assertOpen();
      if (read !== undefined && read !== "memory") {
        return this.#pieceOf((read as DiskRecord).record, number, from, to, true);
      }
      const found = core.reader.findHashed(name, false);
      if (found === "memory") return this.#pieceOf(core.reader.record, number, from, to, false);
      if (found === "none") throw this.#lost();
      await pause(lookMs);
      core.assertOpen();
    }
    throw lostError("a part of its value cannot be read from disk");
  }

  /** The bytes [from, to) as far as the chunk has them. `isOwn`: the record's buffer is nobody
   *  else's. */
  #pieceOf(record: RecordReader, number: number, from: number, to: number, isOwn: boolean): Buffer {
    const { chunkBytes, bytes } = this.#large;
    const first = number * chunkBytes;
    const length = Math.min(chunkBytes, bytes - first);
    const { buffer, valueStart, valueEnd } = record;
    if (valueEnd - valueStart !== length) throw this.#lost();
    const start = valueStart + from - first;
    const piece = buffer.subarray(start, Math.min(valueEnd, start + to - from));
    return isOwn ? piece : Buffer.from(piece);
  }

  /** A chunk is nowhere: its value has left, or has lost it and is dropped. */
  #lost(): Error {
    if (!this.#isOver() && this.#core.writer.dropValue(this.#head, this.#large)) {
      this.#core.kernel.count(counterChunksMissing, 1);
      return lostError("a part of its value was lost, so the entry was dropped");
    }
    return lostError("its entry was replaced, removed or evicted before its end was read");
  }
}
