// Whether two values are the same in every way that a codec must keep: types, prototypes, own keys
// and their order, -0, holes, bytes, error stacks, and which positions hold the same object.
// Stricter than deepStrictEqual, which takes an invalid Date as unequal to itself and ignores
// identities and stacks.

import { types } from "node:util";
import { expect } from "vitest";
import type { Codec } from "../../dist/src/codec/mod.js";

/** Encodes and decodes through a scratch buffer that is overwritten before the value is
 *  compared. */
export function roundTrip(codec: Codec, value: unknown): unknown {
  const bytes = codec.encode(value, "k");
  const codecId = codec.lastCodecId;
  const scratch = Buffer.alloc(bytes.length + 24, 0x41);
  scratch.set(bytes, 8);
  const decoded = codec.decode(codecId, scratch, 8, 8 + bytes.length);
  scratch.fill(0xee);
  codec.encode({ other: "x".repeat(bytes.length) }, "other");
  return decoded;
}

/** Throws unless `actual` is exactly `expected`. */
export function assertExact(actual: unknown, expected: unknown): void {
  const difference = findDifference(actual, expected, "value", new Map(), new Map());
  expect(difference).toBe(undefined);
}

type Pairs = Map<object, object>;

function findDifference(
  a: unknown,
  b: unknown,
  at: string,
  ab: Pairs,
  ba: Pairs,
): string | undefined {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return Object.is(a, b) ? undefined : `${at}: ${String(a)} for ${String(b)}`;
  }
  if (ab.has(a) || ba.has(b)) return ab.get(a) === b ? undefined : `${at}: another identity`;
  ab.set(a, b);
  ba.set(b, a);
  if (a === b) return `${at}: the very same object`;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${at}: another prototype`;
  const below = (x: unknown, y: unknown, step: string) =>
    findDifference(x, y, `${at}${step}`, ab, ba);
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return sameBytes(a, b, at);
  const state = below(stateOf(a), stateOf(b), "<state>");
  if (state !== undefined) return state;
  const keys = Object.keys(a);
  if (JSON.stringify(keys) !== JSON.stringify(Object.keys(b))) return `${at}: other keys`;
  for (const key of keys) {
    const found = below(Reflect.get(a, key), Reflect.get(b, key), `.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sameBytes(a: ArrayBufferView, b: ArrayBufferView, at: string): string | undefined {
  const bytes = (view: ArrayBufferView) =>
    Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return bytes(a).equals(bytes(b)) ? undefined : `${at}: other bytes`;
}

/** What an object holds beside its own enumerable properties. */
function stateOf(value: object): unknown {
  if (Array.isArray(value)) return value.length;
  if (types.isDate(value)) return value.getTime();
  if (types.isMap(value)) return [...value].flat(1);
  if (types.isSet(value)) return [...value];
  if (types.isRegExp(value)) return `${value.source} ${value.flags} ${value.lastIndex}`;
  if (types.isNativeError(value)) {
    const errors: unknown = Reflect.get(value, "errors");
    return [
      value.name,
      value.message,
      value.stack,
      Object.hasOwn(value, "cause"),
      value.cause,
      errors,
    ];
  }
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value);
  if (types.isBoxedPrimitive(value)) return value.valueOf();
  return undefined;
}
