// A hashed key: a key that was read and hashed once, for use after the call that read it. Made by
// the key window. It holds its own copy of the bytes and nothing of the caller's, since a substring
// would keep a larger string alive; a text is decoded from the bytes.
import { isUtf8 } from "node:buffer";

/**
 * A key: a non-empty string without lone surrogates or a non-empty Uint8Array, at most 64 KiB. A
 * string and the bytes of its UTF-8 are the same key. Anything else throws TypeError, a longer key
 * RangeError.
 *
 * @example
 * ```ts
 * import { type Key, openCache } from "undercroft";
 *
 * const keys: Key[] = ["a", new Uint8Array([0x61])]; // "a" in UTF-8
 * const cache = await openCache<number>();
 * for (const key of keys) cache.set(key, (cache.getSync(key) ?? 0) + 1);
 * console.log(cache.getSync("a")); // 2
 * await cache.close();
 * ```
 */
export type Key = string | Uint8Array;

/** One text for a key, whether it is given as a string or as bytes. */
export function keyIdOf(key: Key): string {
  if (typeof key === "string") return key;
  return idOfBytes(Buffer.from(key.buffer, key.byteOffset, key.byteLength));
}

/** Bytes that are not UTF-8 get a lone surrogate in front, which no string key may contain. */
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

  /** Whether the hash is known. A key longer than a segment has none. */
  get isHashed(): boolean {
    return (this.hashLow | this.hashHigh) !== 0;
  }

  /** Whether the key was given as bytes. */
  get isBytes(): boolean {
    return !this.#isText;
  }
}
