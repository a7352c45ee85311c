// The value of an entry: from the host's stream to bytes, and to a new stream for each reader.
// Called by the handler. Invariant: each chunk that is handed out is a copy, since a reader may
// transfer its buffer, and the cache has one value for all.

const chunkBytes = 64 * 1024;
/** The most bytes of a value that are collected; what a cache can store is less as a rule. */
export const valueBytesMax = 64 * 1024 * 1024;

/** Reads a stream to its end, or to that many bytes. Rejects as the stream fails. */
export async function collected(
  stream: ReadableStream<Uint8Array>,
): Promise<Uint8Array | "too-large"> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks, bytes);
    bytes += value.byteLength;
    if (bytes > valueBytesMax) {
      await reader.cancel();
      return "too-large";
    }
    chunks.push(value);
  }
}

export function streamOf(value: Uint8Array): ReadableStream<Uint8Array> {
  let start = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (start >= value.byteLength) {
        controller.close();
        return;
      }
      controller.enqueue(new Uint8Array(value.subarray(start, start + chunkBytes)));
      start += chunkBytes;
    },
  });
}
