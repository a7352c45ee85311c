// The value in chunks that this thread's last kernel calls were about (layout.ts, threadValue), for
// TypeScript callers. Only this thread writes and reads it. It stays until a call that names
// another value: `findHead`, `setValue`, `publish`, `remove`.
import * as at from "../layout.js";
import type { Views } from "./views.js";

export class ValueRegister {
  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #first: number;

  /** `block` is the byte offset of the thread's block. */
  constructor(views: Views, block: number) {
    this.#u8 = views.u8;
    this.#u32 = views.u32;
    this.#first = (block + at.threadValue) / 4;
  }

  #word(field: number): number {
    return this.#u32[this.#first + field / 4] as number;
  }

  /** The hash of the head's key. */
  get hashLow(): number {
    return this.#word(at.valueHash);
  }

  get hashHigh(): number {
    return this.#word(at.valueHash + 4);
  }

  /** The id that its head and chunks share. */
  get idLow(): number {
    return this.#word(at.valueId);
  }

  get idHigh(): number {
    return this.#word(at.valueId + 4);
  }

  /** Its chunks; after `publish` and `remove` 0 if they replaced no head. */
  get chunks(): number {
    return this.#word(at.valueChunks);
  }

  /** Bytes of the value and its head. */
  get bytes(): number {
    return this.#word(at.valueBytes);
  }

  /** The frequency of its head's slot. */
  get frequency(): number {
    return this.#u8[this.#first * 4 + at.valueFrequency] as number;
  }

  /** How often a policy has kept it, as far as the slot of a chunk can tell. */
  get round(): number {
    return this.#word(at.valueRound) & at.slotFrequencyMax;
  }

  /** The log that its head is in. */
  get log(): number {
    return this.#u8[this.#first * 4 + at.valueLog] as number;
  }

  /** The memory segment that the last chunk left, or -1 if it was not in memory. */
  get segment(): number {
    return this.#word(at.valueSegment) - 1;
  }

  /** The bytes that it took there. */
  get taken(): number {
    return this.#word(at.valueTaken);
  }
}
