// The layout of a cache's shared memory: one WebAssembly.Memory that every thread of the process maps. This file owns
// it. It is compiled twice, by tsc for the TypeScript side and by asc into the kernel, so the two cannot differ.
// Words of the index, the segment tables and the flight table are written by the kernel only.
//
//   0 ┬ control block      4 KiB   geometry, then one cache line for each word that several threads write
//     ├ thread blocks      64 × 4 KiB
//     ├ flight table       1,024 × 64 bytes     loads and writes under way that a write must be able to supersede, and
//     │                                         that other threads may wait for
//     ├ schema table        32 KiB   lists of keys that values name by an id (schemas/schema-image.ts)
//     ├ tag table          4,096 × 8 bytes      when groups of tags were invalidated last
//     ├ change log         2,048 × 8 bytes      the keys written last, for threads that keep values by their keys
//     ├ segment table      64 bytes a memory segment
//     ├ disk segment table 64 bytes a disk segment
//     ├ index              64-byte buckets
//     ├ memory segments    a log of records (record/layout.ts), each segment `segmentBytes` long
//     └ slack              128 KiB, so that a reader that follows a torn length stays inside the memory,
//                        and a key of any length can be deleted when no segment has room for it (controlSlackOwner)

export const kernelMagic = 0x54464355; // "UCFT"
export const kernelLayoutVersion = 4;
export const pageSize = 65536;
/** More than the largest header, extension and key together: 24 + 2,040 + 65,536 bytes. */
export const slackPages = 2;
export const cacheLineSize = 64;

// ── Control block. Offsets from 0. ──────────────────────────────────────────────────────────────────────────────────
export const controlBlockSize = 4096;
export const controlMagic = 0; // u32
export const controlLayoutVersion = 4; // u32
export const controlState = 8; // u32: stateOpen, stateClosing, stateClosed; the owner writes it
export const controlSegmentBytes = 12; // u32
export const controlSegmentCount = 16; // u32
export const controlSegmentTable = 20; // u32 offset
export const controlSegmentBase = 24; // u32 offset
export const controlBucketCount = 28; // u32
export const controlBucketBase = 32; // u32 offset
export const controlDiskSegmentCount = 36; // u32, 0 = memory only
export const controlDiskTable = 40; // u32 offset
export const controlDiskSegmentUnits = 44; // u32, 16-byte units in a disk segment
export const controlReserve = 52; // u32, free segments that only the janitor may take
export const controlKeyHistoryBase = 56; // u32 offset: what admission and eviction remember of keys (region.ts)
export const controlSeenBytes = 60; // u32, admission's part of it, which comes first
export const controlPolicyBytes = 72; // u32, the eviction policy's part, which comes next
export const controlSampleBase = 76; // u32 offset: the rings of sampled requests, one for each thread
export const controlSampleSlots = 80; // u32, requests that a ring holds, a power of two; 0 = there are none
export const controlSeed = 64; // u64, seed of the key hash
export const controlNeverEvicts = 88; // u32, 1 = a map: no entry gives way to another, and each is counted until its slot is empty
/** u64, own line: the newest sequence given out. Writers add to it under a bucket lock. */
export const controlSequence = 128;
/** u64, beside what every write changes anyway: the number of the last change, which hits compare. Numbers count from
 *  firstInvalidation, whose bits are those of the double 2^52: so a JavaScript view of doubles shows 2^52 + n for the n-th. */
export const controlInvalidations = 136;
export const firstInvalidation = 4503599627370496;
/** u64, read by every hit, written by clear: records up to this sequence are gone. */
export const controlClearEpoch = 192;
/** u32: near caches drop everything when it has changed (a clear, or generations coming round). */
export const controlNearEpoch = 216;
/** f64: wall-clock ms from which creation times in records count; an injected clock may start before 2020. */
export const controlCreatedBase = 224;
/** u32, read by every request, written by the janitor: requests are noted of keys in the low half of whose hash none of
 *  these bits is set; sampleNothing = of none. */
