// Chance that is the same for the same seed. Called by whoever answers messages.

/** A number from 0 to 1, the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The user with rank r comes in proportion to 1 / r ** exponent. */
export function zipf(count: number, exponent: number): (random: number) => number {
  const sums: number[] = [];
  for (let rank = 1; rank <= count; rank++) sums.push((sums.at(-1) ?? 0) + 1 / rank ** exponent);
  const total = sums.at(-1) ?? 1;
  return (random) =>
    Math.max(
      0,
      sums.findIndex((sum) => sum > random * total),
    );
}
