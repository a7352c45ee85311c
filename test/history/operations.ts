// The history of a round: what each thread did, in shared memory, as records of whole words. Each
// thread writes its own part while it works; the campaign reads when all are done. Invariant: a
// thread writes what an operation will do before it begins, and its end after it has returned. So
// the history of a thread killed in the middle of an operation has a write without an end.

/** The kind of an operation. 0 is none, so that a record that was never written is no operation. */
export const kindSet = 1;
/** A set that was refused ("overloaded", "too-large"): it removes the older value and stores
 *  none. */
export const kindRefused = 2;
export const kindDelete = 3;
export const kindDeleteByTag = 4;
export const kindClear = 5;
/** getSync, get, getEntry. */
export const kindRead = 6;
/** fetch: a read, and also a write if its loader ran. */
export const kindFetch = 7;
/** An update that stored its value: a write, and a read of the value that it replaced. One that
 *  found nothing is a read. */
export const kindUpdate = 8;

/** Words of a record. */
export const recordWords = 9;
export const atKind = 0;
/** The key's number; for a deletion by tag the tag's. */
export const atKey = 1;
/** The number + 1 of the value read, 0 = a miss. */
export const atValue = 2;
/** Ticket before the operation; 0 = it never began. */
export const atBegin = 3;
/** Ticket after it; 0 = it did not return. */
export const atEnd = 4;
/** Of a fetch: the ticket taken when its loader was called; 0 = it was not. Later than the end if
 *  it was called for others, which refused what the fetch got. */
export const atLoad = 5;
/** Microseconds from the start of the round to the start of the operation. */
export const atTime = 6;
/** Of a write that returned: the last moment at which its value may be served, in the same
 *  microseconds; 0 = any. */
export const atDeadline = 7;
/** Of a write: the tag of its value + 1, 0 = none. */
export const atTag = 8;

/** One round. The value that operation `i` of thread `t` writes has the number `t * operations +
 *  i`. */
export interface Round {
  readonly threads: number;
  /** Of each thread, at most. */
  readonly operations: number;
  readonly keys: number;
  readonly tags: number;
  /** Records of thread 0, then of thread 1, … */
  readonly words: Int32Array;
}

/** The most tickets that a round of so many operations can take: two each, and one for each loader.
 *  Tickets begin at 1. */
export function ticketsMax(round: Pick<Round, "threads" | "operations">): number {
  return 3 * round.threads * round.operations + 1;
}

/** A round's memory, empty. */
export function createRound(schema: Omit<Round, "words">): Round {
  const bytes = schema.threads * schema.operations * recordWords * 4;
  return { ...schema, words: new Int32Array(new SharedArrayBuffer(bytes)) };
}

/** Words that synchronise the threads of a campaign: the newest ticket, and the number of ready
 *  threads. */
export const controlWords = 32;
export const atTicket = 0;
export const atReady = 16;
