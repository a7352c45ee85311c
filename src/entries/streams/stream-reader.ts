// Finds a value to be read as a stream. Called by the facade. Invariant: what was checked before an
// await is checked again after it.
import { describe } from "../../base/mod.js";
import type { ResolvedGetStreamOptions } from "../../config/mod.js";
import type { HashedKey } from "../../kernel/mod.js";
import {
  codecBuffer,
  codecBytes,
  codecStream,
  flagCompressed,
  isHead,
  isInternal,
  type RecordReader,
} from "../../record/mod.js";
import * as counter from "../../stats/mod.js";
import type { DiskRecord } from "../../tiers/mod.js";
import type { Gate } from "../gated-reader.js";
import type { ThreadCore } from "../thread-core.js";
import { moveAttemptsMax, type ValueDecoder } from "../value-decoder.js";
import { ChunkReader } from "./chunk-reader.js";
import { type ByteReader, BytesReader, ReadStream, type ValueStream } from "./read-stream.js";

export class StreamReader<V> {
  readonly #core: ThreadCore;
  readonly #decoder: ValueDecoder<V>;
  readonly #gate: Gate | null;

  /** `gate`: of a process that shares its directory; looked at after the value was found. */
  constructor(core: ThreadCore, decoder: ValueDecoder<V>, gate: Gate | null) {
    this.#core = core;
    this.#decoder = decoder;
    this.#gate = gate;
  }

  /** Undefined if there is no fresh value. Rejects with TypeError if it is not bytes. */
  async open(key: HashedKey, options: ResolvedGetStreamOptions): Promise<ValueStream | undefined> {
    const found = await this.#find(key);
    if (found === undefined || this.#gate?.isHeld() === false) {
      this.#core.count(counter.counterMisses, 1);
      return undefined;
    }
    this.#core.count(found.isOnDisk ? counter.counterDiskHits : counter.counterMemoryHits, 1);
    return new ReadStream(found.reader, options);
  }

  async #find(
    key: HashedKey,
  ): Promise<{ readonly reader: ByteReader; readonly isOnDisk: boolean } | undefined> {
    const core = this.#core;
    for (let attempt = 0; attempt < moveAttemptsMax; attempt++) {
      const found = core.reader.findHashed(key, attempt === 0);
      if (found === "none") return undefined;
      const read = found === "memory" ? null : await core.disk?.read(key);
      core.assertOpen();
      if (read === undefined) return undefined;
      if (read === "memory") continue;
      const record = read === null ? core.reader.record : read.record;
      const reader = await this.#readerOf(key, record, read);
      core.assertOpen();
      return reader && { reader, isOnDisk: read !== null };
    }
    return undefined;
  }

  async #readerOf(
    key: HashedKey,
    record: RecordReader,
    disk: DiskRecord | null,
  ): Promise<ByteReader | undefined> {
    const core = this.#core;
    const { codecId, flags, expiresMs } = record;
    if (isInternal(flags)) return undefined;
    if (expiresMs !== Infinity && expiresMs <= core.clock.now()) {
      core.count(counter.counterExpiredHits, 1);
      return undefined;
    }
    if (codecId !== codecBytes && codecId !== codecBuffer && codecId !== codecStream) {
      throw new TypeError(
        `Cannot read key ${describe(key.toKey())} as a stream: its value was not stored as ` +
          "bytes; use get",
      );
    }
    if (isHead(flags) && (flags & flagCompressed) === 0) {
      return new ChunkReader(core, record, disk?.slot ?? core.reader.slotRef());
    }
    // One record, or deflated: no larger than memory takes whole.
    const decoded = await this.#decoder.decodeAnywhere(record, disk, key);
    return decoded === undefined ? undefined : new BytesReader(decoded.value as Uint8Array);
  }
}
