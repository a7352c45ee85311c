// A body of the cache in pieces. Called by the store. Invariant: each piece is a copy, since web
// streams take the buffer of what they are given, and the cache has one body for all.

const chunkBytes = 64 * 1024;

/** The pieces of a body, each copied when it is asked for; any number of times. */
class BodyChunks implements Iterable<Buffer> {
  readonly #body: Uint8Array;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  *[Symbol.iterator](): Generator<Buffer, undefined, undefined> {
    for (let start = 0; start < this.#body.length; start += chunkBytes) {
      yield Buffer.from(this.#body.subarray(start, start + chunkBytes));
    }
  }

  /** As of an array: by this undici reads a body that it stores again after a 304. */
  values(): Iterator<Buffer> {
    return this[Symbol.iterator]();
  }
}

export function chunksOf(body: Uint8Array): Iterable<Buffer> {
  return new BodyChunks(body);
}
