// Request traces: read from files, or generated. Called by the replay proof and by the tests of eviction. A file is
// records of 16 bytes, little-endian, one per request, plain or gzipped: u64 key, u32 size in bytes (1 where unknown),
// u32 time to live in seconds (0 = none; not used here).

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { gunzipSync } from "node:zlib";

const recordBytes = 16;

export interface Trace {
  readonly name: string;
  /** Of each request: a dense number of its key. */
  readonly keys: Uint32Array;
  /** Of each key: its bytes. */
  readonly sizes: Uint32Array;
}

/** Throws RangeError if the file is no trace. */
export function readTrace(file: string): Trace {
  const raw = readFileSync(file);
  const bytes = raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw) : raw;
  if (bytes.length === 0 || bytes.length % recordBytes !== 0) {
    throw new RangeError(
      `Cannot replay ${file}: it has ${bytes.length} bytes; it must be records of ${recordBytes}`,
    );
  }
  const numbers = new Map<bigint, number>();
  const sizes: number[] = [];
  const keys = new Uint32Array(bytes.length / recordBytes);
  for (let request = 0; request < keys.length; request++) {
    const key = bytes.readBigUInt64LE(request * recordBytes);
    let number = numbers.get(key);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(key, number);
      sizes.push(bytes.readUInt32LE(request * recordBytes + 8));
    }
    keys[request] = number;
  }
  return {
    name: basename(file).replace(/\.bin(\.gz)?$/, ""),
    keys,
    sizes: Uint32Array.from(sizes),
  };
}

/** Numbers in [0, 1), the same ones for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Requests of a service with everything that tells policies apart: popular keys (Zipf, 0.9), scans of keys that never come
 *  again, and a loop over somewhat more keys than fit. */
export function generatedTrace(requests: number, popular: number, seed: number): Trace {
  const random = randomFrom(seed);
  const sums = new Float64Array(popular);
  let sum = 0;
  for (let key = 0; key < popular; key++) sums[key] = sum += (key + 1) ** -0.9;
  const loopKeys = Math.floor(popular / 4);
  let scanned = popular + loopKeys;
  let looped = 0;
  const keys = new Uint32Array(requests);
  for (let request = 0; request < requests; request++) {
    // In stretches, as jobs run beside a service now and then.
    const job = Math.floor(request / 2000) % 5;
    if (job === 2 && random() < 0.7) keys[request] = scanned++;
    else if (job === 4 && random() < 0.7) keys[request] = popular + (looped++ % loopKeys);
    else keys[request] = drawn(sums, random() * sum);
  }
  const sizes = Uint32Array.from({ length: scanned }, () => 1 + Math.floor(random() ** 3 * 4000));
  return { name: "generated", keys, sizes };
}

function drawn(sums: Float64Array, point: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sums[middle] as number) <= point) low = middle + 1;
    else high = middle;
  }
  return low;
}
