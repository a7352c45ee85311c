// What the tests of streams share: values whose every byte tells where it is and of which write,
// as sources of many kinds.
import { expect } from "vitest";

import type { ByteStream, ValueStream } from "../../dist/src/mod.js";

/** The bytes [from, to) of the value that a seed names. */
export function bytesOf(seed: number, from: number, to: number): Buffer {
  const first = from - (from % 4);
  const words = new Uint32Array(Math.ceil((to - first) / 4));
  for (let index = 0; index < words.length; index++) {
    words[index] = Math.imul(first / 4 + index, 2_654_435_761) ^ Math.imul(seed, 40_503);
  }
  return Buffer.from(words.buffer, from - first, to - from);
}

/** Such a value in pieces. `each` runs before each piece. */
export async function* pieces(
  seed: number,
  bytes: number,
  pieceBytes = 10_000,
  each: (from: number) => unknown = () => undefined,
): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes; from += pieceBytes) {
    await each(from);
    yield bytesOf(seed, from, Math.min(bytes, from + pieceBytes));
  }
}

/** All that a stream gives. */
export async function wholeOf(stream: ValueStream | undefined): Promise<Buffer | undefined> {
  return stream && Buffer.concat((await stream.toArray()) as Buffer[]);
}

/** Expects that a stream gives the bytes [from, to) of a value. */
export async function expectBytes(
  stream: ValueStream | undefined,
  seed: number,
  from: number,
  to: number,
): Promise<void> {
  const read = await wholeOf(stream);
  expect(read?.length).toBe(to - from);
  expect(read?.equals(bytesOf(seed, from, to))).toBe(true);
}

/** A source that notes in `ended` how it ends: whether it was read, and that it is over. */
export function notedIn(ended: unknown[], source: AsyncIterable<Buffer>): ByteStream {
  return (async function* () {
    try {
      yield* source;
      ended.push("read");
    } finally {
      ended.push("over");
    }
  })();
}
