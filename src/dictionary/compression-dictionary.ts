// A compression dictionary: byte strings (symbols) that many values of a cache have in common. A
// value is stored as symbol numbers and the bytes between them, so what thousands of small values
// repeat is in memory once. Each thread makes its own from an entry of the schema dictionary
// (dictionary-image.ts). Called by CompressionDictionaries. Invariants: a dictionary never changes;
// `expand` restores exactly what `shorten` was given, and refuses bytes that lead out of the
// dictionary or the buffer.
//
//   value := id of the dictionary, token*
//   token := n, n + 1 bytes         for n < 64
//          | 64 + symbol            the symbol's bytes, for symbol < 191
//          | 255, offset u16, n u8  n bytes from that offset of all symbols in a row: a part of a
//                                   symbol, where a counter, a date or a length differs

import { assert } from "../base/mod.js";

/** Symbols of one dictionary: the token values left by the lengths of runs and the part token. */
export const symbolsMax = 191;
/** Shorter symbols save little, and the hash chains look up the first four bytes of a symbol. */
export const symbolBytesMin = 4;
export const symbolBytesMax = 64;
const runBytesMax = 64;
const partToken = 255;
const partTokenBytes = 4;
/** A shorter part is not worth its token. */
const partBytesMin = 8;
const partBytesMax = 255;
/** At most this many offsets of a chain are compared with one position of a value. */
const chainMax = 16;

/** Longer values are stored as they are. The pool deflates those that are worth it. */
const valueBytesMax = 16 * 1024;
/**
 * A shortened value must be at most this share of the original. Others are stored as they are,
 * since they read faster.
 */
const worthwhile = 7 / 8;
/** After this many bytes `shorten` gives up on a value that has not shrunk enough. */
const probeBytes = 1024;

/** Hashes four bytes to one of 4,096 chains. */
const hashFactor = 0x9e3779b1;
const hashShift = 20;
/**
 * A match is a number: its size in the low bits, and above them a symbol, or `matchOffsetBase` plus
 * the offset of a part.
 */
const matchSizeBits = 8;
const matchOffsetBase = 256;

/** Symbols are copied four bytes at a time, so up to three bytes too many. */
const stride = 4;

/**
 * Room for the id, the lengths of runs, and the bytes that the last symbol writes too many. The
 * buffers belong to the thread; each is valid until the next call of its kind.
 */
const bufferBytes = valueBytesMax + valueBytesMax / runBytesMax + partBytesMax + stride;
const shortened: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
/** What this thread's last `expand` wrote. */
export const expanded: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
const expandedView = new DataView(expanded.buffer);

export class CompressionDictionary {
  readonly #id: number;
  /** All symbols in a row. */
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** The offset at which each symbol begins, and the end of the last one. */
  readonly #starts: Uint16Array;
  readonly #count: number;
  readonly #size: number;
  /**
   * Heads of the hash chains: 1 + an offset in all symbols, 0 = none. A chain lists the offsets
   * where a symbol begins first, the longest symbol before the shorter ones.
   */
  readonly #first = new Uint16Array(2 ** (32 - hashShift));
  readonly #next: Uint16Array;
  /** 1 + the symbol that begins at an offset, 0 = none. */
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
    for (let offset = bytes - symbolBytesMin; offset >= 0; offset--) {
      if (this.#begins[offset] === 0) this.#link(offset);
    }
    const starts = symbols.map((symbol, number) => ({ size: symbol.length, number }));
    starts.sort((a, b) => a.size - b.size);
    for (const { number } of starts) this.#link(this.#starts[number] as number);
  }

  #link(offset: number): void {
    const chain = Math.imul(wordAt(this.#bytes, offset), hashFactor) >>> hashShift;
    this.#next[offset] = this.#first[chain] as number;
    this.#first[chain] = offset + 1;
  }

  /**
   * Shortens a value. The result is valid until this thread's next call; undefined if it saves too
   * little.
   */
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
      if (what < matchOffsetBase) {
        out[to++] = runBytesMax + what;
      } else {
        out[to++] = partToken;
        out[to++] = (what - matchOffsetBase) & 0xff;
        out[to++] = (what - matchOffsetBase) >>> 8;
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

  /**
   * The best match in a chain for one position of a value; 0 if there is none. `word` is the first
   * four bytes there, `length` the bytes left. A whole symbol wins over a part.
   */
  #longest(chain: number, word: number, value: DataView, from: number, length: number): number {
    const symbols = this.#view;
    const most = Math.min(partBytesMax, length);
    let best = 0;
    let bestSize = partBytesMin - 1;
    let left = chainMax;
    for (let next = chain; next !== 0 && left > 0; next = this.#next[next - 1] as number, left--) {
      const offset = next - 1;
      if (symbols.getInt32(offset, true) !== word) continue;
      const limit = Math.min(most, this.#size - offset);
      let same = stride;
      let differs = 0;
      while (same + stride <= limit) {
        differs = symbols.getInt32(offset + same, true) ^ value.getInt32(from + same, true);
        if (differs !== 0) break;
        same += stride;
      }
      if (differs !== 0) same += (31 - Math.clz32(differs & -differs)) >>> 3;
      else
        while (same < limit && symbols.getUint8(offset + same) === value.getUint8(from + same))
          same += 1;
      const symbol = this.#begins[offset] as number;
      if (symbol !== 0) {
        const size = (this.#starts[symbol] as number) - offset;
        if (same >= size) return ((symbol - 1) << matchSizeBits) | size;
      }
      if (same <= bestSize) continue;
      bestSize = same;
      best = ((matchOffsetBase + offset) << matchSizeBits) | same;
    }
    return best;
  }

  /**
   * Restores into `expanded` what `shorten` was given, and returns its length. Throws if this
   * dictionary did not make these bytes.
   */
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

/** A view of a value's buffer, which is nearly always the one that this thread packs into. */
function viewOf(value: Uint8Array): DataView {
  if (viewed.buffer !== value.buffer) viewed = new DataView(value.buffer);
  return viewed;
}

function notOurs(): Error {
  return new Error("Cannot expand a value: this dictionary did not make its bytes");
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/**
 * Writes the bytes of `value` from `from` to `end` to `out` as runs. Returns the end of the runs.
 */
function writeRuns(
  out: Uint8Array,
  to: number,
  value: Uint8Array,
  from: number,
  end: number,
): number {
  let at = from;
  let offset = to;
  while (at < end) {
    const stop = Math.min(end, at + runBytesMax);
    out[offset++] = stop - at - 1;
    while (at < stop) out[offset++] = value[at++] as number;
  }
  return offset;
}
