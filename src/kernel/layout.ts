// The layout of a cache's shared memory, one WebAssembly.Memory that every thread of the process
// maps. tsc compiles this file for TypeScript and asc compiles it into the kernel, so the two
// cannot differ. Only the kernel writes the index, the segment tables and the flight table, except
// for the CAS by which DiskSegmentTable quarantines a segment file.
//
//   0 ┬ control block      4 KiB     geometry, and words that several threads write, on own lines
//     ├ thread blocks      68 × 4 KiB
//     ├ schema table       32 KiB             schema dictionary (dictionary/schema-image.ts)
//     ├ invalidation log   2,048 × 8 bytes    the keys written last, for near caches
//     ├ namespace table    65 × 512 bytes
//     ├ segment table      64 bytes a memory segment
//     ├ disk segment table 64 bytes a segment file
//     ├ index              64-byte buckets
//     ├ flight table       loads under way (flight-layout.ts); none in a map
//     ├ tag table          128-byte buckets   which tags were invalidated, and when
//     ├ key history        admission's seen keys, then the eviction policy's state (region.ts)
//     ├ sample rings       one per thread, if requests are sampled; the filter of written keys
//     ├ memory segments    the log of records (record/record-layout.ts), `segmentBytes` each
//     └ slack              a page per thread, for a key too long for the thread's scratch, and one
//                          more; a reader that follows a torn length stays in the memory

export const kernelMagic = 0x54464355; // "UCFT"
export const kernelLayoutVersion = 10;
export const pageSize = 65536;
export const cacheLineSize = 64;

// ── Control block. Offsets from 0. ─────────────────────────────────────────────────────────────
export const controlBlockSize = 4096;
export const controlMagic = 0; // u32
export const controlLayoutVersion = 4; // u32
/** u32: stateOpen, stateClosing, stateClosed. The opener writes it, or a thread that finds the
 *  opener dead. */
export const controlState = 8;
export const controlSegmentBytes = 12; // u32
export const controlSegmentCount = 16; // u32
export const controlSegmentTable = 20; // u32 offset
export const controlSegmentBase = 24; // u32 offset
export const controlBucketCount = 28; // u32
export const controlBucketBase = 32; // u32 offset
export const controlDiskSegmentCount = 36; // u32, 0 = memory only
export const controlDiskTable = 40; // u32 offset
export const controlDiskSegmentUnits = 44; // u32, 16-byte units in a disk segment
export const controlReserve = 52; // u32, free segments kept for moves of live records
export const controlKeyHistoryBase = 56; // u32 offset: the key history (region.ts)
export const controlSeenBytes = 60; // u32, bytes of admission's part of it, which comes first
export const controlPolicyBytes = 72; // u32, bytes of the eviction policy's part, which comes next
export const controlSampleBase = 76; // u32 offset: the rings of sampled requests, one per thread
export const controlSampleSlots = 80; // u32, requests per ring, a power of two; 0 = no rings
export const controlSeed = 64; // u64, seed of the key hash
export const controlFlightBase = 92; // u32 offset: the flight table (flight-layout.ts)
export const controlFlightCount = 96; // u32, flights in it: a power of two, or 0 in a map
/** u32, 1 = a map: nothing is evicted, and an entry counts until its slot is empty. */
export const controlNeverEvicts = 88;
export const controlTagBase = 104; // u32 offset: the tag table
export const controlTagBuckets = 108; // u32, 0 in a map
export const controlSegmentsWanted = 112; // u32, segments to be in use; `resize` writes it
/** u64, own line: the newest sequence given out. Writers add to it under a bucket lock. */
export const controlSequence = 128;
/** u64: the number of the last invalidation, which near hits compare; it is on the line of the
 *  sequence, which every write changes anyway. Numbers start at firstInvalidation, the bits of the
 *  double 2^52, so a JavaScript view of doubles shows 2^52 + n for the n-th. */
export const controlInvalidations = 136;
export const firstInvalidation = 4503599627370496;
/** u64, of an f64: no entry in memory ends before this time. A sweep begins with Infinity. */
export const controlSoonest = 144;
export const controlSeals = 160; // u64: memory segments sealed so far
export const controlAsleep = 152; // u32: 1 while the janitor sleeps until a change rings
/** u64: records up to this sequence are cleared. Every hit reads it, `clear` writes it. */
export const controlClearEpoch = 192;
/** 2 × f64: the time at the monotonic zero, and how far it is ahead (base/clock.ts, ClockWords). */
export const controlClockWords = 200;
/** u32: near caches drop everything when it changes (a clear, or a generation that wraps). */
export const controlNearEpoch = 216;
/** f64: wall-clock ms that creation times in records count from; an injected clock may start before
 *  2020. */
