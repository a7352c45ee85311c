// One text for each value, whatever the order of its properties: what adapters make keys of. Two
// values that say different things never have one text. Bytes are in it by their hash.
import { createHash } from "node:crypto";
import { types } from "node:util";
import { describe, isWellFormed } from "../base/mod.js";

/** The longest text that is its own name; of others it is the hash. */
const nameLengthMax = 1024;

/** The part of a key that names what a host gave a text for, of any length and content. Two texts
 *  have two names. */
export function shortName(text: string): string {
  const isPlain = text.length <= nameLengthMax && isWellFormed(text) && !text.startsWith("#");
  return isPlain ? text : `#${digest(text)}`;
}

/** How deep objects and arrays may be nested. */
const depthMax = 200;

/** The key of a value: 43 characters, the SHA-256 of its canonical text. Throws as `canonical`. */
export function digest(value: unknown): string {
  return hashOf(canonical(value));
}

/**
 * JSON with sorted property names and without properties that are undefined; with a mark that JSON
 * does not have for dates, bytes, URLs, regular expressions, maps, sets and special numbers.
 *
 * @throws TypeError naming the path of what has no text: a function, a symbol, an object of another
 *   class without toJSON, or what is nested too deeply.
 */
export function canonical(value: unknown, path = "", depth = 0): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    return Number.isFinite(value) ? JSON.stringify(value) : `@number ${value}`;
  }
  if (value === undefined) return "@undefined";
  if (typeof value === "bigint") return `@bigint ${value}`;
  if (typeof value === "object" && depth < depthMax) {
    const inner = (each: unknown, name: string | number): string =>
      canonical(each, `${path}[${JSON.stringify(name)}]`, depth + 1);
    const text = textOf(value, inner);
    if (text !== undefined) return text;
  }
  throw new TypeError(
    `Cannot make a key of what has ${describe(value)} at ${path === "" ? "its root" : path}: it ` +
      "must be plain data; say the key yourself, without it",
  );
}

type Inner = (value: unknown, name: string | number) => string;

/** The text of an object; undefined if it has none. */
function textOf(value: object, inner: Inner): string | undefined {
  if (Array.isArray(value)) return `[${Array.from(value, inner).join()}]`;
  // Before toJSON, which a Date and a URL have too: neither is the string that it gives.
  if (types.isDate(value)) return `@date ${value.getTime()}`;
  if (value instanceof URL) return `@url ${JSON.stringify(value.href)}`;
  if (types.isRegExp(value)) return `@regexp ${JSON.stringify(String(value))}`;
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return `@bytes ${kindOf(value)} ${hashOf(bytes)}`;
  }
  if (types.isAnyArrayBuffer(value)) return `@bytes ${kindOf(value)} ${hashOf(Buffer.from(value))}`;
  if (types.isMap(value)) return `@map [${Array.from(value, inner).join()}]`;
  if (types.isSet(value)) return `@set [${Array.from(value, inner).join()}]`;
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON === "function") return inner(toJSON.call(value), "toJSON()");
  return isPlain(value) ? plainText(value, inner) : undefined;
}

function plainText(value: object, inner: Inner): string {
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${inner(member, name)}`);
  return `{${members.join()}}`;
}

/** Whether it is a plain object, of any realm. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** "Uint8Array", also for a Buffer. */
function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function hashOf(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("base64url");
}
