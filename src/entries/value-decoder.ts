// Turns a record's bytes into the value that a caller gets: joins chunks, decompresses, decodes.
// Called by the entry reader and writer. Invariants: only private bytes that were validated after
// the copy are decoded. Bytes that do not decode are damage: counted, and no value. What the user's
// own codec cannot decode is that codec's fault (codec-faults.ts), and no value either. Such a
// codec may call the cache: after a decode, the record reader may hold another record. A head whose
// chunk is nowhere is dropped: counted, and no value.
import { types } from "node:util";
import { decompress, deepFreeze } from "../codec/mod.js";
import type { HashedKey, Key } from "../kernel/mod.js";
import {
  chunkKey,
  JoinedValue,
  type LargeValue,
  largeValueOf,
  numbersOf,
  readChunks,
  type SlotRef,
  type StoredRecord,
} from "../memory/mod.js";
import {
  codecCustom,
  codecStream,
  flagCompressed,
  isHead,
  type RecordReader,
} from "../record/mod.js";
import { counterChunksMissing, counterCorruptRecords } from "../stats/mod.js";
import type { DiskRecord } from "../tiers/mod.js";
import { CodecFaults, type Origin } from "./codec-faults.js";
import type { ThreadCore } from "./thread-core.js";

/** Attempts to read an entry that moves or changes at each lookup. */
export const moveAttemptsMax = 4;

/** An encoded value, how it is encoded, and where it is from. */
interface EncodedValue extends Origin {
  readonly codecId: number;
  readonly flags: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

/** A value as a hit returns it. */
export interface ShownValue<V> {
  readonly value: V;
  /** Whether later hits may return this object too. */
  readonly isShareable: boolean;
}

/** A decoded value, and the bytes of its chunks, 0 if it has none. */
export interface DecodedValue<V> extends ShownValue<V> {
  readonly chunkBytes: number;
}

export class ValueDecoder<V> {
  readonly #core: ThreadCore;
  readonly #faults: CodecFaults;
  readonly #freezes: boolean;

  /** `isForUpdates`: each value is the caller's own, to change as it likes. */
  constructor(core: ThreadCore, isForUpdates = false) {
    this.#core = core;
    this.#freezes = core.config.near?.mode === "frozen" && !isForUpdates;
    this.#faults = new CodecFaults(core);
  }

  /** Decodes the record of a key that the memory reader has just found, whose chunks, if any, are
   *  in memory. Undefined if it cannot be decoded or has lost a chunk; "elsewhere" if a chunk is on
   *  disk, "changed" if it was replaced meanwhile. Chunks overwrite the memory reader's record. */
  decode(
    record: RecordReader,
    key: Key | HashedKey,
  ): DecodedValue<V> | "elsewhere" | "changed" | undefined {
    if (!isHead(record.flags)) return this.decodeAlone(record, key);
    const { codecId, flags, sequence, diskLocation } = record;
    const { reader } = this.#core;
    const slot = reader.slotRef();
    const large = largeValueOf(record);
    // `get` goes on where it reads the disk, and says there why there is no value.
    if (codecId === codecStream) return "elsewhere";
    const whole = readChunks(reader, large);
    if (whole === "elsewhere") return whole;
    if (whole === "missing") return this.#dropBroken(slot, large) ? undefined : "changed";
    return this.#decodedWhole({ codecId, flags, key, sequence, diskLocation }, whole);
  }

  /** Like `decode`, with chunks in memory or on disk. `disk` is where the record was read, null if
   *  the memory reader has just found it. Undefined also if it was replaced, could not be read, or
   *  came as a stream that is larger than memory takes. */
  async decodeAnywhere(
    record: RecordReader,
    disk: DiskRecord | null,
    key: HashedKey,
  ): Promise<DecodedValue<V> | undefined> {
    if (!isHead(record.flags)) return this.decodeAlone(record, key);
    const { codecId, flags, sequence, diskLocation } = record;
    if (codecId === codecStream) return undefined;
    const { reader, writer } = this.#core;
    const slot = disk?.slot ?? reader.slotRef();
    const large = largeValueOf(record);
    const parts: StoredRecord[] = [];
    const whole = await this.#gather(large, disk?.wasHit === true ? parts : null);
    if (whole === "missing") this.#dropBroken(slot, large);
    if (whole === undefined || whole === "missing") return undefined;
    // A second hit on disk shows that the entry is worth memory again.
    if (disk?.wasHit === true) writer.promoteValue(disk, large, parts);
    return this.#decodedWhole({ codecId, flags, key, sequence, diskLocation }, whole);
  }

  /** Decodes a record that has its whole value: one that is no head. */
  decodeAlone(record: RecordReader, key: Key | HashedKey): DecodedValue<V> | undefined {
    const { codecId, flags, buffer, sequence, diskLocation } = record;
    const { valueStart: start, valueEnd: end } = record;
    return this.#decoded({ codecId, flags, buffer, start, end, key, sequence, diskLocation }, 0);
  }

  /** Drops a value one of whose chunks is nowhere, if its head is still there: the head goes first,
   *  so the chunk was lost. False if the value was replaced or removed meanwhile. */
  #dropBroken(slot: SlotRef, large: LargeValue): boolean {
    if (!this.#core.writer.dropValue(slot, large)) return false;
    this.#core.kernel.count(counterChunksMissing, 1);
    return true;
  }

  #decodedWhole(
    head: Omit<EncodedValue, "buffer" | "start" | "end">,
    whole: Buffer,
  ): DecodedValue<V> | undefined {
    const { codecId, flags, key, sequence, diskLocation } = head;
    const end = whole.length;
    const encoded = { codecId, flags, buffer: whole, start: 0, end, key, sequence, diskLocation };
    return this.#decoded(encoded, end);
  }