export const controlCreatedBase = 224;
/** u32: requests are sampled for keys whose low hash half has none of these bits; sampleNothing =
 *  no key. Every request reads it, the janitor writes it. */
export const controlSampleMask = 232;
export const sampleNothing = 0xffffffff;
/** u64, own line: bit n is set while thread id n has flights; 0 lets every write skip the flight
 *  table. */
export const controlFlightThreads = 256;
/** u32, own line: the doorbell, added to and notified when the janitor has work. */
export const controlDoorbell = 320;
/** u32, own line: the newest flush ticket taken. */
export const controlFlushRequested = 384;
export const controlFlushDone = 388; // u32: the newest flush ticket done; waiters wait here
export const controlFlushSync = 392; // u32: the newest flush ticket that requested an fsync
/** u32: 1 while the disk tier takes writes; 0 when it failed or there is none. */
export const controlDiskUp = 396;
export const controlStop = 400; // u32: the janitor stops when this is 1
export const controlEventMask = 404; // u32: 1 if somebody listens to evict and expire events
export const controlSyncDone = 408; // u32: the newest whose fsync is over; waiters wait here
export const controlSyncFailed = 412; // u32: bit 0: the last fsync failed; bit 1: one ever did
/** u32: grows with each invalidation of a tag. A tagged near value is valid for one value of it. */
export const controlTagEpoch = 580;
export const controlTagFloor = 592; // u64: tagged records up to it are invalidated
export const controlTagNewest = 600; // u64: the newest of table and floor; later records are valid
export const controlTagLock = 640; // u32, own line: thread id + 1 that writes to the tags file
export const controlTagsTracked = 644; // u32: taken slots of the tag table
export const controlTagSweeps = 648; // u32: added to and notified when tags were forgotten
export const controlTagFileFloor = 656; // u64: no thread writes a lower floor to disk
/** u32: in a map, thread id + 1 of the compacting thread; 0 = none. */
export const controlCompactor = 576;
/** u32: the newest flush ticket whose writes failed or were not tried. */
export const controlFlushFailed = 416;
/** u32: ids of the schema dictionary given out. Raised under the lock, once the entry is in memory
 *  and on disk. */
export const controlSchemaCount = 424;
/** u32: offset in the schema table of the next entry's bytes; written under the lock. */
export const controlSchemaEnd = 428;
/** u32: thread id + 1 of the thread adding a schema, 0 = none. A thread that finds it taken adds
 *  none. */
export const controlSchemaLock = 432;
export const controlNamespaceShares = 420; // u32: namespaces with a share; 0: eviction skips them
export const controlNamespaceClears = 444; // u32: grows with each clear of a namespace
/** u32: thread id + 1 of the thread that adds or clears a namespace, 0 = none. */
export const controlNamespaceLock = 440;
/** i32: removals sent to the opener and not told to listeners yet. Senders add, the opener
 *  subtracts. The opener resets it when a janitor died, whose last message may be lost. */
export const controlEventsWaiting = 436;
/** f64: live entries at the last clear; the entry counters count from there. */
export const controlClearedMemoryEntries = 448;
export const controlClearedMemoryBytes = 456;
export const controlClearedDiskEntries = 464;
export const controlClearedNegatives = 472;
/** f64, own line: coarse wall clock in ms. The janitor writes it every round (with an injected
 *  clock its holders do), so it is not on a line that every hit reads. */
export const controlClock = 512;

export const stateOpen = 1;
export const stateClosing = 2;
export const stateClosed = 3;

// ── Thread blocks, one per thread id. ──────────────────────────────────────────────────────────
//
// Only its thread writes a block, except `threadState` (CAS by a claimer), `threadRecoverer` and
// `threadSampleTail` (the janitor). After a thread's death its recoverer writes the block
// (threads/thread-table.ts).
export const threadTable = 4096;
/** Ids 0 to 63 are the user's: only they wait for flights, whose waiters are the bits of a u64. */
export const userThreadsMax = 64;
export const poolThreadsMax = 4; // the janitor, two store workers, a janitor not recovered yet
export const threadsMax = 68; // userThreadsMax + poolThreadsMax
/** Pages behind the segments: one per thread, whose long keys are there, and one since the first
 *  begins where the segments end. Together they hold more than the largest header, extension and
 *  key: 24 + 2,040 + 65,536 bytes. */
