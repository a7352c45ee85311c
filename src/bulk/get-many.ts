// Reads many keys: what is near or in memory at once and without a promise each, the rest from disk
// in the order of files and offsets, a bounded number of reads at a time. Called by `getMany`.
// Invariant: no result of a lookup is kept across an await, only hashed keys.
import { assertNotAborted } from "../base/mod.js";
import { unitOfLocation } from "../disk/mod.js";
import type { EntryReader } from "../entries/mod.js";
import type { HashedKey, Key } from "../kernel/mod.js";
import { eachOf } from "./parallel.js";

/** Disk reads of one call that are under way at once. */
export const diskReadsAtOnce = 64;

interface Read {
  readonly position: number;
  readonly key: HashedKey;
  readonly unit: number;
}

/** The value of each key, undefined where there is none. A promise if a key is on disk. */
export function getMany<V>(
  reader: EntryReader<V>,
  keys: readonly Key[],
  signal: AbortSignal | undefined,
): (V | undefined)[] | Promise<(V | undefined)[]> {
  const reads: Read[] = [];
  const values = keys.map((key, position) =>
    reader.get(key, (hashed, location) => {
      reads.push({ position, key: hashed, unit: unitOfLocation(location) });
      return undefined;
    }),
  ) as (V | undefined)[];
  if (reads.length === 0) return values;
  reads.sort((left, right) => left.unit - right.unit);
  const read = async ({ position, key }: Read): Promise<void> => {
    assertNotAborted(signal);
    values[position] = await reader.readFresh(key);
  };
  return eachOf(reads, diskReadsAtOnce, read).then(() => values);
}
