// Repairs the index: releases the locks of a dead thread, and reconciles an index that was read
// from a snapshot of an earlier session.
import * as at from "../layout";
import { bucketAt, diskEntryOf } from "./index/bucket";
import { bucketBase, bucketCount, neverEvicts } from "./geometry";
import { finishMove } from "./index/displacement";
import { chunkBit, isDisk, locationBits } from "./index/slot";

/** Releases the bucket locks that a dead thread owned; answers how many. The thread noted its
 *  locks in its block before it took them. A noted lock is released only if it still holds
 *  `lockWord`, which names the thread id and its incarnation. Call this only when the thread is
 *  proven dead. */
export function releaseLocks(lockWord: u32): u32 {
  const deadBlock =
    <usize>at.threadTable + <usize>((lockWord & 0xff) - 1) * <usize>at.threadBlockSize;
  let released: u32 = 0;
  for (let note = 0; note < 2; note++) {
    const bucket = <usize>load<u32>(deadBlock + (<usize>note << 2), at.threadLock0);
    if (bucket == 0 || atomic.load<u32>(bucket) != lockWord) continue;
    if (neverEvicts) finishMove(<u32>((bucket - bucketBase) / at.bucketSize));
    if (atomic.cmpxchg<u32>(bucket, lockWord, 0) == lockWord) released += 1;
  }
  return released;
}

/** Reconciles an index that was read from a snapshot: clears all locks, and empties the slots
 *  that name memory or a free segment file. Answers how many entries are left; a chunk is none. */
export function reconcileIndex(): u32 {
  let entries: u32 = 0;
  for (let bucket: u32 = 0; bucket < bucketCount; bucket++) {
    atomic.store<u32>(bucketAt(bucket), 0);
    for (let slot = bucketAt(bucket) + 8; slot < bucketAt(bucket) + at.bucketSize; slot += 8) {
      const word = atomic.load<u64>(slot);
      if (word == 0) continue;
      if (!isDisk(word) || load<u32>(diskEntryOf(word & locationBits)) == at.diskFree) {
        atomic.store<u64>(slot, 0);
      } else if ((word & chunkBit) == 0) entries += 1;
    }
  }
  return entries;
}