export const slackPages = 69; // threadsMax + 1
export const threadBlockSize = 4096;
/** u32: 0 = free, else the holder: bit 0 is set, and bit 1 says whose number is above
 *  (threadBySystem: the operating system's thread number, else Node.js's). One word, so an id is
 *  never held by nobody. */
export const threadState = 0;
export const threadHeld = 1;
export const threadBySystem = 2;
export const threadIdShift = 2;
export const threadIncarnation = 4; // u32, added to when the id is given back
export const threadOpenSegment = 8; // u32: small-log segment + 1 this thread appends to, 0 = none
export const threadOpenMainSegment = 12; // u32: main-log segment + 1 that it moves records to
/** Two u32: disk segment + 1 of a pending tombstone of this thread; its reclaim waits for 0. */
export const threadTombstoneSegment0 = 16;
export const threadTombstoneSegment1 = 20;
export const threadWorkerId = 24; // u32: the thread's id in Node.js, which a worker's exit names
/** u32: 0, or thread id + 1 of the thread that recovers the dead holder; taken by CAS, so one at a
 *  time. */
export const threadRecoverer = 28;
/** Two u32: offsets of the bucket locks it took last or waits for, noted before it takes them. */
export const threadLock0 = 32;
export const threadLock1 = 36;
/** f64: when the system started the thread, in its ticks; 0 = unknown. With the number it names one
 *  thread for ever. */
export const threadStarted = 40;
export const threadFlights = 56; // u32: flights of this thread that are not done
export const threadOpenFiles = 60; // u32: segment files that this thread has open

/** u32: sampled requests noted by the thread and, the tail, taken by the janitor. Never reset: they
 *  count over all incarnations. */
export const threadSampleHead = 48;
export const threadSampleTail = 52;
/** A sampled request: u32 high half of the key's hash, u32 what its entry is. */
export const sampleSize = 8;
/** The latter: its size in units of 8 bytes, and the class of its load time above that. */
export const sampleUnitsMask = 0x1fffffff;
export const sampleLoadShift = 29;

// The results of the thread's last kernel call. Numbers above 32 bits are f64.
export const resultSequence = 64; // f64
export const resultExpires = 72; // f64 wall ms, 0 = never
export const resultRecord = 80; // u32 offset of the record
export const resultSlotLow = 84; // u32 the slot's word, low half
export const resultSlotHigh = 88; // u32
export const resultRecordSize = 92; // u32
export const resultTombstone0 = 96; // f64 disk location of a pending tombstone, 0 = none
export const resultTombstone1 = 104; // f64
export const resultLocation = 112; // f64 disk location of a disk hit
export const resultHashLow = 120; // u32
export const resultHashHigh = 124; // u32
export const resultKeyOffset = 128; // u32 of the record: where its key starts
export const resultSlot = 132; // u32 slot number
export const resultTagEpoch = 140; // u32: the tag epoch that `find` read before the tags
export const resultTagHash = 144; // u64: what hashTag computed
export const resultTagSlot = 152; // u32: the slot of invalidateTag's tag, or noTagSlot
export const resultUnvisited = 156; // u32: slots that sweep could not visit, since a lock was taken

/** u64: the id of the value in chunks that the thread is writing; 0 = none. While it is set, chunks
 *  with that id live without a head. Set and cleared by the thread; eviction may clear it by CAS,
 *  which abandons the write. */
export const threadLargeWrite = 160;

/** f64: the number of the invalidation that the thread's last publish or remove noted, under the
 *  key's lock, as the bits of an integer: the order of all changes of one key. */
export const resultChange = 168;

export const threadCounters = 176; // counterCount × f64
export const counterCount = 86;
export const invalidationBatch = 16; // the most that one readInvalidations reads
export const threadInvalidations = 864; // invalidationBatch × u32: hash low halves that it read
export const threadTagScratch = 864; // where it hashes tags; never while it reads invalidations
export const tagScratchSize = 96;

