// A key that was read and hashed once, for what outlives the call: its bytes and their hash, and nothing of the caller's. A
// string cut from a larger one would keep that alive, so its text is made anew from the bytes.
import { isUtf8 } from "node:buffer";

/** A string and the bytes of its UTF-8 are the same key. */
export type Key = string | Uint8Array;

/** One text for a key given as a string and as bytes. */
export function keyIdOf(key: Key): string {
  if (typeof key === "string") return key;
  return idOfBytes(Buffer.from(key.buffer, key.byteOffset, key.byteLength));
}

/** Bytes that are no UTF-8 begin with a lone surrogate, as no string key may. */
function idOfBytes(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString("utf8") : `\ud800${bytes.toString("latin1")}`;
}

export class HashedKey {
  /** The key's bytes: a copy of its own. */
  readonly bytes: Buffer;
  readonly hashLow: number;
  readonly hashHigh: number;
  readonly #isText: boolean;
  #id: string | undefined;

  constructor(bytes: Buffer, isText: boolean, hashLow: number, hashHigh: number) {
    this.bytes = bytes;
    this.#isText = isText;
    this.hashLow = hashLow;
    this.hashHigh = hashHigh;
  }

  /** As keyIdOf. */
  get id(): string {
    this.#id ??= this.#isText ? this.bytes.toString("utf8") : idOfBytes(this.bytes);
    return this.#id;
  }

  /** The key as the caller gave it: a string, or bytes that are a copy. */
  toKey(): Key {
    return this.#isText ? this.id : new Uint8Array(this.bytes);
  }

  /** Is the hash known? A key that no segment has room for has none. */
  get isHashed(): boolean {
    return (this.hashLow | this.hashHigh) !== 0;
  }

  /** Was the key given as bytes? */
  get isBytes(): boolean {
    return !this.#isText;
  }
}
