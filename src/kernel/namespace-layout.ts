// The layout of an entry of the namespace table: the namespaces by their ids, which records call
// spaces. tsc compiles this file for TypeScript and asc compiles it into the kernel.
//
// Entry 0 is the cache's own key space, which has no name and no share. An entry is made once, by
// the thread with the namespace lock, which writes its state last; it stays for the session.

/** u32: 0 = none, 1 = known from an earlier session, 2 = in use. */
export const namespaceState = 0;
export const namespaceNameBytes = 4; // u32
/** u64: its records up to this sequence are cleared. */
export const namespaceClearEpoch = 8;
export const namespaceVersionBytes = 16; // u32
/** f64: bytes of memory, and of the disk, that are kept for it. */
export const namespaceMemoryShare = 24;
export const namespaceDiskShare = 32;
/** Six u32, each only grows, and wraps: the differences are its live bytes, entries and negative
 *  answers in memory. Whoever fills or empties a slot adds, after the slot has changed; a thread
 *  that dies between leaves them wrong until the janitor has counted anew (recount). */
export const namespaceBytesIn = 40;
export const namespaceBytesOut = 44;
export const namespaceEntriesIn = 48;
export const namespaceEntriesOut = 52;
export const namespaceNegativesIn = 72;
export const namespaceNegativesOut = 76;
/** u32: what the janitor's count has seen so far. */
export const namespaceBytesSeen = 56;
export const namespaceEntriesSeen = 60;
/** u64: stands for the version in the directory. */
export const namespaceVersionHash = 64;
/** Three u64, each only grows: its entries evicted from memory, evicted from the disk, and expired
 *  (stats/space-counters.ts). Whoever took one out adds, in one atomic step. */
export const namespaceEvictionsMemory = 80;
export const namespaceEvictionsDisk = 88;
export const namespaceExpirations = 96;
/** u32: the session that last asked for it, as the directory counts those that asked for any. Of
 *  entry 0: the last one before this session. */
export const namespaceLastUse = 104;
export const namespaceName = 128; // at most 192 bytes of UTF-8
export const namespaceVersion = 320; // at most 192 bytes of UTF-8
