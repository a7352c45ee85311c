// What a record is, by its flags: an entry of its own, or a part of a value that is too large for
// one record (record-layout.ts).
import {
  flagChunk,
  flagChunked,
  flagCompressed,
  flagNegative,
  flagsOfParts,
} from "./record-layout.js";

/** The head of a value in chunks. */
export function isHead(flags: number): boolean {
  return (flags & flagsOfParts) === flagChunked;
}

/** A chunk of such a value. */
export function isChunk(flags: number): boolean {
  return (flags & flagsOfParts) === flagChunk;
}

/** A record under an internal key: users neither see it nor hear of it. */
export function isInternal(flags: number): boolean {
  return (flags & flagChunk) !== 0;
}

/** A negative answer: not a delete with a revision, which has one flag more. */
export function isNegative(flags: number): boolean {
  return (flags & (flagsOfParts | flagCompressed)) === flagNegative;
}
