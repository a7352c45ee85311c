// The schemas file: the schemas that values name by an id. Its layout is in
// dictionary/schema-image.ts. The thread that adds a schema writes it by descriptor,
// under the schema lock; openDirectory reads it.
// Invariant: a schema that cannot be read is lost and its id never given out again, so its values
// are misses. Batches and the manifest say how many ids were given out, without this file.

import {
  decodeSchema,
  schemaEntriesStart,
  schemaEntryHeaderBytes,
  schemaImageBytes,
  schemaMagic,
  schemaSlotBytes,
  schemaSlotOf,
  schemasMax,
  schemaVersion,
} from "../dictionary/mod.js";
import { alignUp } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import type { DiskCipher } from "../disk/mod.js";
import type { Hasher } from "../hash/mod.js";
import { type Damage, firstNonZero, isZero, paddingDamage, wrongLength } from "./damage.js";

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
export function readSchemas(
  written: Buffer,
  seed: bigint,
  hasher: Hasher,
  cipher: DiskCipher | null = null,
): SchemasReading {
  const file = cipher === null ? written : opened(written, cipher);
  const image = Buffer.alloc(schemaImageBytes);
  let count = 0;
  let end = schemaEntriesStart;
  const isOurs =
    file.length === schemasFileBytes &&
    file.readBigUInt64LE(0) === schemaMagic &&
    file.readUInt32LE(8) === schemaVersion;
  for (let id = 0; isOurs && id < schemasMax; id++) {
    const slot = schemaSlotOf(id);
    if (isZero(file.subarray(slot, slot + schemaSlotBytes))) continue;
    // A slot that is not zero means that the id was given out, even if its entry is damaged.
    count = id + 1;
    const entry = entryOf(file, id, seed, hasher);
    if (entry === null) continue;
    const offset = file.readUInt32LE(slot);
    file.copy(image, slot, slot, slot + schemaSlotBytes);
    entry.copy(image, offset);
    end = Math.max(end, alignUp(offset + entry.length, 8));
  }
  return { image, count, end };
}

/** The file as it is in a directory that is not encrypted. */
function opened(written: Buffer, cipher: DiskCipher): Buffer {
  const file = Buffer.from(written);
  if (file.length !== schemasFileBytes) return file;
  for (let id = 0; id < schemasMax; id++) {
    const at = schemaSlotOf(id);
    const sealed = written.subarray(at, at + schemaSlotBytes);
    if (isZero(sealed)) continue;
    const slot = cipher.openSchemaSlot(sealed);
    slot.copy(file, at);
    const offset = slot.readUInt32LE(0);
    const end = offset + slot.readUInt32LE(4);
    if (offset < schemaEntriesStart || end > schemaImageBytes) continue;
    cipher.openSchema(written.subarray(offset, end), sealed).copy(file, offset);
  }
  return file;
}

/** The entry that a slot names; null if it is not whole. */
function entryOf(file: Buffer, id: number, seed: bigint, hasher: Hasher): Buffer | null {
  const slot = schemaSlotOf(id);
  const offset = file.readUInt32LE(slot);
  const entryEnd = offset + file.readUInt32LE(slot + 4);
  if (offset < schemaEntriesStart || entryEnd > schemaImageBytes) return null;
  const entry = file.subarray(offset, entryEnd);
  if (hasher.h64(entry, seed) !== file.readBigUInt64LE(slot + 8)) return null;
  return decodeSchema(entry, id) === null ? null : entry;
}

/**
 * What is damaged in a schemas file. A schema that was written as far as its slot, by a thread that
 * died there, is behind the last entry and is no damage.
 */
export function schemaDamage(
  written: Buffer,
  seed: bigint,
  hasher: Hasher,
  { cipher, isOpaque }: { readonly cipher: DiskCipher | null; readonly isOpaque: boolean },
): Damage[] {
  const file = cipher === null ? written : opened(written, cipher);
  if (file.length !== schemasFileBytes) return [wrongLength(file, schemasFileBytes)];
  const isOurs = file.readBigUInt64LE(0) === schemaMagic && file.readUInt32LE(8) === schemaVersion;
  if (!isOurs) {
    return [{ offset: 0, kind: "header", text: "the header is not that of a schemas file" }];
  }
  const damage = paddingDamage(file, [[12, schemaSlotOf(0)]]);
  // Encrypted, and without the key.
  if (isOpaque) return damage;
  for (let id = 0; id < schemasMax; id++) {
    const slot = schemaSlotOf(id);
    if (isZero(file.subarray(slot, slot + schemaSlotBytes))) continue;
    if (entryOf(file, id, seed, hasher) !== null) continue;
    const text = `schema ${id} fails its checksum; values that name it are misses`;
    damage.push({ offset: slot, kind: "checksum", text });
  }
  const { end } = readSchemas(file, seed, hasher);
  const stray = firstNonZero(file.subarray(end));
  // An entry begins with an id and a count that is not zero.
  if (damage.length === 0 && stray >= schemaEntryHeaderBytes) {
    const text = "a byte behind the last schema is not zero";
    damage.push({ offset: end + stray, kind: "padding", text });
  }
  return damage;
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
