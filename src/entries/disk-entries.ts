// Reads entries of one thread from disk. Called by the entry reader. Invariant: what was checked
// before an await is checked again after it.
import { describe, UndercroftError } from "../base/mod.js";
import type { HashedKey } from "../kernel/mod.js";
import { codecStream, isHead, isInternal, type RecordReader } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import type { DiskRecord } from "../tiers/mod.js";
import { type FoundEntry, metadataOf } from "./found-entry.js";
import { SharedReads } from "./shared-reads.js";
import type { ThreadCore } from "./thread-core.js";
import { moveAttemptsMax, type ValueDecoder } from "./value-decoder.js";

export class DiskEntries<V> {
  readonly #core: ThreadCore;
  readonly #decoder: ValueDecoder<V>;
  readonly #reads: SharedReads;

  constructor(core: ThreadCore, decoder: ValueDecoder<V>) {
    this.#core = core;
    this.#decoder = decoder;
    this.#reads = new SharedReads(core.disk);
  }

  /** Reads the entry from disk, or from memory if it was promoted meanwhile. Also returns an
   *  expired entry that may be served stale. `isAsked`: a user asks for it, and hears why a value
   *  that came as a stream is not returned. */
  async read(
    key: HashedKey,
    bytesRead: () => void,
    isAsked: boolean,
  ): Promise<FoundEntry<V> | undefined> {
    const core = this.#core;
    for (let attempt = 0; attempt < moveAttemptsMax; attempt++) {
      const record = await this.#reads.read(key, bytesRead);
      core.assertOpen();
      if (record === undefined) return undefined;
      if (record !== "memory") return this.#entryOf(key, record.record, record, isAsked);
      bytesRead();
      const found = core.reader.findHashed(key, true);
      if (found === "memory") return this.#entryOf(key, core.reader.record, null, isAsked);
      if (found === "none") return undefined;
    }
    return undefined;
  }

  /** The entry of a record from disk or, if `disk` is null, of the one just found in memory. */
  async #entryOf(
    key: HashedKey,
    record: RecordReader,
    disk: DiskRecord | null,
    isAsked: boolean,
  ): Promise<FoundEntry<V> | undefined> {
    if (isInternal(record.flags)) return undefined;
    const metadata = metadataOf(record);
    const { sequence, revision } = record;
    if (metadata.expiresAt !== Infinity) {
      const now = this.#core.clock.now();
      if (metadata.expiresAt <= now) this.#core.count(counter.counterExpiredHits, 1);
      if (metadata.staleUntil <= now) return undefined;
    }
    if (isAsked && isHead(record.flags) && record.codecId === codecStream) throw onlyStream(key);
    const decoded = await this.#decoder.decodeAnywhere(record, disk, key);
    if (decoded === undefined) return undefined;
    const size = metadata.size + decoded.chunkBytes;
    const source = disk === null ? "memory" : "disk";
    return { entry: { ...metadata, value: decoded.value, source, size }, sequence, revision };
  }
}

function onlyStream(key: HashedKey): UndercroftError {
  return new UndercroftError(
    "ERR_STREAM_ONLY",
    `Cannot get key ${describe(key.toKey())}: its value came as a stream and is larger than ` +
      "memory takes; read it by getStream",
  );
}
