// The tags field of a record's extension: u16 count, u16 bytes of the names, zero u32, count × u64
// hash, then each name as u16 length and UTF-8, zero padding to 8 bytes. With the hashes the kernel
// looks tags up without reading names. Called by readers and writers of records.

import {
  flagDiskLocation,
  flagExpires,
  flagStale,
  flagTags,
  recordFlags,
  recordHeaderSize,
  recordTagsMax,
  tagsHeaderSize,
} from "./record-layout.js";

/** Up to this length a loop takes less time than a call of Node's encoder. */
const loopLengthMax = 24;

/** A tag's hash, as two words. Never 0. */
export interface TagHash {
  readonly low: number;
  readonly high: number;
}

/** Hashes the UTF-8 of a tag's name, the bytes [from, to). The hash is part of a directory's
 *  format. */
export type TagHasher = (bytes: Uint8Array, from: number, to: number) => TagHash;

/**
 * Encodes a tags field; its length is a multiple of 8. Empty for no tags. The names may have at
 * most 1,024 bytes.
 */
export function encodeTags(tags: readonly string[], hashOf: TagHasher): Buffer {
  if (tags.length === 0) return Buffer.alloc(0);
  let namesBytes = 0;
  for (const tag of tags) namesBytes += 2 + (isShortAscii(tag) ? tag.length : byteLength(tag));
  let name = tagsHeaderSize + tags.length * 8;
  const bytes = Buffer.allocUnsafe((name + namesBytes + 7) & ~7);
  bytes.writeUInt16LE(tags.length, 0);
  bytes.writeUInt16LE(namesBytes, 2);
  bytes.writeUInt32LE(0, 4);
  let field = tagsHeaderSize;
  for (const tag of tags) {
    const length = writeName(bytes, name + 2, tag);
    bytes.writeUInt16LE(length, name);
    const end = name + 2 + length;
    const { low, high } = hashOf(bytes, name + 2, end);
    bytes.writeUInt32LE(low, field);
    bytes.writeUInt32LE(high, field + 4);
    field += 8;
    name = end;
  }
  bytes.fill(0, name);
  return bytes;
}

function byteLength(tag: string): number {
  return Buffer.byteLength(tag, "utf8");
}

function isShortAscii(tag: string): boolean {
  if (tag.length > loopLengthMax) return false;
  for (let index = 0; index < tag.length; index++) if (tag.charCodeAt(index) > 127) return false;
  return true;
}

/** Writes a name; returns its bytes. */
function writeName(bytes: Buffer, start: number, tag: string): number {
  if (!isShortAscii(tag)) return bytes.write(tag, start, "utf8");
  for (let index = 0; index < tag.length; index++) bytes[start + index] = tag.charCodeAt(index);
  return tag.length;
}

/** Bytes of a tags field up to the end of its hashes. */
export function tagHashesEnd(buffer: Buffer, field: number): number {
  return tagsHeaderSize + Math.min(buffer.readUInt16LE(field), recordTagsMax) * 8;
}

const noHashes = Buffer.alloc(0);

/** The tag hashes of the record at `start`, 8 bytes each, in place; empty without tags. */
export function tagHashesOf(buffer: Buffer, start: number): Buffer {
  if ((buffer.readUInt8(start + recordFlags) & flagTags) === 0) return noHashes;
  const field = tagsFieldOf(buffer, start);
  return buffer.subarray(field + tagsHeaderSize, field + tagHashesEnd(buffer, field));
}

/** Where the tags field of the record at `start` begins. */
export function tagsFieldOf(buffer: Buffer, start: number): number {
  const flags = buffer.readUInt8(start + recordFlags);
  const before = [flagDiskLocation, flagExpires, flagStale].filter((flag) => (flags & flag) !== 0);
  return start + recordHeaderSize + before.length * 8;
}

/** The names in a tags field that starts at `field`. */
export function readTags(buffer: Buffer, field: number): string[] {
  const count = buffer.readUInt16LE(field);
  const tags: string[] = [];
  let name = field + tagsHeaderSize + count * 8;
  for (let tag = 0; tag < count; tag++) {
    const length = buffer.readUInt16LE(name);
    tags.push(buffer.toString("utf8", name + 2, name + 2 + length));
    name += 2 + length;
  }
  return tags;
}
