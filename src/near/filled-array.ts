// Preallocated arrays for the near index.

/** An array of `count` undefined elements. It has no holes, which V8 would check for at each read,
 *  and doubling by copy is a few times as fast as filling element by element. */
export function filledArray(count: number): unknown[] {
  let filled: unknown[] = [undefined];
  while (filled.length < count) filled = filled.concat(filled.slice(0, count - filled.length));
  return filled;
}