export const controlSampleMask = 232;
export const sampleNothing = 0xffffffff;
/** u64, own line: bit n for a thread place n that has flights; 0 lets every write skip the flight table. */
export const controlFlightThreads = 256;
/** u32, own line: rung (added to and notified) when the janitor has work. */
export const controlDoorbell = 320;
/** u32, own line: flush tickets asked for. */
export const controlFlushRequested = 384;
/** u32: flush tickets done; waiters wait here. */
export const controlFlushDone = 388;
/** u32: the newest ticket that asked for fsync. */
export const controlFlushSync = 392;
/** u32: 1 while the disk tier takes writes, 0 when it failed or there is none. */
export const controlDiskUp = 396;
/** u32: the janitor stops when this is 1. */
export const controlStop = 400;
/** u32: 1 if somebody listens to evict and expire events. */
export const controlEventMask = 404;
/** u32: flush tickets that are durable against power loss too; waiters wait here. */
export const controlSyncDone = 408;
/** u32: 1 if the last sync failed. */
export const controlSyncFailed = 412;
/** u32: thread + 1 that has a long key in the slack, for which no segment had room; 0 = nobody. */
export const controlSlackOwner = 420;
/** u32: grows with each invalidation of a tag; what near caches hold of tagged entries counts for one value of it. */
export const controlTagEpoch = 580;
/** u32: thread + 1 that is writing cells of the tag table to disk; 0 = nobody. */
export const controlTagLock = 584;
/** u64: tagged records up to this sequence are gone; what the directory did not remember more exactly. */
export const controlTagFloor = 592;
/** u32: in a map, thread + 1 that is emptying segments because none was free; 0 = nobody. */
export const controlCompactor = 576;
/** u32: the newest flush ticket whose writes failed or were not tried. */
export const controlFlushFailed = 416;
/** u32: ids of schemas given out; raised under the lock when the schema's bytes stand in memory and on disk. */
export const controlSchemaCount = 424;
/** u32: where in the schema table the next schema's bytes go; under the lock. */
export const controlSchemaEnd = 428;
/** u32: thread + 1 that is adding a schema, 0 = nobody. Whoever finds it taken goes on without. */
export const controlSchemaLock = 432;
/** i32: removals that were sent to the opener and not told of yet. Senders add, the opener subtracts, and starts anew when
 *  a janitor died, whose last message may be lost. */
export const controlEventsWaiting = 436;
/** f64: live entries when the last clear happened; the entry counters count from there. */
export const controlClearedMemoryEntries = 448;
export const controlClearedMemoryBytes = 456;
export const controlClearedDiskEntries = 464;
/** f64, own line: coarse wall clock in ms. The janitor writes it in each of its rounds (or the holders of an injected clock
 *  do), so it does not stand among what every hit reads. */
export const controlClock = 512;

export const stateOpen = 1;
export const stateClosing = 2;
export const stateClosed = 3;

// ── Thread blocks, one for each place. Each is written by its thread only, but for `threadState` (CAS by who claims the
//    place) and `threadRecoverer`; after a thread's death by who recovers the place (thread-table.ts). ────────────────
export const threadTable = 4096;
export const threadsMax = 64;
export const threadBlockSize = 4096;
/** u32: 0 = free, else who holds the place: bit 0 is set, bit 1 says whose number stands above (threadBySystem: the
 *  operating system's id of the thread, else Node's). One word, so that a place is never held by nobody. */
