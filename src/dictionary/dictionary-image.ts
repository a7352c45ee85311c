// The schema dictionary as bytes, the same in shared memory and in the directory's file. A schema
// is the list of an object's keys in order; a value names it by its id, which is the number of its
// slot. A compression dictionary (compression-dictionary.ts) takes an id and an entry in the same
// way. Called by memory/schema-area.ts and directory/schema-file.ts. Invariant: an id keeps its
// meaning as long as the directory exists.
//
//   0    ┬ magic "UCSHAPES"  8 bytes, version u32, zero u32; zero in memory
//   64   ├ slots   256 × { offset u32, bytes u32,
//        │                 check u64 = XXH64 of the entry, seed of the directory }, zero = none
//   4160 ├ entries in a row, each aligned to 8 bytes:
//        │         id u16, count u16, then each key as u16 length and UTF-8
//   32768┴

import { assert, KiB } from "../base/mod.js";
import { symbolBytesMax, symbolBytesMin, symbolsMax } from "./compression-dictionary.js";

export const schemaImageBytes = 32 * KiB;
/** Ids of one cache and directory. Values of further schemas carry their keys. */
export const schemasMax = 256;
/** An object with more keys is used as a map, or its schema costs more room than it saves. */
export const schemaKeysMax = 64;
export const schemaBytesMax = 1024;
/** Compression dictionaries of one cache and directory. */
export const dictionariesMax = 8;
/** Bytes of all symbols of a dictionary, with their lengths. */
export const dictionaryBytesMax = 2000;
/** Set in the count of an entry that is a compression dictionary. */
const dictionaryMark = 0x8000;
const entryHeaderBytes = 4;
/** Bytes of the length before each key or symbol. */
export const pieceLengthBytes = 2;
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
  const entry = encodeEntry(
    id,
    0,
    keys.map((key) => Buffer.from(key, "utf8")),
  );
  return entry.length > schemaBytesMax ? null : entry;
}

/**
 * Returns the keys of an entry whose checksum is right, or null if it is not the schema with this
 * id.
 */
export function decodeSchema(entry: Buffer, id: number): string[] | null {
  return decodeEntry(entry, id, 0)?.map((key) => key.toString("utf8")) ?? null;
}

/** Encodes a compression dictionary as an entry. */
export function encodeDictionary(id: number, symbols: readonly Uint8Array[]): Buffer {
  const entry = encodeEntry(id, dictionaryMark, symbols);
  assert(entry.length <= entryHeaderBytes + dictionaryBytesMax, "a dictionary fits its entry");
  return entry;
}

/**
 * Returns the symbols of an entry whose checksum is right, or null if it is not the dictionary with
 * this id.
 */
export function decodeDictionary(entry: Buffer, id: number): Uint8Array[] | null {
  const symbols = decodeEntry(entry, id, dictionaryMark);
  const isDictionary =
    symbols !== null &&
    symbols.length <= symbolsMax &&
    symbols.every(({ length }) => length >= symbolBytesMin && length <= symbolBytesMax);
  return isDictionary ? symbols.map((symbol) => Uint8Array.from(symbol)) : null;
}

function encodeEntry(id: number, mark: number, pieces: readonly Uint8Array[]): Buffer {
  const bytes = pieces.reduce((sum, piece) => sum + pieceLengthBytes + piece.length, 0);
  const entry = Buffer.alloc(entryHeaderBytes + bytes);
  entry.writeUInt16LE(id, 0);
  entry.writeUInt16LE(mark | pieces.length, 2);
  let offset = entryHeaderBytes;
  for (const piece of pieces) {
    entry.writeUInt16LE(piece.length, offset);
    entry.set(piece, offset + pieceLengthBytes);
    offset += pieceLengthBytes + piece.length;
  }
  return entry;
}

/**
 * Returns the pieces, which alias the entry, or null if the entry has another id or mark, or is cut
 * off.
 */
function decodeEntry(entry: Buffer, id: number, mark: number): Buffer[] | null {
  if (entry.length < entryHeaderBytes || entry.readUInt16LE(0) !== id) return null;
  const count = entry.readUInt16LE(2) ^ mark;
  if (count >= dictionaryMark) return null;
  const pieces: Buffer[] = [];
  let offset = entryHeaderBytes;
  while (pieces.length < count) {
    const start = offset + pieceLengthBytes;
    if (start > entry.length) return null;
    offset = start + entry.readUInt16LE(offset);
    if (offset > entry.length) return null;
    pieces.push(entry.subarray(start, offset));
  }
  return offset === entry.length ? pieces : null;
}
