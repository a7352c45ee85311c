// Which keys were written while the directory was another cache's (cache/disk/take-over.ts): a
// filter of one bit a key, by the key's hash. What the directory has of these keys is older, so the
// scan that takes it over leaves them out. The filter may say too many, which costs misses, never
// too few. Called for each change of a key. Invariant: a writer notes a key under the key's home
// lock, and the scan asks under the same lock: it sees the note, or the writer finds what it put
// in. evictUnlocked has no lock: it notes the key before it looks, and the scan asks once more
// after it has filled a slot.
import * as dir from "../layouts/directory-layout";
import { writtenBase, writtenMask } from "./geometry";

// @ts-ignore: decorator
@inline
function bitOf(hash: u64): u32 {
  return <u32>(hash >> 16) & writtenMask;
}

// @ts-ignore: decorator
@inline
function wordOf(bit: u32): usize {
  return writtenBase + ((<usize>bit >> 5) << 2);
}

/** Notes that a key is written. Does nothing in a cache that has its directory. */
// @ts-ignore: decorator
@inline
export function noteWritten(hash: u64): void {
  if (writtenMask != 0) note(hash);
}

function note(hash: u64): void {
  if (atomic.load<u32>(dir.controlDirectory) == dir.directoryOurs) return;
  const bit = bitOf(hash);
  atomic.or<u32>(wordOf(bit), (<u32>1) << (bit & 31));
}

/** Whether the key may have been written since the cache was opened without its directory. */
export function isWritten(hash: u64): bool {
  if (writtenMask == 0) return false;
  const bit = bitOf(hash);
  return (atomic.load<u32>(wordOf(bit)) & ((<u32>1) << (bit & 31))) != 0;
}
