// This thread's encoding buffers: one for strings and JSON, one for msgpackr. Called by the codec.
// Invariant: the returned bytes are valid until the next encode, and no buffer is used across an
// await.

import { Packr, REUSE_BUFFER_MODE } from "msgpackr";

import { KiB, MiB } from "../base/mod.js";

/** Longer texts get a buffer of their own, which the garbage collector frees. */
const textBytesMax = 64 * KiB;
/** msgpackr's buffer grows with the values up to this size, and never shrinks. */
const packBytesMax = 4 * MiB;

const textBuffer = Buffer.allocUnsafeSlow(textBytesMax);
const textBytes = textBuffer.buffer;

/** The bytes of `text`, in a buffer that the next call reuses. */
export function writeText(text: string, encoding: "latin1" | "utf8" | "utf16le"): Uint8Array {
  if (text.length * 3 > textBytesMax) return Buffer.from(text, encoding);
  // A third of the time of Buffer.subarray.
  return new Uint8Array(textBytes, 0, textBuffer.write(text, 0, encoding));
}

const shortLengthMax = 32;

/**
 * As `writeText` in latin1, for short texts; `undefined` if `text` is long or does not fit latin1.
 * Calling Node costs more than encoding a short text here.
 */
export function writeShortLatin1(text: string): Uint8Array | undefined {
  const { length } = text;
  if (length > shortLengthMax) return undefined;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code > 0xff) return undefined;
    textBuffer[index] = code;
  }
  return new Uint8Array(textBytes, 0, length);
}

/** Packing options, with a schema dictionary or without. */
export const packOptions = Object.freeze({
  useRecords: true,
  moreTypes: true,
  copyBuffers: true,
  structuredClone: false,
  useToJSON: false,
});

/** Makes a packer throw at a function, which it would write as undefined: what was checked before
 *  may have changed, if a getter or a proxy gives another value at each look. */
export function refuseFunctions<P extends Packr>(by: P): P {
  const refuse = (): never => {
    throw new TypeError("Cannot store value: a property became a function while it was encoded");
  };
  return Object.assign(by, { writeFunction: refuse });
}

const packr = refuseFunctions(new Packr(packOptions));
let packBuffer: Buffer = Buffer.allocUnsafeSlow(64 * KiB);
let packing = false;
/**
 * All msgpackr instances of a thread share one output buffer: they write to the one used last. So
 * each call installs ours, and afterwards installs a full one. The next user of msgpackr (the
 * application, its database driver) then allocates its own, and neither side overwrites the other's
 * bytes.
 */
const fullBuffer = Buffer.allocUnsafeSlow(8 * KiB);

/** Whether this thread is packing a value, so that the caller runs inside one of its getters. */
export function isPacking(): boolean {
  return packing;
}

/** What msgpackr returns in REUSE_BUFFER_MODE. Its types do not say so. */
interface PackedRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Packs `value` with msgpackr: by an instance with schemas, or by default one for values that stand
 * alone. The next call reuses the buffer. `undefined` inside another call.
 */
export function pack(value: unknown, by: Packr = packr): Uint8Array | undefined {
  if (packing) return undefined;
  packing = true;
  try {
    by.useBuffer(packBuffer);
    const target = by.pack(value, REUSE_BUFFER_MODE);
    const { start, end } = target as unknown as PackedRange;
    if (target.length > packBuffer.length && target.length <= packBytesMax) packBuffer = target;
    // A third cheaper than Buffer.subarray.
    return new Uint8Array(target.buffer, target.byteOffset + start, end - start);
  } finally {
    by.useBuffer(fullBuffer);
    by.position = fullBuffer.length;
    packing = false;
  }
}

const range = { start: 0, end: 0 };

/**
 * Decodes the bytes from `start` to `end` of `buffer`. The value aliases nothing. Throws if the
 * bytes hold no value.
 */
export function unpack(buffer: Buffer, start: number, end: number): unknown {
  range.start = start;
  range.end = end;
  return packr.unpack(buffer, range) as unknown;
}
