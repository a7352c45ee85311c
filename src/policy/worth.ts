// What one hit of an entry is worth, which the policy "lfu" weighs and "auto" counts misses by. How
// long a load took is kept as a class of 3 bits, a factor of four each, so that it fits a record, a
// sample and a segment's walk. Called by the policies, the tuner and whoever loads.

/** What is to be saved: loads, bytes loaded, or time spent loading. */
export const worths = ["hits", "bytes", "load-time"] as const;

/**
 * What one hit is worth to the eviction of a cache: `"hits"`, each the same; `"bytes"`, as much as
 * the entry has bytes; `"load-time"`, as long as its loader took.
 *
 * @example
 * ```ts
 * import { openCache, type Worth } from "undercroft";
 *
 * const worth: Worth = "load-time";
 * const cache = await openCache({ eviction: { policy: "auto", worth } });
 * await cache.close();
 * ```
 */
export type Worth = (typeof worths)[number];

/** The class of a time that is not known: the entry was set, not loaded. */
export const loadClassUnknown = 0;
export const loadClasses = 8;

/** The class of a load that took so many milliseconds: 1 for less than one, 2 for less than four,
 *  and so on; 7 from 1,024 on. */
export function loadClassOf(ms: number): number {
  let loadClass = 1;
  for (let bound = 1; ms >= bound && loadClass < loadClasses - 1; bound *= 4) loadClass += 1;
  return loadClass;
}

/** About the milliseconds of a class. */
export function loadMsOf(loadClass: number): number {
  return 4 ** loadClass / 8;
}
