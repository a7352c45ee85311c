// Places for what is kept near. Called by the near table and by what stands beside it.

/** An array of this many elements, all undefined: without holes, which V8 would look for at each read, and made by copying, a
 *  few times as fast as one by one. */
export function filledArray(count: number): unknown[] {
  let places: unknown[] = [undefined];
  while (places.length < count) places = places.concat(places.slice(0, count - places.length));
  return places;
}
