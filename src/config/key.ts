// What a key may be. Called where the fast path for short ASCII strings does not apply, so it can
// afford to check thoroughly.

import { types } from "node:util";

import { describe, isWellFormed, KiB } from "../base/mod.js";

/** Most bytes of a key; a string counts as UTF-8. The record header has 16 bits for the length. */
export const keyBytesMax = 64 * KiB;

/**
 * Throws unless `key` is a non-empty well-formed string or a non-empty Uint8Array, of any realm and
 * of up to 64 KiB.
 *
 * @throws TypeError if it is not such a string or Uint8Array, RangeError if it is too long.
 */
export function assertKey(key: unknown): asserts key is string | Uint8Array {
  if (typeof key === "string") {
    if (key === "") throw keyTypeError(key);
    if (!isWellFormed(key)) {
      throw new TypeError(
        `Cannot use key: current value is ${describe(key)}, which has a lone surrogate; ` +
          "it must be well-formed (String.prototype.toWellFormed makes it so)",
      );
    }
    // A UTF-16 unit takes at most 3 bytes, so most keys need no exact count.
    if (key.length * 3 > keyBytesMax) assertKeyBytes(Buffer.byteLength(key, "utf8"));
  } else if (types.isUint8Array(key)) {
    if (key.byteLength === 0) throw keyTypeError(key);
    assertKeyBytes(key.byteLength);
  } else {
    throw keyTypeError(key);
  }
}

function keyTypeError(key: unknown): TypeError {
  const isBare = typeof key === "number" || typeof key === "bigint" || typeof key === "boolean";
  const hint = isBare ? `, such as ${JSON.stringify(String(key))}` : "";
  return new TypeError(
    `Cannot use key: current value is ${describe(key)}; ` +
      `it must be a non-empty string or Uint8Array${hint}`,
  );
}

function assertKeyBytes(bytes: number): void {
  if (bytes > keyBytesMax) {
    throw new RangeError(
      `Cannot use key: current value has ${bytes} bytes; it must have at most ${keyBytesMax} ` +
        "(use a hash of it)",
    );
  }
}

/**
 * The keys given to a call that takes many, each checked, so that a wrong one is found before
 * anything is done. `keyOf` gives the key of what is given for it.
 *
 * @throws TypeError if `keys` is no iterable, or is itself a key; what `assertKey` throws.
 */
export function checkedKeys<Key extends string | Uint8Array, K = Key>(
  keys: unknown,
  keyOf: (key: K) => unknown = (key) => key,
): Key[] {
  if (typeof keys === "string" || types.isUint8Array(keys)) {
    const hint = typeof keys === "string" ? `[${describe(keys)}]` : "[key]";
    throw keysTypeError(keys, `, such as ${hint}`);
  }
  const iterator: unknown =
    typeof keys === "object" && keys !== null ? Reflect.get(keys, Symbol.iterator) : undefined;
  if (typeof iterator !== "function") throw keysTypeError(keys, "");
  const checked: Key[] = [];
  for (const given of keys as Iterable<K>) {
    const key = keyOf(given);
    assertKey(key);
    checked.push(key as Key);
  }
  return checked;
}

function keysTypeError(keys: unknown, hint: string): TypeError {
  return new TypeError(
    `Cannot use keys: current value is ${describe(keys)}; it must be an iterable of keys${hint}`,
  );
}
