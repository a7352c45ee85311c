// What a key may be. Called by the facade, and only where its own fast look at a short ASCII string found something
// else, so this may be thorough.

import { describe, isWellFormed, KiB } from "../base/mod.js";

/** The most bytes of a key, in UTF-8 if it is a string. The record's layout has 16 bits for it. */
export const keyBytesMax = 64 * KiB;

/**
 * Throws unless `key` can be one: a non-empty well-formed string or non-empty Uint8Array of at most 64 KiB.
 *
 * @throws TypeError if it is no such string or bytes, RangeError if it is too long.
 */
export function assertKey(key: unknown): asserts key is string | Uint8Array {
  if (typeof key === "string") {
    if (key === "") throw keyTypeError(key);
    if (!isWellFormed(key)) {
      throw new TypeError(
        `Cannot use key: current value is ${describe(key)}, which has a lone surrogate; it must be well-formed`,
      );
    }
    // A UTF-16 unit takes 1 to 3 bytes, so most keys need no count.
    if (key.length * 3 > keyBytesMax) assertKeyBytes(Buffer.byteLength(key, "utf8"));
  } else if (key instanceof Uint8Array) {
    if (key.byteLength === 0) throw keyTypeError(key);
    assertKeyBytes(key.byteLength);
  } else {
    throw keyTypeError(key);
  }
}

function keyTypeError(key: unknown): TypeError {
  return new TypeError(
    `Cannot use key: current value is ${describe(key)}; it must be a non-empty string or Uint8Array`,
  );
}

function assertKeyBytes(bytes: number): void {
  if (bytes > keyBytesMax) {
    throw new RangeError(
      `Cannot use key: current value has ${bytes} bytes; it must have at most ${keyBytesMax}`,
    );
  }
}
