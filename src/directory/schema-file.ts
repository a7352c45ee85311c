// The file of schemas: the keys of objects and the compression dictionaries that records name by an id (schemas/schema-image.ts has its bytes). Any thread that
// adds a schema writes it by descriptor, under the table's lock; openDirectory reads it.
// Invariant: a schema that cannot be read for certain is lost and its id is not given out again, so records that name it
// are misses. Which ids were given out is known without the file: batches and manifest say how many there were.

import {
  decodeDictionary,
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

/** What the file of schemas says. */
export interface SchemasReading {
  /** The table as it stands in shared memory; lost schemas have no slot. */
  readonly image: Buffer;
  /** Ids given out, as far as the file tells. */
  readonly count: number;
  /** Where the next entry goes. */
  readonly end: number;
}

/** The bytes of a file without a schema. */
export function emptySchemas(): Buffer {
  const bytes = Buffer.alloc(schemasFileBytes);
  bytes.writeBigUInt64LE(schemaMagic, 0);
  bytes.writeUInt32LE(schemaVersion, 8);
  return bytes;
}

/** Takes the whole schemas out of a file's bytes. `seed` is the directory's. */
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
    // It was begun, at least.
    count = id + 1;
    const offset = file.readUInt32LE(slot);
    const entryEnd = offset + file.readUInt32LE(slot + 4);
    if (offset < schemaEntriesStart || entryEnd > schemaImageBytes) continue;
    const entry = file.subarray(offset, entryEnd);
    if (hasher.h64(entry, seed) !== file.readBigUInt64LE(slot + 8)) continue;
    if (decodeSchema(entry, id) === null && decodeDictionary(entry, id) === null) continue;
    file.copy(image, slot, slot, slot + schemaSlotBytes);
    entry.copy(image, offset);
    end = Math.max(end, alignUp(entryEnd, 8));
  }
  return { image, count, end };
}

/** Writes bytes of the table at their offset; they survive a kill when this returns. Throws ERR_DISK_IO. */
export function writeSchemaBytes(
  fd: number,
  bytes: Uint8Array,
  offset: number,
  device: Device = fileDevice,
): void {
  device.writeAtSync(fd, bytes, 0, bytes.length, offset);
}
