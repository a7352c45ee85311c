// The schema dictionary as bytes: the same in shared memory and in the directory's file, so that a schema is written once and
// copied as it is. A schema is the list of an object's keys, in their order; a value names it by its id, the place of its
// slot. A compression dictionary (symbol-dictionary.ts) takes an id and an entry in the same way. Called by the schema table (memory/) and by
// the file of schemas (disk/). Invariant: an id never means another schema or dictionary within the life of a directory.
//
//   0    ┬ magic "UCSHAPES"  8 bytes, version u32, zero u32; zero in memory
//   64   ├ slots   256 × { offset u32, bytes u32, check u64 = XXH64 of the entry, seed of the directory }, zero = none
//   4160 ├ entries one after the other, each on 8 bytes:
//        │         id u16, count u16, then each key as u16 length and UTF-8
//   32768┴

import { assert, KiB } from "../base/mod.js";
import { symbolBytesMax, symbolBytesMin, symbolsMax } from "./compression-dictionary.js";

export const schemaImageBytes = 32 * KiB;
/** Schemas of one cache and directory. Values of further schemas carry their keys. */
export const schemasMax = 256;
/** A longer schema is a dictionary, or costs more room than it saves. */
export const schemaKeysMax = 64;
export const schemaBytesMax = 1024;
/** Books of one cache and directory: values like none that they were made from stand as they are. */
export const dictionariesMax = 8;
/** Bytes of the symbols of a dictionary, with their lengths. */
export const dictionaryBytesMax = 2000;
/** Stands in the count of an entry that is a dictionary. */
const dictionaryMark = 0x8000;
const entryHeaderBytes = 4;
/** Before each key or symbol stands its length. */
export const pieceLengthBytes = 2;
export const schemaMagic = 0x5345504148534355n;
export const schemaVersion = 1;
const slotsStart = 64;
export const schemaSlotBytes = 16;
export const schemaEntriesStart: number = slotsStart + schemasMax * schemaSlotBytes;

/** Where the slot of a schema is in the image. */
export function schemaSlotOf(id: number): number {
  assert(id >= 0 && id < schemasMax, "a schema has one of the slots");
  return slotsStart + id * schemaSlotBytes;
}

/** The entry of a schema, or null if it is too long for one. */
export function encodeSchema(id: number, keys: readonly string[]): Buffer | null {
  if (keys.length > schemaKeysMax) return null;
  const entry = encodeEntry(
    id,
    0,
    keys.map((key) => Buffer.from(key, "utf8")),
  );
  return entry.length > schemaBytesMax ? null : entry;
}

/** The keys of an entry whose checksum held, or null if it is not of this schema. */
export function decodeSchema(entry: Buffer, id: number): string[] | null {
  return decodeEntry(entry, id, 0)?.map((key) => key.toString("utf8")) ?? null;
}

/** The entry of a compression dictionary. */
export function encodeDictionary(id: number, symbols: readonly Uint8Array[]): Buffer {
  const entry = encodeEntry(id, dictionaryMark, symbols);
  assert(entry.length <= entryHeaderBytes + dictionaryBytesMax, "a dictionary fits its entry");
  return entry;
}

/** The symbols of an entry whose checksum held, or null if it is not a dictionary with this id. */
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
  let place = entryHeaderBytes;
  for (const piece of pieces) {
    entry.writeUInt16LE(piece.length, place);
    entry.set(piece, place + pieceLengthBytes);
    place += pieceLengthBytes + piece.length;
  }
  return entry;
}

/** The pieces, which lie in the entry; null if it is not of this id and mark, or not whole. */
function decodeEntry(entry: Buffer, id: number, mark: number): Buffer[] | null {
  if (entry.length < entryHeaderBytes || entry.readUInt16LE(0) !== id) return null;
  const count = entry.readUInt16LE(2) ^ mark;
  if (count >= dictionaryMark) return null;
  const pieces: Buffer[] = [];
  let place = entryHeaderBytes;
  while (pieces.length < count) {
    const start = place + pieceLengthBytes;
    if (start > entry.length) return null;
    place = start + entry.readUInt16LE(place);
    if (place > entry.length) return null;
    pieces.push(entry.subarray(start, place));
  }
  return place === entry.length ? pieces : null;
}
