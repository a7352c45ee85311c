// The schemas file: the schemas that values name by an id. Its layout is in
// dictionary/schema-image.ts. The thread that adds a schema writes it by descriptor,
// under the schema lock; openDirectory reads it.
// Invariant: a schema that cannot be read is lost and its id never given out again, so its values
// are misses. Batches and the manifest say how many ids were given out, without this file.

import {
  decodeSchema,
  schemaEntriesStart,
  schemaImageBytes,
  schemaMagic,
  schemaSlotBytes,
  schemaSlotOf,
  schemasMax,
  schemaVersion,
} from "../dictionary/mod.js";
import { alignUp } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import type { Hasher } from "../hash/mod.js";

export const schemasFileBytes: number = schemaImageBytes;

/** What the schemas file holds. */
export interface SchemasReading {
  /** The bytes for shared memory. A lost schema has no slot. */
  readonly image: Buffer;
  /** Ids given out, as far as the file says. */
  readonly count: number;
  /** Offset of the next entry. */
  readonly end: number;
}

/** The bytes of a schemas file without a schema. */
export function emptySchemas(): Buffer {
  const bytes = Buffer.alloc(schemasFileBytes);
  bytes.writeBigUInt64LE(schemaMagic, 0);
  bytes.writeUInt32LE(schemaVersion, 8);
  return bytes;
}

/** Copies every schema that verifies. `seed` is the directory's. */
export function readSchemas(file: Buffer, seed: bigint, hasher: Hasher): SchemasReading {
  const image = Buffer.alloc(schemaImageBytes);
  let count = 0;
  let end = schemaEntriesStart;
  const isOurs =
    file.length === schemasFileBytes &&
    file.readBigUInt64LE(0) === schemaMagic &&
    file.readUInt32LE(8) === schemaVersion;
  for (let id = 0; isOurs && id < schemasMax; id++) {
    const slot = schemaSlotOf(id);
    if (file.subarray(slot, slot + schemaSlotBytes).every((byte) => byte === 0)) continue;
    // A slot that is not zero means that the id was given out, even if its entry is damaged.
    count = id + 1;
    const offset = file.readUInt32LE(slot);
    const entryEnd = offset + file.readUInt32LE(slot + 4);
    if (offset < schemaEntriesStart || entryEnd > schemaImageBytes) continue;
    const entry = file.subarray(offset, entryEnd);
    if (hasher.h64(entry, seed) !== file.readBigUInt64LE(slot + 8)) continue;
    if (decodeSchema(entry, id) === null) continue;
    file.copy(image, slot, slot, slot + schemaSlotBytes);
    entry.copy(image, offset);
    end = Math.max(end, alignUp(entryEnd, 8));
  }
  return { image, count, end };
}

/**
 * Writes bytes of the schemas at their offset. They survive a process crash when this returns.
 * Throws ERR_DISK_IO.
 */
export function writeSchemaBytes(
  fd: number,
  bytes: Uint8Array,
  offset: number,
  device: Device = fileDevice,
): void {
  device.writeAtSync(fd, bytes, 0, bytes.length, offset);
}
