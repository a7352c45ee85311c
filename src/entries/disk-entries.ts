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
import { type DecodedValue, moveAttemptsMax, type ValueDecoder } from "./value-decoder.js";

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

  /** The entry of a record from disk or, if `disk` is null, of the one just found in memory. A
   *  promise only if the record is the head of a value in chunks. */
  #entryOf(
    key: HashedKey,
    record: RecordReader,
    disk: DiskRecord | null,
    isAsked: boolean,
  ): FoundEntry<V> | undefined | Promise<FoundEntry<V> | undefined> {
    if (isInternal(record.flags)) return undefined;
    if (record.expiresMs !== Infinity) {
      const now = this.#core.clock.now();
      if (record.expiresMs <= now) this.#core.count(counter.counterExpiredHits, 1);
      if (record.staleUntilMs <= now) return undefined;
    }
    const about: About = {
      metadata: metadataOf(record),
      sequence: record.sequence,
      revision: record.revision,
      source: disk === null ? "memory" : "disk",
    };
    if (!isHead(record.flags)) return entryOf(about, this.#decoder.decodeAlone(record, key));
    if (isAsked && record.codecId === codecStream) throw onlyStream(key);
    const decoded = this.#decoder.decodeAnywhere(record, disk, key);
    return decoded.then((value) => entryOf(about, value));
  }
}

/** What a record says of its value. Copied: the record reader may have another one after a
 *  decode. */
interface About extends Pick<FoundEntry<unknown>, "sequence" | "revision"> {
  readonly metadata: ReturnType<typeof metadataOf>;
  readonly source: "memory" | "disk";
}

function entryOf<V>(
  { metadata, sequence, revision, source }: About,
  decoded: DecodedValue<V> | undefined,
): FoundEntry<V> | undefined {
  if (decoded === undefined) return undefined;
  const { createdAt, expiresAt, staleUntil, tags } = metadata;
  const { value, chunkBytes } = decoded;
  const size = metadata.size + chunkBytes;
  const entry = { value, source, createdAt, expiresAt, staleUntil, tags, size };
  return { entry, sequence, revision };
}

function onlyStream(key: HashedKey): UndercroftError {
  return new UndercroftError(
    "ERR_STREAM_ONLY",
    `Cannot get key ${describe(key.toKey())}: its value came as a stream and is larger than ` +
      "memory takes; read it by getStream",
  );
}
