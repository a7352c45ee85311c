// Bytes as a task for a worker takes them along. Called by asynchronous sets.

/** Bytes that belong to the task alone. A buffer that is wholly the caller's value is transferred
 *  now, so that later changes by the caller are not stored. Anything else, such as a codec's
 *  scratch, is copied. */
export function movable(bytes: Uint8Array, value: unknown): Uint8Array {
  const { buffer } = bytes;
  const isWhole = bytes.byteOffset === 0 && bytes.byteLength === buffer.byteLength;
  if (bytes === value && isWhole && buffer instanceof ArrayBuffer && !Buffer.isBuffer(bytes)) {
    try {
      return new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
    } catch {
      // A buffer that cannot be transferred, such as a WebAssembly memory's, is copied.
    }
  }
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}