// The value in chunks that the thread's last calls are about: its own register, which `findHead`
// and `setValue` fill, and `publish` and `remove` where they replaced a head.
export const threadValue = 960; // valueSize bytes
export const valueSize = 64;
export const valueHash = 0; // u64, of the head's key
export const valueId = 8; // u64
export const valueChunks = 16; // u32; after publish and remove 0 = no head was replaced
export const valueBytes = 20; // u32: value and head record
export const valueFrequency = 24; // u8, of the head's slot
export const valueLog = 25; // u8: logSmall or logMain, where the head is
export const valueRound = 28; // u32, of the head
/** u32: the memory segment + 1 that the last chunk left, 0 = it was not in memory. */
export const valueSegment = 32;
export const valueTaken = 36; // u32: the bytes that it took there
export const valueKey = 40; // the key of the chunk that is looked for
export const valueSpace = 62; // u8, the space of head and chunks
export const threadHistograms = 1024; // histogramCount × (histogramBuckets × u32, f64 sum in ns)
export const histogramCount = 4;
export const histogramBuckets = 62;
export const threadKeyScratch = 2048;
export const keyScratchSize = 2048;

// ── Schema table. ──────────────────────────────────────────────────────────────────────────────
export const schemaTable = 282624; // threadTable + threadsMax * threadBlockSize
export const schemaTableSize = 32768;

// ── Invalidation log: a ring of the last invalidations (assembly/invalidations.ts). ────────────
//
// A word is the low 32 bits of the invalidation's number, from 1, in its high half, and the low
// half of the key's hash in its low half.
export const invalidationLog = 315392; // schemaTable + schemaTableSize
/** A near cache that is farther behind trusts nothing any more. */
export const invalidationsMax = 2048;

// ── Namespace table (namespace-layout.ts). ─────────────────────────────────────────────────────
export const namespaceTable = 331776; // invalidationLog + invalidationsMax * 8
export const namespacesMax = 64;
export const namespaceSize = 512;

/** A key as the verbs take it: its bytes, and above them the id of its namespace. */
export const extentSpaceShift = 24;
export const extentLengthMask = 0xffffff;

export const segmentTable = 365056; // namespaceTable + (namespacesMax + 1) * namespaceSize

// ── Segment table, one line a memory segment. ──────────────────────────────────────────────────
export const segmentEntrySize = 64;
/** u32: free → open → sealed → evicting → free, or evicting → blocked → sealed, or free → withheld
 *  → free. Open and evicting are entered by CAS, with the thread id + 1 above the state, so a dead
 *  thread's segments can always be found. */
export const segmentState = 0;
export const segmentGeneration = 4; // u32, added to at each reuse; slots hold its low 15 bits
/** u32: bytes of records that no slot names any more. Added to under the key's lock, after the slot
 *  changed. If the thread dies between, it stays too low until it is free; it guides reclaim. */
export const segmentDeadBytes = 8;
export const segmentLog = 12; // u32: logSmall, logMain
export const segmentWriteOffset = 16; // u32: end of the reserved records
/** u32: records before it are on disk or were refused. Written by the janitor only. */
export const segmentFlushedOffset = 20;
export const segmentSealOrder = 24; // f64: its number among all sealed; no two are alike
export const segmentMaxExpires = 32; // f64: latest expiry in it, Infinity if a record never expires
export const segmentMaxSequence = 40; // f64
export const segmentBlocker = 48; // u32: while blocked, the bucket whose lock could not be had
/** u32: 1 while the flusher reads it or has its records in an unwritten batch: it cannot be
 *  claimed. */
export const segmentPin = 52;
/** u32: 1 when a record lost its disk copy to reclaim, so that a flush looks at it again. */
export const segmentDiskCopyLost = 56;
/** u32: 1 when admission deferred a record in it, so that a requested flush looks at it again. Set
 *  by the janitor only. */
export const segmentDeferred = 60;
export const segmentFree = 0;
export const segmentOpen = 1;
export const segmentSealed = 2;
export const segmentEvicting = 3;
export const segmentThreadShift = 8;
export const segmentStateMask = 255;
/** A record in it could not be visited, since a bucket lock was taken. Sweep seals it once that
 *  lock is free. */
export const segmentBlocked = 4;
export const segmentWithheld = 5; // out of use, since the memory was made smaller
export const logSmall = 0;
export const logMain = 1;
/** In a slot a segment number has 12 bits, and an offset 17 bits in units of 8 bytes. */
export const segmentCountMax = 4096;
export const segmentBytesMax = 1048576;
export const segmentBytesMin = 32768;

