// The layout of the flight table: loads and asynchronous sets under way, over all threads. tsc and
// asc compile this file, as they do layout.ts. Only the kernel writes the table.
//
//   controlFlightBase ┬ hashes    8 bytes a flight: a window is one line
//                     └ flights   64 bytes a flight
//
// The table is `controlFlightCount` flights in windows of eight. The hash of a key names two
// windows, and a flight of the key is in one of them. So a write of the key looks at two lines of
// hashes, and at a flight itself only if the hash is the key's. A load that finds no free flight in
// its two windows waits for one in its thread (fetch/queue/).

/** Flights are 1/64 of a cache's memory, within these bounds; both are powers of two. */
export const flightCountMin = 1024;
export const flightCountMax = 262144;
export const flightMemoryShare = 64;
export const flightHashSize = 8;
export const flightSize = 64;
/** Flights in a window, and windows of a key. */
export const flightWindow = 8;
export const flightWindowShift = 3;
export const flightWindows = 2;

/** u32: free → claimed → active → done → free; active → superseded → done; active or superseded →
 *  expired → done. The bits above the state are the claimer's thread id + 1 while claimed, and the
 *  low 24 bits of the flight's generation from active on. */
export const flightState = 0;
export const flightOwner = 4; // u32: the leader's thread id + 1, from active on
export const flightSequence = 8; // u64: newest sequence when it began; a later clear supersedes it
/** f64 monotonic ms: from then on a follower may take the load over. The leader renews it while its
 *  event loop runs. */
export const flightLease = 16;
/** u64: bit n while thread id n waits for it. The flight is not reused while a bit is set. */
export const flightWaiting = 24;
/** u32: added to and notified when it is done or expired, and when its last follower has left. */
export const flightSignal = 32;
export const flightKind = 36; // u32: flightFill, flightLoad, flightForced, flightGuard
/** u32, once done: flightAgain, flightStored, and so on. */
export const flightOutcome = 40;
export const flightGeneration = 44; // u32, grows at each claim
/** f64, once done: the id of the error's record (flightFailed, flightRefused). */
export const flightArgument = 48;
export const flightSpace = 56; // u32: the namespace of the key

export const flightFree = 0;
export const flightClaimed = 1;
export const flightActive = 2;
export const flightSuperseded = 3;
/** Its lease ended: its followers have left it, and it publishes nothing. */
export const flightExpired = 4;
export const flightDone = 5;
export const flightStateShift = 8;
export const flightStateMask = 255;

/** Nobody joins it: an asynchronous set, or a load of one thread alone. */
export const flightFill = 0;
export const flightLoad = 1;
/** A load that ignores values that are there; it supersedes every load that began before. */
export const flightForced = 2;
/** A guarded write: it is no load, and while it is not done no load of its key begins a flight. */
export const flightGuard = 3;

/** It has nothing for its followers: it was superseded or given up. */
export const flightAgain = 0;
export const flightStored = 1;
/** The value was too large, or there was no room for it. */
export const flightUnstored = 2;
export const flightNegative = 3;
export const flightFailed = 4;
/** The codec refused the loader's value: an error for which no stale value may be served. */
export const flightRefused = 5;
/** Its thread died. */
export const flightLost = 6;

// ── What enterFlight and beginFlight answer: zero and above, the flight that this thread leads. ──
/** No flight of the key's two windows is free, or this thread may not claim one. */
export const answerFull = -1;
/** This thread has a flight of the key that cannot be joined, or already follows one. */
export const answerTwice = -2;
/** A guarded write of the key is under way: what is loaded now is not stored. (-3 is answerBusy.)
 *  */
export const answerGuarded = -4;
/** `answerFollow - flight`: another thread's flight, which this thread now follows. */
export const answerFollow = -5;
