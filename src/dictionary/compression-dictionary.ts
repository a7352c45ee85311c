// A compression dictionary: runs of bytes that many values of a cache have in common. A value is stored as numbers of symbols and
// the bytes between them, so that what thousands of small values repeat stands in memory once. Made by each thread from what
// the schema dictionary holds (schema-image.ts); called by the packer of schemas. Invariants: a dictionary never changes; `expand` gives
// back exactly what `shorten` was given, and refuses bytes that would lead out of the dictionary or the buffer.
//
//   value := id of the dictionary, token*
//   token := n, n + 1 bytes       for n < 64
//          | 64 + symbol          the symbol's bytes, for symbol < 191
//          | 255, place u16, n u8 n bytes from that place of all symbols one after the other: a part of one, where a
//                                 counter, a date or the length of a text differs

import { assert } from "../base/mod.js";

/** Symbols of one dictionary: what is left of a byte beside the lengths of runs and the token of a part. */
export const symbolsMax = 191;
/** A shorter one saves little, and a place that could begin one is found by its first four bytes. */
export const symbolBytesMin = 4;
export const symbolBytesMax = 64;
const runBytesMax = 64;
const partToken = 255;
const partTokenBytes = 4;
/** A shorter part of a symbol would not be worth its token. */
const partBytesMin = 8;
const partBytesMax = 255;
/** Places of symbols that are compared with a place of a value. */
const chainMax = 16;

/** Longer values are stored as they are: the pool deflates those that are worth it. */
const valueBytesMax = 16 * 1024;
/** Values must become smaller by this share, or they are stored as they are and read the faster. */
const worthwhile = 7 / 8;
/** After so many bytes it is seen whether a long value will be worthwhile. */
const probeBytes = 1024;

/** Four bytes to one of 4,096 chains. */
const hashFactor = 0x9e3779b1;
const hashShift = 20;
/** Above the size of a match stands what it is: a symbol, or behind the numbers of symbols a place. */
const matchSizeBits = 8;
const placeOffset = 256;

/** Symbols are copied four bytes at a time, and so up to three more than they have. */
const stride = 4;

/** Where this thread shortens values, and where it expands them: each good until the next call of its kind. With room for
 *  the id, for the lengths of runs, and for what the last symbol writes too much. */
const bufferBytes = valueBytesMax + valueBytesMax / runBytesMax + partBytesMax + stride;
const shortened: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
/** What the last `expand` of this thread wrote. */
export const expanded: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
const expandedView = new DataView(expanded.buffer);

export class CompressionDictionary {
  readonly #id: number;
  /** All symbols, one after the other. */
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where each begins; one more says where the last ends. */
  readonly #starts: Uint16Array;
  readonly #count: number;
  readonly #size: number;
  /** By the hash of the four bytes there, places + 1 in all symbols: where a symbol begins first, the longest before. */
  readonly #first = new Uint16Array(2 ** (32 - hashShift));
  readonly #next: Uint16Array;
  /** The symbol that begins at a place, + 1. */
  readonly #begins: Uint8Array;

