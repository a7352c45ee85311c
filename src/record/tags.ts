// The tags field of a record's extension: u16 count, u16 bytes of the names, count × u32 hash, then
// each name as u16 length and UTF-8, zero padding to 8 bytes. With the hashes the kernel compares
// tag epochs without reading names. Called by readers and writers of records.

import { recordTagsMax } from "./record-layout.js";

/**
 * Encodes a tags field; its length is a multiple of 8. Empty for no tags. The names may have at
 * most 1,024 bytes.
 */
export function encodeTags(tags: readonly string[]): Buffer {
  if (tags.length === 0) return Buffer.alloc(0);
  const names = tags.map((tag) => Buffer.from(tag, "utf8"));
  const namesBytes = names.reduce((sum, name) => sum + 2 + name.length, 0);
  const bytes = Buffer.alloc((4 + tags.length * 4 + namesBytes + 7) & ~7);
  bytes.writeUInt16LE(tags.length, 0);
  bytes.writeUInt16LE(namesBytes, 2);
  let field = 4;
  for (const name of names) {
    bytes.writeUInt32LE(tagHash(name), field);
    field += 4;
  }
  for (const name of names) {
    bytes.writeUInt16LE(name.length, field);
    name.copy(bytes, field + 2);
    field += 2 + name.length;
  }
  return bytes;
}

/** Bytes of a tags field up to the end of its hashes. */
export function tagHashesEnd(buffer: Buffer, field: number): number {
  return 4 + Math.min(buffer.readUInt16LE(field), recordTagsMax) * 4;
}

/** The names in a tags field that starts at `field`. */
export function readTags(buffer: Buffer, field: number): string[] {
  const count = buffer.readUInt16LE(field);
  const tags: string[] = [];
  let name = field + 4 + count * 4;
  for (let tag = 0; tag < count; tag++) {
    const length = buffer.readUInt16LE(name);
    tags.push(buffer.toString("utf8", name + 2, name + 2 + length));
    name += 2 + length;
  }
  return tags;
}

/**
 * FNV-1a over the name's UTF-8, 32 bits. It is part of the format. Two tags with the same hash are
 * invalidated together.
 */
export function tagHash(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of name) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
