// What users give `setStream`: pulls its bytes piece by piece, and ends it when no more are wanted.
// Called by the writer of streams. Invariant: nothing is asked for while a piece is in hand, so a
// source is as fast as what takes its bytes.
import { types } from "node:util";
import { describe, isWellFormed } from "../../base/mod.js";
import type { Key } from "../../kernel/mod.js";

/** A ReadableStream of the web, as far as it is used. */
export interface WebByteStream {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
    cancel(reason?: unknown): Promise<unknown>;
  };
}

/**
 * What `setStream` takes: a Readable of Node.js, a ReadableStream of the web, or any iterable or
 * async iterable of pieces. A piece is a Uint8Array, or a string, of which the UTF-8 counts.
 *
 * @example
 * ```ts
 * import { type ByteStream, openCache } from "undercroft";
 *
 * const source: ByteStream = ["hello ", new Uint8Array([119, 111, 114, 108, 100])];
 * const cache = await openCache();
 * console.log(await cache.setStream("a", source)); // stored
 * await cache.close();
 * ```
 */
export type ByteStream =
  AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string> | WebByteStream;

/** A source that gives its pieces one by one; undefined after the last. */
export interface ByteSource {
  next(): Promise<Uint8Array | undefined>;
  /** Ends the source early. Nothing is asked for afterwards. */
  stop(reason: unknown): void;
}

type Next = () => Promise<{ readonly done?: boolean; readonly value?: unknown }>;

/** Checks what a user gave. Throws TypeError if it is no source, or was read already. */
export function byteSourceOf(key: Key, source: unknown): ByteSource {
  if (typeof source !== "object" || source === null || types.isUint8Array(source)) {
    throw sourceError(key, describe(source));
  }
  const { getReader, destroy } = source as { getReader?: unknown; destroy?: unknown };
  if (typeof getReader === "function") {
    const reader = (source as WebByteStream).getReader();
    return sourceOf(
      key,
      () => reader.read(),
      (reason) => ignore(() => reader.cancel(reason)),
    );
  }
  const given = source as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  if (typeof destroy === "function") {
    const { destroyed, readableEnded } = source as { destroyed?: unknown; readableEnded?: unknown };
    if (destroyed === true || readableEnded === true) {
      throw sourceError(key, "a stream that was read or destroyed before");
    }
  }
  const iterator = given[Symbol.asyncIterator]?.() ?? given[Symbol.iterator]?.();
  if (iterator === undefined) throw sourceError(key, describe(source));
  const next: Next = async () => iterator.next();
  const stop = (): void => {
    // An iterator under way ends only after its next piece. No error: nobody may listen for it.
    if (typeof destroy === "function") ignore(() => destroy.call(source) as unknown);
    else ignore(() => iterator.return?.());
  };
  return sourceOf(key, next, stop);
}

function sourceOf(key: Key, next: Next, stop: (reason: unknown) => void): ByteSource {
  return {
    next: async () => {
      const { done, value } = await next();
      return done === true ? undefined : pieceOf(key, value);
    },
    stop,
  };
}

function pieceOf(key: Key, piece: unknown): Uint8Array {
  if (types.isUint8Array(piece)) return piece;
  if (typeof piece === "string" && isWellFormed(piece)) return Buffer.from(piece);
  throw new TypeError(
    `Cannot store key ${describe(key)}: a piece of its stream is ${describe(piece)}; it must be ` +
      "a Uint8Array or a well-formed string",
  );
}

function ignore(call: () => unknown): void {
  // Whoever ends a source early does not wait for it, and it may fail.
  void (async () => call())().catch(() => undefined);
}

function sourceError(key: Key, what: string): TypeError {
  return new TypeError(
    `Cannot store key ${describe(key)}: its source is ${what}; it must be a Readable, a ` +
      "ReadableStream or an iterable of pieces that nobody has read; use set for bytes that are " +
      "in memory",
  );
}
