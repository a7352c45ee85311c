// Putting the index in order after others: locks of a dead thread, and what a snapshot of another life brings along.
import * as at from "../layout";
import { bucketAt, diskEntryOf } from "./index/bucket";
import { bucketBase, bucketCount, neverEvicts } from "./geometry";
import { finishMove } from "./index/displacement";
import { isDisk, locationBits } from "./index/slot";

/** Frees the bucket locks that a thread left held when it died: those it noted, if they hold its word, which names its
 *  place and one life of it. Call only when its death is proven. */
export function releaseLocks(lockWord: u32): u32 {
  const holder = <usize>at.threadTable + <usize>((lockWord & 0xff) - 1) * <usize>at.threadBlockSize;
  let released: u32 = 0;
  for (let note = 0; note < 2; note++) {
    const bucket = <usize>load<u32>(holder + (<usize>note << 2), at.threadLock0);
    if (bucket == 0 || atomic.load<u32>(bucket) != lockWord) continue;
    if (neverEvicts) finishMove(<u32>((bucket - bucketBase) / at.bucketSize));
    if (atomic.cmpxchg<u32>(bucket, lockWord, 0) == lockWord) released += 1;
  }
  return released;
}

/** Makes an index that was read from a snapshot fit this life: locks are free, and what it says of memory and of free
 *  segment files is gone. Answers how many entries are left. */
export function reconcileIndex(): u32 {
  let entries: u32 = 0;
  for (let bucket: u32 = 0; bucket < bucketCount; bucket++) {
    atomic.store<u32>(bucketAt(bucket), 0);
    for (let slot = bucketAt(bucket) + 8; slot < bucketAt(bucket) + at.bucketSize; slot += 8) {
      const word = atomic.load<u64>(slot);
      if (word == 0) continue;
      if (isDisk(word) && load<u32>(diskEntryOf(word & locationBits)) != at.diskFree) entries += 1;
      else atomic.store<u64>(slot, 0);
    }
  }
  return entries;
}
