// Compresses large values with deflate at its fastest level, if that saves enough. The workers of
// the pool compress; any thread that reads decompresses. The stored bytes begin with the original
// length, so a damaged value cannot inflate to more memory than that.
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { KiB } from "../base/mod.js";

/** Smaller values are stored as they are: deflating them costs more than it saves. */
export const compressBytesMin: number = 16 * KiB;
const lengthBytes = 4;
/** A compressed value must be at most this share of the original. */
const worthwhile = 7 / 8;

/** Deflates a value. Returns null if that saves too little. */
export function compress(value: Uint8Array): Uint8Array | null {
  if (value.length < compressBytesMin) return null;
  const deflated = deflateRawSync(value, { level: 1 });
  if (deflated.length + lengthBytes > value.length * worthwhile) return null;
  const stored = Buffer.allocUnsafeSlow(lengthBytes + deflated.length);
  stored.writeUInt32LE(value.length, 0);
  deflated.copy(stored, lengthBytes);
  return stored;
}

/** Restores what `compress` was given. Throws if `compress` did not make these bytes. */
export function decompress(stored: Buffer): Buffer {
  const length = stored.readUInt32LE(0);
  const value = inflateRawSync(stored.subarray(lengthBytes), {
    maxOutputLength: Math.max(1, length),
  });
  if (value.length !== length)
    throw new Error("Cannot inflate a value: its length differs from the stored one");
  return value;
}