export const threadState = 0;
export const threadHeld = 1;
export const threadBySystem = 2;
export const threadIdShift = 2;
export const threadIncarnation = 4; // u32, grows when the place is given back: with the place it names one life
export const threadOpenSegment = 8; // u32: small-log segment + 1 this thread appends to, 0 = none
export const threadOpenMainSegment = 12; // u32: main-log segment + 1 (janitor and assisting writers)
/** Two u32: disk segment + 1 in which this thread is about to write a dead mark; its reclaim waits for 0. */
export const threadTombstoneSegment0 = 16;
export const threadTombstoneSegment1 = 20;
export const threadWorkerId = 24; // u32: the thread's id in Node, by which its worker's exit is known
/** u32: 0, or place + 1 of who puts in order what the dead holder of this place left. CAS, so there is one at a time. */
export const threadRecoverer = 28;
/** Two u32: offsets of the bucket locks that this thread took last or waits for, noted before it takes them. */
export const threadLock0 = 32;
export const threadLock1 = 36;
/** f64: when the system started the thread, in its ticks; 0 = not known. With the id it names one thread for ever. */
export const threadStarted = 40;
export const threadFlights = 56; // u32: flights of this thread that are not done

/** u32: sampled requests noted by the thread, and (tail) taken by the janitor, over all lives of the place. */
export const threadSampleHead = 48;
export const threadSampleTail = 52;
/** A sampled request: u32 high half of the key's hash, u32 bytes of its record. */
export const sampleSize = 8;

// Results of the last kernel call of the thread, for the caller to read. Numbers above 32 bits are f64.
export const resultSequence = 64; // f64
export const resultExpires = 72; // f64 wall ms, 0 = never
export const resultRecord = 80; // u32 offset of the record
export const resultSlotLow = 84; // u32 the slot's word, low half
export const resultSlotHigh = 88; // u32
export const resultRecordSize = 92; // u32
export const resultTombstone0 = 96; // f64 disk location to mark dead, 0 = none
export const resultTombstone1 = 104; // f64
export const resultLocation = 112; // f64 disk location of a disk hit
export const resultHashLow = 120; // u32
export const resultHashHigh = 124; // u32
export const resultKeyOffset = 128; // u32 of the record: where its key starts
export const resultSlot = 132; // u32 slot number
export const resultTagEpoch = 140; // u32: find: controlTagEpoch before the tags of the record were looked at
export const resultTagCells = 144; // tagProbes × u32: the cells of the tag that invalidateTag was given

export const threadCounters = 192; // counterCount × f64
export const counterCount = 80;
/** Changes that one readInvalidations reads. */
export const invalidationBatch = 32;
export const threadInvalidations = 832; // invalidationBatch × u32: low halves of the hashes that readInvalidations read
export const threadHistograms = 1024; // histogramCount × histogramBuckets × u32
export const histogramCount = 4;
export const histogramBuckets = 64;
export const threadKeyScratch = 2048;
export const keyScratchSize = 2048;

// ── Flight table, one line a flight: fills under way (a load, an asynchronous set). A write of the key marks them
//    superseded; threads that want the same load wait for its end on `flightSignal`. ─────────────────────────────────────
export const flightTable = 266240; // threadTable + threadsMax * threadBlockSize
export const flightsMax = 1024;
export const flightSize = 64;
/** A flight stands at most this many entries from its hash's place. */
export const flightProbeMax = 16;
/** u32: free → claimed → active → done → free; active → superseded → done; active or superseded → expired → done. Above
 *  the state stands, while claimed, the claimer's thread + 1, and once done, the flight's life. */
export const flightState = 0;
export const flightOwner = 4; // u32 thread + 1, from active on
export const flightHash = 8; // u64
export const flightSequence = 16; // u64: newest sequence when it began; a clear after that supersedes it
/** f64 monotonic ms: who waits may take the load over from then on. The owner renews it while its event loop turns. */
export const flightLease = 24;
/** u64: bit n for thread n that waits for it. While a bit is set the place is not used again. */
export const flightWaiting = 32;
/** u32: added to, and notified, when it is done or expired and when the last who waited has left. */
export const flightSignal = 40;
export const flightKind = 44; // u32: flightFill, flightLoad, flightForced
/** u32, once done: flightAgain, flightStored, and so on. */
export const flightOutcome = 48;
export const flightGeneration = 52; // u32, grows at each claim of the place
/** f64, once done: the id of the error's record (flightFailed, flightRefused), or until which wall-clock millisecond
 *  the answer is "nothing" (flightNegative; 0 = it is not remembered). */
