// Finds the symbols worth a place in a dictionary, from a sample of values. Called by the janitor, in a thread that no caller waits
// for. Pure. It takes the way of FSST (Boncz, Neumann, Leis 2020: "FSST: Fast Random Access String Compression"): the sample is
// cut by the symbols found so far, the pieces and the pairs of neighbours are counted, and the best of them are the symbols
// of the next turn; so a symbol doubles in length each turn, and one that another serves better is counted no more.

import { dictionaryBytesMax, pieceLengthBytes } from "./dictionary-image.js";
import { symbolBytesMax, symbolBytesMin, symbolsMax } from "./compression-dictionary.js";

/** Pieces double in length with each turn, up to the longest symbol; one more turn drops what is not used. */
const turns = 8;
/** Pieces kept between turns: short ones have yet to grow into symbols. */
const piecesMax = 512;
/** A symbol stands this often in the sample at least. */
const usesMin = 8;

/** Looks for the symbols of values like these, a turn at a time: a turn over 32 KiB takes some milliseconds. */
export class DictionaryTraining {
  readonly #texts: readonly string[];
  #pieces: ReadonlyMap<string, number> = new Map();
  #turn = 0;

  constructor(sample: readonly Uint8Array[]) {
    this.#texts = sample.map((value) => Buffer.from(value).toString("latin1"));
  }

  /** One turn; true once there is no other. */
  step(): boolean {
    this.#turn += 1;
    const counts = countPieces(this.#texts, this.#pieces);
    const isLast = this.#turn === turns;
    this.#pieces = isLast
      ? bestOf(singlesOf(counts), symbolBytesMin, symbolsMax)
      : bestOf(joined(counts), 2, piecesMax);
    return isLast;
  }

  /** What was found, the best first, as many as a dictionary holds; none if the values have nothing in common. */
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

/** Pieces have numbers below this: those that were kept, and single bytes. */
const numbersMax = 1024;

interface Counts {
  /** The pieces that were met, by their numbers. */
  readonly names: readonly string[];
  /** Of each, when the texts are cut at the longest piece each time. */
  readonly singles: readonly number[];
  /** Of each two neighbours: the number of the first times `numbersMax`, and that of the second. */
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

/** The pieces and the pairs that may be one. A symbol takes in a neighbour only if most of its uses have that neighbour: else
 *  what varies (numbers, times) would make many symbols of one, and each serve few values but those of the sample. */
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

/** By the first two bytes: the lengths of the pieces that begin so, the longest first. */
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

/** The pieces that save most, the best first. */
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
