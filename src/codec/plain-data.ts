// Finds the values that msgpackr encodes exactly. Every `set` runs this, so it only says yes or
// "look closer"; survey.ts looks closer and finds what cannot be stored at all. Invariant: what
// gets a yes comes back from msgpackr deeply equal, with the same types and identities.

import { inspect, types } from "node:util";

import { isWellFormed } from "../base/mod.js";
import { isDetached } from "./built-in.js";
import { SeenObjects } from "./seen-objects.js";

/** Deeper values go to V8, which uses less stack for each level. */
export const plainDepthMax = 128;
/** An object with more keys is used as a map. It would fill msgpackr's table of structures. */
export const plainKeysMax = 1024;

/** The objects met in this value. */
const seen = new SeenObjects();
let busy = false;

/**
 * Whether msgpackr encodes `value` exactly. False may also mean that it cannot be stored at all, or
 * that a getter or a proxy of it threw: the survey meets that again, and knows the path.
 * These are refused, since msgpackr changes them: -0, lone surrogates, a byte order mark at the
 * start of a string (lost without the native part), repeated references and cycles, holes, named
 * properties of arrays and built-ins, the keys `__proto__` (renamed) and `__keys__` (breaks
 * msgpackr's table of structures), errors (lose their stack and own properties), null prototypes.
 */
export function isPlainData(value: object): boolean {
  // A getter of the value may call `set`, which comes back here. The inner value then goes to V8.
  if (busy) return false;
  busy = true;
  try {
    return isPlainObject(value, 0);
  } catch {
    return false;
  } finally {
    busy = false;
    seen.clear();
  }
}

/** Whether msgpackr encodes this primitive exactly. Never true for symbols and functions. */
export function isPlainPrimitive(value: unknown): boolean {
  switch (typeof value) {
    case "string":
      return isWellFormed(value) && value.charCodeAt(0) !== 0xfeff;
    case "number":
      return value !== 0 || 1 / value > 0;
    case "bigint":
      return value >= -0x8000000000000000n && value <= 0xffffffffffffffffn;
    case "boolean":
    case "undefined":
      return true;
    case "object":
      return value === null;
    case "symbol":
    case "function":
    default:
      return false;
  }
}

function isPlain(value: unknown, depth: number): boolean {
  return typeof value === "object" && value !== null
    ? isPlainObject(value, depth)
    : isPlainPrimitive(value);
}

function isPlainObject(value: object, depth: number): boolean {
  if (depth === plainDepthMax || !seen.add(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) {
    return isPlainRecord(value as Record<string, unknown>, depth + 1);
  }
  if (prototype === Array.prototype) {
    return Array.isArray(value) && isPlainArray(value, depth + 1);
  }
  if (prototype === Date.prototype) return types.isDate(value) && isBare(value);
  if (prototype === Map.prototype) {
    return types.isMap(value) && isBare(value) && isPlainMap(value, depth + 1);
  }
  if (prototype === Set.prototype) {
    return types.isSet(value) && isBare(value) && isPlainSet(value, depth + 1);
  }
  return plainViews.has(prototype) && types.isTypedArray(value) && !isDetached(value);
}

/**
 * DataView and ArrayBuffer are missing: they are rare, and resizable ones need V8. Float16Array is
 * missing because msgpackr does not know it.
 */
const plainViews: ReadonlySet<unknown> = new Set([
  Uint8Array.prototype,
  Buffer.prototype,
  Int8Array.prototype,
  Uint8ClampedArray.prototype,
  Int16Array.prototype,
  Uint16Array.prototype,
  Int32Array.prototype,
  Uint32Array.prototype,
  Float32Array.prototype,
  Float64Array.prototype,
  BigInt64Array.prototype,
  BigUint64Array.prototype,
]);

/**
 * The last plain key seen at each of the first positions of an object. Consecutive values mostly
 * have the same keys, so one comparison replaces the check.
 */
const plainKeys: string[] = Array.from({ length: 32 }, () => "");

function isPlainRecord(value: Record<string, unknown>, depth: number): boolean {
  let count = 0;
  for (const key in value) {
    if (key !== plainKeys[count]) {
      if (!isPlainKey(key) || count === plainKeysMax) return false;
      if (count < plainKeys.length) plainKeys[count] = key;
    }
    count += 1;
    if (!isPlain(value[key], depth)) return false;
  }
  return !hasSymbolKeys(value);
}

/** Whether an object has properties whose keys are symbols, which would be lost. */
export function hasSymbolKeys(value: object): boolean {
  return Object.getOwnPropertySymbols(value).length > 0;
}

function isPlainKey(key: string): boolean {
  return isWellFormed(key) && key !== "__proto__" && key !== "__keys__";
}

function isPlainArray(value: readonly unknown[], depth: number): boolean {
  for (let index = 0; index < value.length; index++) {
    const item = value[index];
    if (item === undefined && !Object.hasOwn(value, index)) return false;
    if (!isPlain(item, depth)) return false;
  }
  return hasOnlyItems(value) && !hasSymbolKeys(value);
}

function isPlainMap(value: ReadonlyMap<unknown, unknown>, depth: number): boolean {
  for (const [key, item] of value) if (!isPlain(key, depth) || !isPlain(item, depth)) return false;
  return true;
}

function isPlainSet(value: ReadonlySet<unknown>, depth: number): boolean {
  for (const item of value) if (!isPlain(item, depth)) return false;
  return true;
}

/** Whether a built-in without indexed items has no own enumerable properties that would be lost. */
function isBare(value: object): boolean {
  for (const _ in value) return false;
  return !hasSymbolKeys(value);
}

const listableLengthMax = 64;
const inspectOptions = Object.freeze({
  showHidden: false,
  depth: 0,
  colors: false,
  customInspect: false,
  showProxy: true,
  maxArrayLength: 0,
  maxStringLength: 0,
  breakLength: Infinity,
  compact: 3,
  sorted: false,
  getters: false,
  numericSeparator: false,
});

/**
 * Whether an array has no named properties. Listing its keys costs about 10 ns an item. `inspect`
 * takes about 1.5 us whatever the length, and shows named properties without visiting the items.
 * Any unexpected text only sends the value to V8.
 */
export function hasOnlyItems(value: readonly unknown[]): boolean {
  const { length } = value;
  if (length <= listableLengthMax) return Object.keys(value).length === length;
  return inspect(value, inspectOptions) === `[ ... ${length} more items ]`;
}
