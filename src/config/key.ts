// What a key may be. Called where the fast path for short ASCII strings does not apply, so it can
// afford to check thoroughly.

import { describe, isWellFormed, KiB } from "../base/mod.js";

/** Most bytes of a key; a string counts as UTF-8. The record header has 16 bits for the length. */
export const keyBytesMax = 64 * KiB;

/**
 * Throws unless `key` is a non-empty well-formed string or a non-empty Uint8Array, of up to 64 KiB.
 *
 * @throws TypeError if it is not such a string or Uint8Array, RangeError if it is too long.
 */
export function assertKey(key: unknown): asserts key is string | Uint8Array {
  if (typeof key === "string") {
    if (key === "") throw keyTypeError(key);
    if (!isWellFormed(key)) {
      throw new TypeError(
        `Cannot use key: current value is ${describe(key)}, which has a lone surrogate; ` +
          "it must be well-formed",
      );
    }
    // A UTF-16 unit takes at most 3 bytes, so most keys need no exact count.
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
    `Cannot use key: current value is ${describe(key)}; ` +
      "it must be a non-empty string or Uint8Array",
  );
}

function assertKeyBytes(bytes: number): void {
  if (bytes > keyBytesMax) {
    throw new RangeError(
      `Cannot use key: current value has ${bytes} bytes; it must have at most ${keyBytesMax}`,
    );
  }
}
