// Generated requests for the tests of eviction: the same ones for the same seed.

import { seededRandom } from "../../dist/bench/workload.js";

/** A hash for each key below `keys`. */
export function hashesOf(keys: number): Uint32Array {
  const random = seededRandom(1);
  return Uint32Array.from({ length: keys }, () => Math.floor(random() * 2 ** 32));
}

/** `count` requests for keys below `keys`; key k is requested in proportion to (k + 1) ** -skew. */
export function zipf(keys: number, count: number, skew: number, seed: number): Uint32Array {
  const sums = new Float64Array(keys);
  let sum = 0;
  for (let key = 0; key < keys; key++) sums[key] = sum += (key + 1) ** -skew;
  const random = seededRandom(seed);
  return Uint32Array.from({ length: count }, () => {
    const point = random() * sum;
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sums[middle] as number) <= point) low = middle + 1;
      else high = middle;
    }
    return low;
  });
}

/** `count` requests that loop over the keys from `first` to `first + keys - 1`. */
export function loop(first: number, keys: number, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => first + (index % keys));
}
