// The table of shapes as bytes: the same in shared memory and in the directory's file, so that a shape is written once and
// copied as it is. A shape is the list of an object's keys, in their order; a value names it by its id, the place of its
// slot. A book of phrases (phrase-book.ts) takes an id and an entry in the same way. Called by the shape table (memory/) and by
// the file of shapes (disk/). Invariant: an id never means another shape or book within the life of a directory.
//
//   0    ┬ magic "UCSHAPES"  8 bytes, version u32, zero u32; zero in memory
//   64   ├ slots   256 × { offset u32, bytes u32, check u64 = XXH64 of the entry, seed of the directory }, zero = none
//   4160 ├ entries one after the other, each on 8 bytes:
//        │         id u16, count u16, then each key as u16 length and UTF-8
//   32768┴

import { assert, KiB } from "../base/mod.js";
import { phraseBytesMax, phraseBytesMin, phrasesMax } from "./phrase-book.js";

export const shapeImageBytes = 32 * KiB;
/** Shapes of one cache and directory. Values of further shapes carry their keys. */
export const shapesMax = 256;
/** A longer shape is a dictionary, or costs more room than it saves. */
export const shapeKeysMax = 64;
export const shapeBytesMax = 1024;
/** Books of one cache and directory: values like none that they were made from stand as they are. */
export const phraseBooksMax = 8;
/** Bytes of the phrases of a book, with their lengths. */
export const phraseBookBytesMax = 2000;
/** Stands in the count of an entry that is a book. */
const bookMark = 0x8000;
const entryHeaderBytes = 4;
/** Before each key or phrase stands its length. */
export const pieceLengthBytes = 2;
export const shapeMagic = 0x5345504148534355n;
export const shapeVersion = 1;
const slotsStart = 64;
export const shapeSlotBytes = 16;
export const shapeEntriesStart: number = slotsStart + shapesMax * shapeSlotBytes;

/** Where the slot of a shape is in the image. */
export function shapeSlotOf(id: number): number {
  assert(id >= 0 && id < shapesMax, "a shape has one of the slots");
  return slotsStart + id * shapeSlotBytes;
}

/** The entry of a shape, or null if it is too long for one. */
export function encodeShape(id: number, keys: readonly string[]): Buffer | null {
  if (keys.length > shapeKeysMax) return null;
  const entry = encodeEntry(
    id,
    0,
    keys.map((key) => Buffer.from(key, "utf8")),
  );
  return entry.length > shapeBytesMax ? null : entry;
}

/** The keys of an entry whose checksum held, or null if it is not of this shape. */
export function decodeShape(entry: Buffer, id: number): string[] | null {
  return decodeEntry(entry, id, 0)?.map((key) => key.toString("utf8")) ?? null;
}

/** The entry of a book of phrases. */
export function encodePhrases(id: number, phrases: readonly Uint8Array[]): Buffer {
  const entry = encodeEntry(id, bookMark, phrases);
  assert(entry.length <= entryHeaderBytes + phraseBookBytesMax, "a book fits its entry");
  return entry;
}

/** The phrases of an entry whose checksum held, or null if it is not a book with this id. */
export function decodePhrases(entry: Buffer, id: number): Uint8Array[] | null {
  const phrases = decodeEntry(entry, id, bookMark);
  const isBook =
    phrases !== null &&
    phrases.length <= phrasesMax &&
    phrases.every(({ length }) => length >= phraseBytesMin && length <= phraseBytesMax);
  return isBook ? phrases.map((phrase) => Uint8Array.from(phrase)) : null;
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
  if (count >= bookMark) return null;
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
