// What every suite reads and writes: the value, the key strings and the order of the reads. All are
// made from seeds, so two runs, and all peers of one run, see the same. Called by the peers and the
// suites.

/** The value of the suites: five fields, about 146 bytes of msgpack. */
export interface Profile {
  readonly id: number;
  readonly name: string;
  readonly role: string;
  readonly createdAt: number;
  readonly tags: readonly string[];
}

const roles = ["administrator", "subscriber", "contributor", "maintainer"] as const;
const firstCreatedMs = Date.UTC(2024, 0, 1);

/** The value of entry `id`: a new object with new strings at each call. */
export function profileOf(id: number): Profile {
  return {
    id,
    name: `Profile of the registered user with number ${id + 1_000_000}`,
    role: roles[id & 3] ?? roles[0],
    createdAt: firstCreatedMs + id * 1000,
    tags: [`team:${id % 1000}`, `region:europe-${id % 7}`, `plan:standard-${id % 3}`],
  };
}

/** The key of entry `id`: a new string at each call, as a service builds it. */
export function keyOf(id: number): string {
  return `user:${id}:profile`;
}

/** The keys of entries 0 to `count` - 1, each built once. */
export function internedKeys(count: number): string[] {
  return Array.from({ length: count }, (_, id) => keyOf(id));
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * `length` draws of entries below `entries`, Zipf-like with exponent 0.99: the r-th most read entry
 * has weight 1 / r^0.99. Ranks are shuffled over the entries, so that the most read do not lie side
 * by side.
 */
export function zipfDraws(entries: number, length: number, seed: number): Uint32Array {
  const random = seededRandom(seed);
  const cumulative = new Float64Array(entries);
  let sum = 0;
  for (let rank = 0; rank < entries; rank++) {
    sum += (rank + 1) ** -0.99;
    cumulative[rank] = sum;
  }
  const entryOfRank = shuffled(entries, random);
  const draws = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    draws[i] = entryOfRank[rankAt(cumulative, random() * sum)] ?? 0;
  }
  return draws;
}

/** The numbers below `count` in a random order. */
export function shuffled(count: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    const kept = order[i] ?? 0;
    order[i] = order[other] ?? 0;
    order[other] = kept;
  }
  return order;
}

/** The first index whose cumulative weight exceeds `at`. */
function rankAt(cumulative: Float64Array, at: number): number {
  let [low, high] = [0, cumulative.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((cumulative[middle] ?? 0) > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
