// A value that is read chunk by chunk. Made by the reader of streams. Invariants: the chunks of one
// write have an id of their own, so what is read is of the value that was found, or an error; a
// chunk from disk is verified before any byte of it is handed out, one from memory by its slot.
// What is held is one chunk, and what the consumer has not taken of it.
import { Readable } from "node:stream";
import { setTimeout, UndercroftError, watchAbort } from "../../base/mod.js";
import type { ResolvedGetStreamOptions } from "../../config/mod.js";

/** Gives the bytes [from, to) of a value, at most as many as are there in one piece. */
export interface ByteReader {
  /** The bytes of the value. */
  readonly size: number;
  /** A piece of its own that begins at `from`: at once, or as a promise. */
  read(from: number, to: number): Buffer | Promise<Buffer>;
}

/**
 * What `getStream` resolves to: a Readable of Node.js of the bytes that were asked for, which also
 * knows how long the whole value is.
 *
 * It ends with the right bytes or is destroyed with an UndercroftError: ERR_STREAM_LOST if the
 * entry was replaced, evicted or found damaged before its end was read, ERR_CACHE_CLOSED if the
 * cache was closed.
 *
 * @example
 * ```ts
 * import { openCache, type ValueStream } from "undercroft";
 *
 * const cache = await openCache();
 * await cache.setStream("a", ["hello"]);
 * const stream: ValueStream | undefined = await cache.getStream("a", { start: 3 });
 * for await (const piece of stream ?? []) console.log(String(piece), stream?.size); // lo 5
 * await cache.close();
 * ```
 */
export interface ValueStream extends Readable {
  /** The bytes of the whole value, whatever part of it is read. */
  readonly size: number;
}

export class ReadStream extends Readable implements ValueStream {
  readonly size: number;
  readonly #reader: ByteReader;
  readonly #end: number;
  readonly #unwatch: (() => void) | undefined;
  #next: number;

  constructor(reader: ByteReader, options: ResolvedGetStreamOptions) {
    super({ autoDestroy: true });
    const { size } = reader;
    const { start, end, signal } = options;
    this.size = size;
    this.#reader = reader;
    this.#next = Math.min(start, size);
    this.#end = Math.min(end + 1, size);
    if (signal !== undefined) {
      this.#unwatch = watchAbort(signal, () => this.destroy(signal.reason as Error));
    }
  }

  override _read(): void {
    try {
      if (this.#next >= this.#end) {
        this.push(null);
        return;
      }
      const piece = this.#reader.read(this.#next, this.#end);
      if (piece instanceof Promise) void this.#pushLater(piece);
      else this.#take(piece);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  async #pushLater(piece: Promise<Buffer>): Promise<void> {
    try {
      this.#take(await piece);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #take(piece: Buffer): void {
    this.#next += piece.length;
    this.push(piece);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#unwatch?.();
    done(error);
  }
}

/** Bytes that are in private memory, in pieces of their own. */
export class BytesReader implements ByteReader {
  readonly size: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.size = bytes.length;
    this.#bytes = bytes;
  }

  read(from: number, to: number): Buffer {
    return Buffer.from(this.#bytes.subarray(from, Math.min(to, from + pieceBytes)));
  }
}

/** A piece of a value that is not in chunks. */
const pieceBytes = 64 * 1024;

/** Milliseconds, with the event loop free. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

export function lostError(why: string): UndercroftError {
  return new UndercroftError("ERR_STREAM_LOST", `Cannot go on with a stream: ${why}`);
}
