// The contract of an eviction policy: pure arithmetic over what the index knows of an entry, no memory of its own, so
// that the engine and a simulator run the same code. The janitor asks it for each record of the segment it empties.

/** The two logs of memory segments: new entries go to "small", entries that were hit there move to "main". */
export type Pool = "small" | "main";

/** `evict`: the answer of `decide` for an entry that leaves. */
export const evict: number = -1;

export interface EvictionPolicy {
  /** Which log gives up its oldest segment next, by how many segments each has. */
  victim(smallSegments: number, mainSegments: number): Pool;
  /** The frequency (0 to 3) with which an entry goes on in the main log, or `evict`. `frequency` is how often it was hit
   *  since it was written or last moved, counted to 3. */
  decide(pool: Pool, frequency: number): number;
}
