// The calls of a key space for values that come and go as streams. The key space extends this
// class.
import { rejecting, withSignal } from "../../base/mod.js";
import {
  assertKey,
  type GetStreamOptions,
  resolveGetStreamOptions,
  resolveSetStreamOptions,
  type SetOptions,
  type SetStreamOptions,
} from "../../config/mod.js";
import {
  type ByteStream,
  byteSourceOf,
  type Gate,
  type StreamOutcome,
  StreamReader,
  StreamWriter,
  type ThreadCore,
  type ValueDecoder,
  type ValueStream,
} from "../../entries/mod.js";
import type { HashedKey, Key } from "../../kernel/mod.js";
import { SourceWrites } from "./source-writes.js";

export abstract class StreamCalls<V, K> extends SourceWrites<V, K> {
  protected abstract override readonly core: ThreadCore;
  protected abstract override readonly decoder: ValueDecoder<V>;
  /** Of a process that shares its directory; else null. */
  protected abstract readonly lease: Gate | null;
  #streams: { readonly reader: StreamReader<V>; readonly writer: StreamWriter } | undefined;

  /**
   * Stores the bytes of a stream, which are never in memory as a whole. The entry that is there
   * stays until the stream has ended, and then gives way at once. On a cache with a disk a value
   * may be as large as half of `disk.capacity`, up to 4 GiB; what is larger than a quarter of the
   * segments in memory goes to disk as it comes. Without one it may be as large as with `set`.
   *
   * A `set`, `delete`, `clear` or `deleteByTag` of the entry meanwhile wins ("superseded").
   * Rejects with what the source throws, with the signal's reason, with ERR_DISK_IO if the disk
   * fails and the value needs it: then nothing has changed. The source is ended in each case.
   *
   * `get` and `getStream` find the value; one that is larger than a quarter of the segments only
   * `getStream` returns, and `get` rejects with ERR_STREAM_ONLY. Tiers are not given it.
   *
   * @throws TypeError or RangeError for a wrong key, option, source or piece, and if the source has
   *   not as many bytes as the option `size` says.
   *
   * @example
   * ```ts
   * import { Readable } from "node:stream";
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache({ memory: "16mb" });
   * const film = Readable.from([Buffer.alloc(100_000), Buffer.alloc(100_000)]);
   * console.log(await cache.setStream("film:7", film, { ttl: "1h" })); // stored
   * console.log((await cache.getStream("film:7"))?.size); // 200000
   * await cache.close();
   * ```
   */
  setStream(key: K, source: ByteStream, options?: SetStreamOptions): Promise<StreamOutcome> {
    return rejecting(async () => {
      this.core.assertOpen();
      const resolved = resolveSetStreamOptions(this.#tagged(key, options), this.core.defaults);
      const name = this.keyOf(key);
      const hashed = this.#hashed(name);
      const bytes = byteSourceOf(name, source);
      const outcome = await this.#parts.writer.write(hashed, bytes, resolved);
      if (outcome !== "superseded") this.readThrough.forget(hashed.toKey());
      return outcome;
    });
  }

  /**
   * Resolves to a Readable of a value that was stored by `setStream`, or as a Uint8Array or Buffer
   * by any other call; undefined if there is none. `start` and `end` choose a part of it, `end`
   * included: a `start` behind the last byte gives an empty stream, an `end` behind it counts as
   * the last byte.
   *
   * The stream ends with the bytes of the value that was there at the call, or is destroyed with
   * ERR_STREAM_LOST if that has left before it was read.
   *
   * @throws TypeError if the value was not stored as bytes.
   *
   * @example
   * ```ts
   * import { openCache } from "undercroft";
   *
   * const cache = await openCache({ memory: "16mb" });
   * await cache.setStream("a", ["hello ", "world"]);
   * const part = await cache.getStream("a", { start: 6, end: 8 });
   * console.log(Buffer.concat((await part?.toArray()) ?? []).toString()); // wor
   * await cache.close();
   * ```
   */
  getStream(key: K, options?: GetStreamOptions): Promise<ValueStream | undefined> {
    return rejecting(async () => {
      this.core.assertOpen();
      const resolved = resolveGetStreamOptions(options);
      const { signal } = resolved;
      signal?.throwIfAborted();
      const opening = this.#parts.reader.open(this.#hashed(this.keyOf(key)), resolved);
      return signal === undefined ? opening : withSignal(signal, opening);
    });
  }

  get #parts(): { readonly reader: StreamReader<V>; readonly writer: StreamWriter } {
    const { core, decoder, lease } = this;
    this.#streams ??= {
      reader: new StreamReader(core, decoder, lease),
      writer: new StreamWriter(core),
    };
    return this.#streams;
  }

  #hashed(key: Key): HashedKey {
    assertKey(key);
    const { keys } = this.core;
    keys.write(key);
    return keys.take(key);
  }

  #tagged(key: K, options: SetStreamOptions | undefined): SetStreamOptions | undefined {
    return this.tagged(key, options as SetOptions | undefined) as SetStreamOptions | undefined;
  }
}