  #decoded(encoded: EncodedValue, chunkBytes: number): DecodedValue<V> | undefined {
    const shown = this.#decodeBytes(encoded);
    if (shown === undefined) return undefined;
    const { value, isShareable } = shown;
    return { value, isShareable, chunkBytes };
  }

  /** Decodes bytes to the value as a hit returns it. Undefined if that cannot be. */
  #decodeBytes(encoded: EncodedValue): ShownValue<V> | undefined {
    const { codec, kernel } = this.#core;
    const { codecId, flags } = encoded;
    let { buffer, start, end } = encoded;
    try {
      if ((flags & flagCompressed) !== 0) {
        buffer = decompress(buffer.subarray(start, end));
        start = 0;
        end = buffer.length;
      }
      if (!this.#isCustom(codecId)) return this.present(codec.decode(codecId, buffer, start, end));
    } catch {
      kernel.count(counterCorruptRecords, 1);
      return undefined;
    }
    try {
      return this.present(decodedByUser(codec.decode(codecId, buffer, start, end)));
    } catch (error) {
      this.#faults.dropRead(encoded, error);
      return undefined;
    }
  }

  /** A function that gives the value itself to its first caller, and to each later one a copy
   *  decoded from the same bytes. It encodes when the second one comes. What the user's codec
   *  cannot decode is given to all. */
  copiesOf(key: HashedKey, value: V): () => V {
    const { codec } = this.#core;
    let encoded: { readonly codecId: number; readonly buffer: Buffer } | undefined;
    let isFirst = true;
    return () => {
      if (isFirst) {
        isFirst = false;
        return value;
      }
      if (encoded === undefined) {
        const buffer = Buffer.from(codec.encode(value, key.toKey()));
        encoded = { codecId: codec.lastCodecId, buffer };
      }
      const copy = this.decodeFill(encoded.codecId, encoded.buffer, key);
      return copy === undefined ? value : copy.value;
    };
  }

  #isCustom(codecId: number): boolean {
    return codecId === codecCustom && this.#core.config.codec === "custom";
  }

  /** Decodes a copy of what was encoded for a fill, to the value as a later hit returns it.
   *  Undefined if the user's codec cannot: a fill returns what was loaded then. */
  decodeFill(codecId: number, buffer: Buffer, key: HashedKey): ShownValue<V> | undefined {
    const { codec } = this.#core;
    if (!this.#isCustom(codecId))
      return this.present(codec.decode(codecId, buffer, 0, buffer.length));
    try {
      const value = decodedByUser(codec.decode(codecId, buffer, 0, buffer.length));
      this.#faults.noteGoodFill();
      return this.present(value);
    } catch (error) {
      this.#faults.noteFill(key, error);
      return undefined;
    }
  }

  /** A decoded value as a hit returns it: deep-frozen in near mode "frozen". A value that cannot be
   *  frozen whole is for one caller. */
  present(value: unknown): ShownValue<V> {
    const isShareable = !this.#freezes || deepFreeze(value);
    return { value: value as V, isShareable };
  }

  /** What stands for a filled value that the user's codec cannot decode: the loaded value itself.
   *  Hits may return it only in a mode that promises nothing about who has it. */
  undecoded(value: unknown): ShownValue<V> {
    return { value: value as V, isShareable: this.#core.config.near?.mode === "shared" };
  }

  /** Whether all callers may get this very value, which is as `present` gave it. */
  isShareable(value: unknown): boolean {
    if (typeof value !== "object" || value === null) return true;
    const mode = this.#core.config.near?.mode ?? "copy";
    return mode === "shared" || (mode === "frozen" && deepFreeze(value));
  }

  /** Joins all chunks of a value, from memory and disk. Those from disk go to `parts` too, if it is
   *  not null. Undefined if one could not be read, "missing" if one is nowhere. */
  async #gather(
    large: LargeValue,
    parts: StoredRecord[] | null,
  ): Promise<Buffer | "missing" | undefined> {
    const whole = new JoinedValue(large);
    for (const number of numbersOf(large)) {
      const chunk = await this.#chunk(large, number);
      if (chunk === undefined || chunk === "missing") return chunk;
      const isOnDisk = chunk !== "memory";
      const record = isOnDisk ? chunk.record : this.#core.reader.record;
      if (isOnDisk) parts?.push(chunk);
      if (!whole.append(record)) return "missing";
    }
    return whole.isWhole ? whole.bytes : "missing";
  }

  /** A chunk: "memory" if the memory reader has just found it, else what was read from disk. */
  async #chunk(
    large: LargeValue,
    number: number,
  ): Promise<DiskRecord | "memory" | "missing" | undefined> {
    const { reader, disk, keys } = this.#core;
    const name = chunkKey(large, number);
    for (let attempt = 0; attempt < moveAttemptsMax; attempt++) {
      const found = reader.find(name, false);
      if (found === "memory") return "memory";
      if (found === "none") return "missing";
      const record = await disk?.read(keys.take(name));
      this.#core.assertOpen();
      // It may be unreadable for now only, so the value is not given up.
      if (record !== "memory") return record;
    }
    return undefined;
  }
}

/** What the user's codec decoded. Throws TypeError if that is no value. */
function decodedByUser(value: unknown): unknown {
  if (value === undefined) throw new TypeError("decode() returned undefined, which means a miss");
  if (!types.isPromise(value)) return value;
  // It may reject, and nobody waits for it.
  value.then(undefined, () => undefined);
  throw new TypeError("decode() returned a promise; it must return the value");
}