export const flightArgument = 56;
export const flightFree = 0;
export const flightClaimed = 1;
export const flightActive = 2;
export const flightSuperseded = 3;
/** Its lease is over: who waited has left it, and it publishes nothing. */
export const flightExpired = 4;
export const flightDone = 5;
export const flightStateShift = 8;
export const flightStateMask = 255;
/** Nobody joins it: an asynchronous set, or a load of one thread alone. */
export const flightFill = 0;
export const flightLoad = 1;
/** A load that looks for no value that is there; it takes the place of an ordinary load. */
export const flightForced = 2;
/** Nothing came of it for who waited: it was superseded or given up. */
export const flightAgain = 0;
export const flightStored = 1;
/** The value was too large, or there was no room for it. */
export const flightUnstored = 2;
export const flightNegative = 3;
export const flightFailed = 4;
/** What the loader gave could not be stored by its kind: an error that no stale value makes good. */
export const flightRefused = 5;
/** Its thread died. */
export const flightLost = 6;

export const schemaTable = 331776; // flightTable + flightsMax * flightSize
export const schemaTableSize = 32768;

// ── Tag table: a cell is the newest sequence at which a tag of the cell was invalidated (assembly/tags.ts). ──────────
export const tagTable = 364544; // schemaTable + schemaTableSize
export const tagCells = 4096;
export const tagCellsShift = 12;
/** Cells of one tag. An entry is gone if all of one of its tags' cells are newer than it. */
export const tagProbes = 4;

// ── Change log: a ring of the changes noted last (assembly/invalidations.ts). A word is the change's number in the high half,
//    from 1 on, and the low half of the key's hash. ────────────────────────────────────────────────────────────────
export const invalidationLog = 397312; // tagTable + tagCells * 8
/** A thread that is farther behind lets go of all that it keeps by its keys. */
export const invalidationsMax = 2048;

export const segmentTable = 413696; // invalidationLog + invalidationsMax * 8

// ── Segment table, one line a memory segment. ───────────────────────────────────────────────────────────────────────
export const segmentEntrySize = 64;
/** u32: free → open → sealed → evicting → free, or evicting → blocked → sealed. Taking and claiming are a CAS. While
 *  open or evicting, its thread + 1 stands above the state, so that what a dead thread had is known at any moment. */
export const segmentState = 0;
export const segmentGeneration = 4; // u32, added to at each reuse; its low 15 bits stand in the slots
/** u32: bytes of records in it that no slot names any more. Added to under the key's lock, after the slot has changed; a
 *  thread that dies in between leaves it too low until the segment is free again. Guides who makes room, no more. */
export const segmentDeadBytes = 8;
export const segmentLog = 12; // u32: logSmall, logMain
export const segmentWriteOffset = 16; // u32: end of the records reserved
export const segmentFlushedOffset = 20; // u32: everything before it is on disk or was refused; janitor only
export const segmentSealOrder = 24; // f64: sequence when sealed, so that logs are read oldest first
export const segmentMaxExpires = 32; // f64: newest expiry in it, Infinity when a record never expires
export const segmentMaxSequence = 40; // f64
export const segmentBlocker = 48; // u32: while blocked, the bucket whose lock could not be had
/** u32: 1 while the flusher reads it or has records of it in a batch not yet written: nobody may claim it. */
export const segmentPin = 52;
/** u32: 1 when a record that was on disk lost its copy there to reclaim, so that a flush has to look at it again. */
export const segmentDiskCopyLost = 56;
/** u32: 1 when admission put off a record in it, so that a flush that is asked for looks at it again. Janitor only. */
export const segmentDeferred = 60;
export const segmentFree = 0;
export const segmentOpen = 1;
export const segmentSealed = 2;
export const segmentEvicting = 3;
export const segmentThreadShift = 8;
export const segmentStateMask = 255;
/** Its eviction could not visit a record; sweep makes it sealed again when that bucket's lock is free. */
export const segmentBlocked = 4;
export const logSmall = 0;
export const logMain = 1;
/** Segment numbers are 12 bits and offsets 17 bits of 8 bytes in a slot. */
export const segmentCountMax = 4096;
export const segmentBytesMax = 1048576;
export const segmentBytesMin = 32768;

