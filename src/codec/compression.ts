// Compression of large values, in the pool: deflate at its fastest level, kept only where it pays. The stored bytes begin
// with the length before, so that a damaged value cannot ask for more memory than it had.
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { KiB } from "../base/mod.js";

/** Values below this are stored as they are: deflating them costs more than it saves. */
export const compressBytesMin: number = 16 * KiB;
const lengthBytes = 4;
/** Compressed values must be at most this share of the original. */
const worthwhile = 7 / 8;

/** The value deflated, or null if that does not pay. */
export function compress(value: Uint8Array): Uint8Array | null {
  if (value.length < compressBytesMin) return null;
  const deflated = deflateRawSync(value, { level: 1 });
  if (deflated.length + lengthBytes > value.length * worthwhile) return null;
  const stored = Buffer.allocUnsafeSlow(lengthBytes + deflated.length);
  stored.writeUInt32LE(value.length, 0);
  deflated.copy(stored, lengthBytes);
  return stored;
}

/** What `compress` was given. Throws if the bytes are none of its. */
export function decompress(stored: Buffer): Buffer {
  const length = stored.readUInt32LE(0);
  const value = inflateRawSync(stored.subarray(lengthBytes), {
    maxOutputLength: Math.max(1, length),
  });
  if (value.length !== length)
    throw new Error("Cannot inflate a value: its length is not the one stored");
  return value;
}
