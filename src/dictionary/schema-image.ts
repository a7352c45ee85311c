// The schema dictionary as bytes, the same in shared memory and in the directory's file. A schema
// is the list of an object's keys in order; a value names it by its id, which is the number of its
// slot. Called by memory/schema-area.ts and directory/schema-file.ts. Invariant: an id keeps its
// meaning as long as the directory exists.
//
//   0    ┬ magic "UCSHAPES"  8 bytes, version u32, zero u32; zero in memory
//   64   ├ slots   256 × { offset u32, bytes u32,
//        │                 check u64 = XXH64 of the entry, seed of the directory }, zero = none
//   4160 ├ entries in a row, each aligned to 8 bytes:
//        │         id u16, count u16, then each key as u16 length and UTF-8
//   32768┴

import { assert, KiB } from "../base/mod.js";

export const schemaImageBytes = 32 * KiB;
/** Ids of one cache and directory. Values of further schemas carry their keys. */
export const schemasMax = 256;
/** An object with more keys is used as a map, or its schema costs more room than it saves. */
export const schemaKeysMax = 64;
export const schemaBytesMax = 1024;
export const schemaEntryHeaderBytes = 4;
/** Bytes of the length before each key. */
const keyLengthBytes = 2;
export const schemaMagic = 0x5345504148534355n;
export const schemaVersion = 1;
const slotsStart = 64;
export const schemaSlotBytes = 16;
export const schemaEntriesStart: number = slotsStart + schemasMax * schemaSlotBytes;

/** The offset of a schema's slot in the image. */
export function schemaSlotOf(id: number): number {
  assert(id >= 0 && id < schemasMax, "a schema id is below schemasMax");
  return slotsStart + id * schemaSlotBytes;
}

/** Encodes a schema as an entry. Returns null if it is too long. */
export function encodeSchema(id: number, keys: readonly string[]): Buffer | null {
  if (keys.length > schemaKeysMax) return null;
  const texts = keys.map((key) => Buffer.from(key, "utf8"));
  const bytes = texts.reduce(
    (sum, text) => sum + keyLengthBytes + text.length,
    schemaEntryHeaderBytes,
  );
  if (bytes > schemaBytesMax) return null;
  const entry = Buffer.alloc(bytes);
  entry.writeUInt16LE(id, 0);
  entry.writeUInt16LE(texts.length, 2);
  let offset = schemaEntryHeaderBytes;
  for (const text of texts) {
    entry.writeUInt16LE(text.length, offset);
    entry.set(text, offset + keyLengthBytes);
    offset += keyLengthBytes + text.length;
  }
  return entry;
}

/**
 * Returns the keys of an entry whose checksum is right, or null if it is not the schema with this
 * id.
 */
export function decodeSchema(entry: Buffer, id: number): string[] | null {
  if (entry.length < schemaEntryHeaderBytes || entry.readUInt16LE(0) !== id) return null;
  const count = entry.readUInt16LE(2);
  const keys: string[] = [];
  let offset = schemaEntryHeaderBytes;
  while (keys.length < count) {
    const start = offset + keyLengthBytes;
    if (start > entry.length) return null;
    offset = start + entry.readUInt16LE(offset);
    if (offset > entry.length) return null;
    keys.push(entry.toString("utf8", start, offset));
  }
  return offset === entry.length ? keys : null;
}
