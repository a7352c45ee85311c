// Where this thread encodes: one buffer for strings and JSON, one for msgpackr. Called by the codec. Invariant: bytes
// given out are valid until the next encode; no buffer is used across an await.

import { Packr, REUSE_BUFFER_MODE } from "msgpackr";

import { KiB, MiB } from "../base/mod.js";

/** Longer texts get a buffer of their own, which the garbage collector takes back. */
const textBytesMax = 64 * KiB;
/** msgpackr's buffer grows with the values up to this and is kept. */
const packBytesMax = 4 * MiB;

const textBuffer = Buffer.allocUnsafeSlow(textBytesMax);

/** The bytes of `text`, in a buffer that the next call uses again. */
export function writeText(text: string, encoding: "latin1" | "utf8" | "utf16le"): Uint8Array {
  if (text.length * 3 > textBytesMax) return Buffer.from(text, encoding);
  return textBuffer.subarray(0, textBuffer.write(text, 0, encoding));
}

const shortLengthMax = 32;

/** As `writeText` in latin1, if `text` is short and fits it; a call into Node costs more than such a text. */
export function writeShortLatin1(text: string): Uint8Array | undefined {
  const { length } = text;
  if (length > shortLengthMax) return undefined;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0xff) return undefined;
    textBuffer[index] = code;
  }
  return textBuffer.subarray(0, length);
}

/** How values are packed, with a schema dictionary and without. */
export const packOptions = Object.freeze({
  useRecords: true,
  moreTypes: true,
  copyBuffers: true,
  structuredClone: false,
  useToJSON: false,
});
const packr = new Packr(packOptions);
let packBuffer: Buffer = Buffer.allocUnsafeSlow(64 * KiB);
let packing = false;
/**
 * msgpackr's output buffer belongs to the whole thread: all its instances write to the one used last. So ours is put
 * in place for each call, and after it one that is full, which makes the next user (the application, its database
 * driver) allocate its own: nobody writes over our bytes, and we not over theirs.
 */
const fullBuffer = Buffer.allocUnsafeSlow(8 * KiB);

/** A value is being packed on this thread: a getter of it has called. */
export function isPacking(): boolean {
  return packing;
}

/** What msgpackr returns in REUSE_BUFFER_MODE; its types do not say so. */
interface PackedRange {
  readonly start: number;
  readonly end: number;
}

/** The bytes of `value` by msgpackr (by an instance with schemas, or one for values that stand alone), in a buffer that the
 * next call uses again; `undefined` inside another call. */
export function pack(value: unknown, by: Packr = packr): Uint8Array | undefined {
  if (packing) return undefined;
  packing = true;
  try {
    by.useBuffer(packBuffer);
    const target = by.pack(value, REUSE_BUFFER_MODE);
    const { start, end } = target as unknown as PackedRange;
    if (target.length > packBuffer.length && target.length <= packBytesMax) packBuffer = target;
    // A third cheaper than a subarray of a Buffer.
    return new Uint8Array(target.buffer, target.byteOffset + start, end - start);
  } finally {
    by.useBuffer(fullBuffer);
    by.position = fullBuffer.length;
    packing = false;
  }
}

const range = { start: 0, end: 0 };

/** The value that msgpackr reads from `start` to `end` of `buffer`; it aliases nothing. Throws if there is none. */
export function unpack(buffer: Buffer, start: number, end: number): unknown {
  range.start = start;
  range.end = end;
  return packr.unpack(buffer, range) as unknown;
}