  constructor(id: number, symbols: readonly Uint8Array[]) {
    assert(symbols.length <= symbolsMax, "a dictionary has few symbols");
    const bytes = symbols.reduce((sum, symbol) => sum + symbol.length, 0);
    this.#id = id;
    this.#count = symbols.length;
    this.#size = bytes;
    this.#bytes = new Uint8Array(bytes + stride);
    this.#view = new DataView(this.#bytes.buffer);
    this.#starts = new Uint16Array(symbols.length + 1);
    this.#next = new Uint16Array(bytes);
    this.#begins = new Uint8Array(bytes);
    let start = 0;
    for (const [number, symbol] of symbols.entries()) {
      this.#bytes.set(symbol, start);
      this.#begins[start] = number + 1;
      start += symbol.length;
      this.#starts[number + 1] = start;
    }
    for (let place = bytes - symbolBytesMin; place >= 0; place--) {
      if (this.#begins[place] === 0) this.#link(place);
    }
    const starts = symbols.map((symbol, number) => ({ size: symbol.length, number }));
    starts.sort((a, b) => a.size - b.size);
    for (const { number } of starts) this.#link(this.#starts[number] as number);
  }

  #link(place: number): void {
    const chain = Math.imul(wordAt(this.#bytes, place), hashFactor) >>> hashShift;
    this.#next[place] = this.#first[chain] as number;
    this.#first[chain] = place + 1;
  }

  /** The bytes of `value` by this dictionary, good until the next call on this thread; undefined if it is not worth it. */
  shorten(value: Uint8Array): Uint8Array | undefined {
    const { length } = value;
    if (length < 2 * symbolBytesMin || length > valueBytesMax) return undefined;
    const out = shortened;
    out[0] = this.#id;
    const first = this.#first;
    const view = viewOf(value);
    const start = value.byteOffset;
    const last = length - symbolBytesMin;
    let probed = probeBytes;
    let to = 1;
    let run = 0;
    let from = 0;
    while (from <= last) {
      const word = view.getInt32(start + from, true);
      const chain = first[Math.imul(word, hashFactor) >>> hashShift] as number;
      const match = chain === 0 ? 0 : this.#longest(chain, word, view, start + from, length - from);
      if (match === 0) {
        from += 1;
        continue;
      }
      if (run < from) to = writeRuns(out, to, value, run, from);
      const size = match & ((1 << matchSizeBits) - 1);
      const what = match >>> matchSizeBits;
      if (what < placeOffset) {
        out[to++] = runBytesMax + what;
      } else {
        out[to++] = partToken;
        out[to++] = (what - placeOffset) & 0xff;
        out[to++] = (what - placeOffset) >>> 8;
        out[to++] = size;
      }
      from += size;
      run = from;
      if (from > probed) {
        if (to > from * worthwhile) return undefined;
        probed = length;
      }
    }
    if (run < length) to = writeRuns(out, to, value, run, length);
    return to > length * worthwhile ? undefined : new Uint8Array(out.buffer, 0, to);
  }

  /** What of a chain serves best at a place of a value, of which `length` bytes are left and the first four are `word`, and how
   *  many bytes it stands for; 0 if nothing does. */
  #longest(chain: number, word: number, value: DataView, from: number, length: number): number {
    const symbols = this.#view;
    const most = Math.min(partBytesMax, length);
    let best = 0;
    let bestSize = partBytesMin - 1;
    let left = chainMax;
    for (let next = chain; next !== 0 && left > 0; next = this.#next[next - 1] as number, left--) {
      const place = next - 1;
      if (symbols.getInt32(place, true) !== word) continue;
      const limit = Math.min(most, this.#size - place);
      let same = stride;
      let differs = 0;
      while (same + stride <= limit) {
        differs = symbols.getInt32(place + same, true) ^ value.getInt32(from + same, true);
        if (differs !== 0) break;
        same += stride;
      }
      if (differs !== 0) same += (31 - Math.clz32(differs & -differs)) >>> 3;
      else
        while (same < limit && symbols.getUint8(place + same) === value.getUint8(from + same))
          same += 1;
      const symbol = this.#begins[place] as number;
      if (symbol !== 0) {
        const size = (this.#starts[symbol] as number) - place;
        if (same >= size) return ((symbol - 1) << matchSizeBits) | size;
      }
      if (same <= bestSize) continue;
      bestSize = same;
      best = ((placeOffset + place) << matchSizeBits) | same;
    }
    return best;
  }

  /** Writes the value that `shorten` was given to `expanded`, and answers its length. Throws if these bytes are none that it
   *  made. */
  expand(stored: Uint8Array, start: number, end: number): number {
    const bytes = this.#view;
    const starts = this.#starts;
    const count = this.#count;
    let to = 0;
    let from = start + 1;
    while (from < end) {
      const token = stored[from++] as number;
      if (to > valueBytesMax) throw notOurs();
      if (token < runBytesMax) {
        const stop = from + token + 1;
        if (stop > end) throw notOurs();
        while (from < stop) expanded[to++] = stored[from++] as number;
        continue;
      }
      let first: number;
      let size: number;
      if (token === partToken) {
        first = (stored[from] as number) | ((stored[from + 1] as number) << 8);
        size = stored[from + 2] as number;
        from += partTokenBytes - 1;
        if (first + size > this.#size) throw notOurs();
      } else {
        const symbol = token - runBytesMax;
        if (symbol >= count) throw notOurs();
        first = starts[symbol] as number;
        size = (starts[symbol + 1] as number) - first;
      }
      for (let at = 0; at < size; at += stride) {
        expandedView.setInt32(to + at, bytes.getInt32(first + at, true), true);
      }
      to += size;
    }
    if (from !== end) throw notOurs();
    return to;
  }
}

let viewed: DataView = new DataView(new ArrayBuffer(0));

/** The buffer of a value, which is nearly always the one that this thread packs in. */
function viewOf(value: Uint8Array): DataView {
  if (viewed.buffer !== value.buffer) viewed = new DataView(value.buffer);
  return viewed;
}

function notOurs(): Error {
  return new Error("Cannot expand a value: its bytes are not of this dictionary");
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Writes the bytes of `value` from `from` to `end` as runs to `out`; answers where they end. */
function writeRuns(
  out: Uint8Array,
  to: number,
  value: Uint8Array,
  from: number,
  end: number,
): number {
  let at = from;
  let place = to;
  while (at < end) {
    const stop = Math.min(end, at + runBytesMax);
    out[place++] = stop - at - 1;
    while (at < stop) out[place++] = value[at++] as number;
  }
  return place;
}
