// Finds the symbols of a dictionary in a sample of values. Called by the janitor, in a thread that
// no caller waits for. Pure. It works like FSST (Boncz, Neumann, Leis 2020: "FSST: Fast Random
// Access String Compression"). Each round cuts the sample into the pieces found so far, counts the
// pieces and the pairs of neighbours, and keeps the best as the next round's pieces. So a piece can
// double in length each round, and a piece that a longer one covers is no longer counted.

import { dictionaryBytesMax, pieceLengthBytes } from "./dictionary-image.js";
import { symbolBytesMax, symbolBytesMin, symbolsMax } from "./compression-dictionary.js";

/**
 * Pieces double in length each round, up to the longest symbol. One more round drops unused ones.
 */
const rounds = 8;
/** Pieces kept between rounds. Short ones have yet to grow into symbols. */
const piecesMax = 512;
/** A symbol occurs at least this often in the sample. */
const usesMin = 8;

/**
 * Finds the symbols of values like the sample, one round at a time. A round over 32 KiB takes some
 * milliseconds.
 */
export class DictionaryTraining {
  readonly #texts: readonly string[];
  #pieces: ReadonlyMap<string, number> = new Map();
  #round = 0;

  constructor(sample: readonly Uint8Array[]) {
    this.#texts = sample.map((value) => Buffer.from(value).toString("latin1"));
  }

  /** Runs one round. Returns true after the last. */
  step(): boolean {
    this.#round += 1;
    const counts = countPieces(this.#texts, this.#pieces);
    const isLast = this.#round === rounds;
    this.#pieces = isLast
      ? bestOf(singlesOf(counts), symbolBytesMin, symbolsMax)
      : bestOf(joined(counts), 2, piecesMax);
    return isLast;
  }

  /**
   * The symbols found, best first, as many as a dictionary holds. Empty if the values have nothing
   * in common.
   */
  symbols(): Uint8Array[] {
    const symbols: Uint8Array[] = [];
    let room = dictionaryBytesMax;
    for (const piece of this.#pieces.keys()) {
      room -= piece.length + pieceLengthBytes;
      if (room < 0) break;
      symbols.push(Buffer.from(piece, "latin1"));
    }
    return symbols;
  }
}

/** Piece numbers are below this: the kept pieces and the single bytes fit. */
const numbersMax = 1024;

interface Counts {
  /** The pieces that occur, by number. */
  readonly names: readonly string[];
  /** How often each piece occurs, if the texts are always cut at the longest piece. */
  readonly singles: readonly number[];
  /**
   * How often each pair of neighbours occurs. The key is the first number times `numbersMax`, plus
   * the second.
   */
  readonly pairs: ReadonlyMap<number, number>;
}

function countPieces(texts: readonly string[], pieces: ReadonlyMap<string, number>): Counts {
  const lengths = lengthsOf(pieces);
  const numbers = new Map<string, number>();
  const names: string[] = [];
  const singles: number[] = [];
  const pairs = new Map<number, number>();
  for (const text of texts) {
    let before = -1;
    for (let at = 0; at < text.length;) {
      const piece = pieceAt(text, at, pieces, lengths);
      let number = numbers.get(piece);
      if (number === undefined) {
        number = names.push(piece) - 1;
        numbers.set(piece, number);
        singles.push(0);
      }
      singles[number] = (singles[number] as number) + 1;
      const pair = before * numbersMax + number;
      if (before >= 0) pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
      before = number;
      at += piece.length;
    }
  }
  return { names, singles, pairs };
}

function singlesOf({ names, singles }: Counts): Map<string, number> {
  return new Map(names.map((name, number) => [name, singles[number] as number]));
}

/**
 * The pieces, and the pairs that may become one piece. A symbol takes in a neighbour only if most
 * of its uses have that neighbour. Otherwise what varies (numbers, times) would make many symbols
 * of one, each of use to few values outside the sample.
 */
function joined(counts: Counts): Map<string, number> {
  const found = singlesOf(counts);
  for (const [pair, uses] of counts.pairs) {
    if (uses < usesMin) continue;
    const numbers = [Math.floor(pair / numbersMax), pair % numbersMax];
    const [piece = "", follower = ""] = numbers.map((number) => counts.names[number]);
    const [pieceUses = 0, followerUses = 0] = numbers.map((number) => counts.singles[number]);
    if (piece.length + follower.length > symbolBytesMax) continue;
    if (uses * 3 < Math.min(pieceUses, followerUses)) continue;
    if (piece.length >= symbolBytesMin && uses * 2 < pieceUses) continue;
    if (follower.length >= symbolBytesMin && uses * 2 < followerUses) continue;
    found.set(piece + follower, (found.get(piece + follower) ?? 0) + uses);
  }
  return found;
}

/** The lengths of the pieces by their first two bytes, longest first. */
function lengthsOf(pieces: ReadonlyMap<string, number>): Map<string, number[]> {
  const lengths = new Map<string, number[]>();
  for (const piece of pieces.keys()) {
    const start = piece.slice(0, 2);
    const known = lengths.get(start);
    if (known === undefined) lengths.set(start, [piece.length]);
    else if (!known.includes(piece.length)) known.push(piece.length);
  }
  for (const known of lengths.values()) known.sort((a, b) => b - a);
  return lengths;
}

function pieceAt(
  text: string,
  at: number,
  pieces: ReadonlyMap<string, number>,
  lengths: ReadonlyMap<string, readonly number[]>,
): string {
  for (const length of lengths.get(text.slice(at, at + 2)) ?? []) {
    const piece = text.slice(at, at + length);
    if (pieces.has(piece)) return piece;
  }
  return text.charAt(at);
}

/** The pieces that save most, best first. */
function bestOf(
  counts: ReadonlyMap<string, number>,
  shortest: number,
  max: number,
): Map<string, number> {
  const saved = ([piece, uses]: [string, number]): number => uses * (piece.length - 1);
  const kept = [...counts].filter(([piece, uses]) => piece.length >= shortest && uses >= usesMin);
  kept.sort((a, b) => saved(b) - saved(a));
  return new Map(kept.slice(0, max));
}