// ── Disk segment table, one line a segment file. ────────────────────────────────────────────────────────────────────
export const diskEntrySize = 64;
export const diskState = 0; // u32: diskFree, diskOpen, diskSealed, diskReclaiming, diskQuarantined
export const diskGeneration = 4; // u32, added to at each reuse
export const diskNonce = 8; // u64
export const diskSerial = 16; // f64: order of allocation over the life of the directory
export const diskTombstoneCount = 24; // u32: dead-list entries given out
export const diskRecordCount = 28; // u32: records written in this life
export const diskEndOffset = 32; // u32: where the next batch goes
export const diskMaxExpires = 40; // f64
export const diskCreated = 56; // f64 wall ms
export const diskMaxSequence = 48; // f64: newest sequence in it; a clear after that empties it
export const diskFree = 0;
export const diskOpen = 1;
export const diskSealed = 2;
export const diskReclaiming = 3;
export const diskQuarantined = 4;

// ── Index bucket: one cache line, a bucket word and seven slots. ────────────────────────────────────────────────────
//
//   bucket word  u32 lock      0 = free, else owner thread + 1 (low 8 bits) and its incarnation (24 bits)
//                u32 displaced entries at home here that stand in their other bucket; 0 ends a search early
//   slot         u64           0 = empty, else
//
//   63        48 47       46 45        44    43                                                              0
//  ┌────────────┬───────────┬──────────┬──────┬───────────────────────────────────────────────────────────────┐
//  │ fingerprint│ frequency │ displaced│ tier │ memory: generation 15 │ segment 12 │ offset / 8 17              │
//  │    16      │     2     │    1     │  1   │ disk:   size class 6 │ 16-byte unit 38 (disk/layout.ts)        │
//  └────────────┴───────────┴──────────┴──────┴───────────────────────────────────────────────────────────────┘
//
// A key stands in its home bucket or, displaced, in its other bucket; every change of a key's slot is one CAS of the
// whole word, made under the lock of the key's home bucket.
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
export const locationUnitBits = 38;

// ── What the kernel's verbs answer. ─────────────────────────────────────────────────────────────────────────────────
/** find: no such key. Zero and above: slot of a memory record. `answerDisk - slot`: a disk location that may be it. */
export const answerMiss = -1;
export const answerDisk = -2;
/** A bucket lock could not be had within its bound. */
export const answerBusy = -3;

/** enterFlight: all places of the hash are taken. Zero and above: the flight that this thread leads. */
export const answerFull = -1;
/** enterFlight: this thread has a flight of the key that cannot be joined, or waits for one already. */
export const answerTwice = -2;
/** enterFlight: `answerFollow - flight`: another thread's flight, for which this thread is now noted to wait. */
export const answerFollow = -4;

export const answerAbsent = 0;
export const answerDone = 1;
/** publish: a newer write, delete or clear superseded the flight. reserveDiskLocation, relocateDisk: the entry was taken away. */
export const answerSuperseded = 2;
/** The janitor's verbs: there was no room to move the record to. publish: a map's index has no place for the key. */
export const answerNoRoom = 3;
/** dropDisk: the entry was hit since, or is in memory too; it deserves another round. */
export const answerHit = 4;
/** dropDisk: the entry lives on in memory, its disk copy is forgotten. */
export const answerInMemory = 5;

/** Spins on a bucket lock, then waits of one millisecond, before a verb answers answerBusy. */
export const lockSpinsMax = 2000;
export const lockWaitsMax = 50;
/** Reads of a slot that changed under the reader before it counts as a miss. */
export const readRetriesMax = 64;
