// The words of the control block (layout.ts) that say which values are coming as streams, over all
// threads. tsc and asc compile this file, like layout.ts. A thread may have many, and each lasts
// over awaits, so they do not stand in its block (threadLargeWrite).

/** findHead: the chunk's value is being written as a stream that is larger than memory takes. */
export const answerSpilling = 9;
/** Streams being written at once, over all threads. */
export const streamsMax = 64;
/** u64 × streamsMax: the id of the value, 0 = none. While it is set, chunks with that id live
 *  without a head. Its writer stores it; eviction and reclaim may clear it by CAS, which abandons
 *  the write. */
export const streamIds = 1024;
/** u32 × streamsMax: 0 = free, else the thread id + 1 of the writer, by CAS from 0; with
 *  streamSpills once the value is larger than memory takes: what is on disk of it leaves memory. */
export const streamOwners = 1536;
export const streamsEnd = 1792; // streamOwners + streamsMax * 4
export const streamSpills = 256;
export const streamOwnerMask = 255;
/** The low byte of such an id: this and the number of its words. Other ids have a thread id. */
export const streamIdsFrom = 128;
