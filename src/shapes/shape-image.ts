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
export const phraseLengthBytes = 2;
const bookMark = 0x8000;
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
  const texts = keys.map((key) => Buffer.from(key, "utf8"));
  const bytes = texts.reduce((sum, text) => sum + 2 + text.length, 4);
  if (bytes > shapeBytesMax) return null;
  const entry = Buffer.alloc(bytes);
  entry.writeUInt16LE(id, 0);
  entry.writeUInt16LE(keys.length, 2);
  let place = 4;
  for (const text of texts) {
    entry.writeUInt16LE(text.length, place);
    text.copy(entry, place + 2);
    place += 2 + text.length;
  }
  return entry;
}

/** The keys of an entry whose checksum held, or null if it is not of this shape. */
export function decodeShape(entry: Buffer, id: number): string[] | null {
  if (entry.length < 4 || entry.readUInt16LE(0) !== id) return null;
  const keys: string[] = [];
  let place = 4;
  for (let count = entry.readUInt16LE(2); count > 0; count--) {
    if (place + 2 > entry.length) return null;
    const end = place + 2 + entry.readUInt16LE(place);
    if (end > entry.length) return null;
    keys.push(entry.toString("utf8", place + 2, end));
    place = end;
  }
  return place === entry.length ? keys : null;
}

/** The entry of a book of phrases. */
export function encodePhrases(id: number, phrases: readonly Uint8Array[]): Buffer {
  const bytes = phrases.reduce((sum, phrase) => sum + phraseLengthBytes + phrase.length, 0);
  assert(bytes <= phraseBookBytesMax, "a book fits its entry");
  const entry = Buffer.alloc(4 + bytes);
  entry.writeUInt16LE(id, 0);
  entry.writeUInt16LE(bookMark | phrases.length, 2);
  let place = 4;
  for (const phrase of phrases) {
    entry.writeUInt16LE(phrase.length, place);
    entry.set(phrase, place + phraseLengthBytes);
    place += phraseLengthBytes + phrase.length;
  }
  return entry;
}

/** The phrases of an entry whose checksum held, or null if it is not a book with this id. */
export function decodePhrases(entry: Buffer, id: number): Uint8Array[] | null {
  if (entry.length < 4 || entry.readUInt16LE(0) !== id) return null;
  const count = entry.readUInt16LE(2) ^ bookMark;
  if (count > phrasesMax) return null;
  const phrases: Uint8Array[] = [];
  let place = 4;
  while (phrases.length < count) {
    if (place + phraseLengthBytes > entry.length) return null;
    const start = place + phraseLengthBytes;
    place = start + entry.readUInt16LE(place);
    const size = place - start;
    if (size < phraseBytesMin || size > phraseBytesMax || place > entry.length) return null;
    phrases.push(Uint8Array.from(entry.subarray(start, place)));
  }
  return place === entry.length ? phrases : null;
}
