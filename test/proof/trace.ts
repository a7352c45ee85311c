// Request traces: read from files, or generated. Called by the replay proof and by the tests of
// eviction.

import { seededRandom } from "../../bench/workload.js";
import { readTrace } from "../../src/simulation/mod.js";

export interface Trace {
  readonly name: string;
  /** Of each request: a dense number of its key. */
  readonly keys: Uint32Array;
  /** Of each key: its bytes. */
  readonly sizes: Uint32Array;
}

/** A trace file in the simulator's format; each key has the size of its first request. Rejects with
 *  ERR_TRACE. */
export async function traceOf(file: string): Promise<Trace> {
  const { name, key, keys, size } = await readTrace(file);
  const sizes = new Uint32Array(keys).fill(1);
  if (size !== null) {
    for (let request = key.length - 1; request >= 0; request--) {
      sizes[key[request] as number] = size[request] as number;
    }
  }
  return { name, keys: Uint32Array.from(key), sizes };
}

/** Requests like a service's with everything that tells policies apart: popular keys (Zipf, 0.9),
 *  scans of keys that never come again, and a loop over somewhat more keys than fit. */
export function generatedTrace(requests: number, popular: number, seed: number): Trace {
  const random = seededRandom(seed);
  const sums = new Float64Array(popular);
  let sum = 0;
  for (let key = 0; key < popular; key++) sums[key] = sum += (key + 1) ** -0.9;
  const loopKeys = Math.floor(popular / 4);
  let scanned = popular + loopKeys;
  let looped = 0;
  const keys = new Uint32Array(requests);
  for (let request = 0; request < requests; request++) {
    // In runs, as jobs run beside a service now and then.
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