// ── Disk segment table, one line a segment file. ───────────────────────────────────────────────
export const diskEntrySize = 64;
export const diskState = 0; // u32: diskFree, diskOpen, diskSealed, diskReclaiming, diskQuarantined
export const diskGeneration = 4; // u32, added to at each reuse
export const diskNonce = 8; // u64
export const diskSerial = 16; // f64: order of allocation over all sessions of the directory
export const diskTombstoneCount = 24; // u32: tombstones given out in its list
export const diskRecordCount = 28; // u32: records written in this generation
export const diskEndOffset = 32; // u32: where the next batch goes
export const diskMaxExpires = 40; // f64
export const diskCreated = 56; // f64 wall ms
export const diskMaxSequence = 48; // f64: newest sequence in it; a clear after that empties it
export const diskFree = 0;
export const diskOpen = 1;
export const diskSealed = 2;
export const diskReclaiming = 3;
export const diskQuarantined = 4;

// ── Index bucket: one cache line, a bucket word and seven slots. ───────────────────────────────
//
//   lock       u32  0 = free, else the owner's thread id + 1 (8 bits) and incarnation (24 bits)
//   displaced  u32  entries at home here that are in their other bucket; 0 ends a search early
//   slot       u64  0 = empty, else
//
//   63        48 47       46 45        44    43                                                0
//  ┌────────────┬───────────┬──────────┬──────┬─────────────────────────────────────────────────┐
//  │ fingerprint│ frequency │ displaced│ tier │ memory: generation 15 │ segment 12 │ offset/8 17 │
//  │    16      │     2     │    1     │  1   │ disk: size class 6 │ chunk 1 │ 16-byte unit 37  │
//  └────────────┴───────────┴──────────┴──────┴─────────────────────────────────────────────────┘
//
// In the slot of a chunk the frequency is the round of its value in which it was moved last.
// A key is in its home bucket or, displaced, in its other bucket. Every change of a slot is one CAS
// of the whole word, under the lock of the key's home bucket (but for hits and evictUnlocked).
export const bucketSize = 64;
export const bucketLock = 0;
export const bucketDisplaced = 4;
export const bucketSlots = 7;
export const slotFingerprintShift = 48;
export const slotFrequencyShift = 46;
export const slotFrequencyMax = 3;
export const slotDisplacedShift = 45;
export const slotTierShift = 44;
export const slotLocationBits = 44;
export const locationOffsetBits = 17;
export const locationSegmentBits = 12;
export const locationGenerationBits = 15;
export const locationUnitBits = 37;
/** Set in a disk location: the record there is a chunk of a value. */
export const locationChunkShift = 37;

// ── What the kernel's verbs answer. ────────────────────────────────────────────────────────────
/** find: no such key. Above zero: a slot of a memory record. `answerDisk - slot`: a disk location
 *  that may be the key's. */
export const answerMiss = -1;
export const answerDisk = -2;
export const answerKnown = 0; // findKnown: the slot shows the caller's word; no record's slot is 0
/** A bucket lock was not free within its bound. */
export const answerBusy = -3;

export const answerAbsent = 0;
export const answerDone = 1;
/** publish: a write, delete or clear superseded the flight. reserveDiskLocation, relocateDisk: the
 *  entry was replaced or removed. */
export const answerSuperseded = 2;
/** The janitor's verbs: there was no room to move the record to. publish: a map's index has no slot
 *  for the key. */
export const answerNoRoom = 3;
/** dropDisk: the entry was hit since, or is in memory too; it stays for another round. */
export const answerHit = 4;
/** dropDisk: the entry stays in memory without its disk copy. findHead: the head is in memory.
 *  chunkCopy: the chunk is in memory only. */
export const answerInMemory = 5;
/** findHead: the chunk's value is being written. */
export const answerWriting = 6;
/** publish, remove: nothing has changed, since the entry is not the one that the caller saw. */
export const answerChanged = 7;
/** publish, remove: the key has a newer revision. Nothing has changed. */
export const answerOutdated = 8;

// ── On what publish and remove make a write depend. ─────────────────────────────────────────────
export const conditionNone = 0;
/** The key's record has this sequence; 0 = the key has no live record. */
export const conditionSequence = 1;
/** The key has no newer revision than this one. */
export const conditionRevision = 2;

/** Spins on a bucket lock, then waits of 1 ms, before a verb answers answerBusy. */
export const lockSpinsMax = 2000;
export const lockWaitsMax = 50;
/** Reads of a slot that changes under the reader, before that counts as a miss. */
export const readRetriesMax = 64;
