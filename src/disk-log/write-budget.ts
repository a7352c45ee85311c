// How many bytes may be written to disk: two token buckets, one for a second and one for a day. Called by the janitor's
// admission. Invariant: over any time t no more is admitted than what the buckets hold and t refills, and one record; what
// is charged without being asked for (a flush) is owed, and paid back before anything else is admitted.

const dayMs = 86_400_000;
/** The day's bucket holds an hour's worth, so that a busy hour does not spend the day. */
const hoursOfDay = 24;

class Bucket {
  readonly #capacity: number;
  readonly #perMs: number;
  #tokens: number;
  #seenMs: number;

  constructor(capacity: number, perMs: number, nowMs: number) {
    this.#capacity = capacity;
    this.#perMs = perMs;
    this.#tokens = capacity;
    this.#seenMs = nowMs;
  }

  hasTokens(nowMs: number): boolean {
    const earned = Math.max(0, nowMs - this.#seenMs) * this.#perMs;
    this.#seenMs = nowMs;
    this.#tokens = Math.min(this.#capacity, this.#tokens + earned);
    return this.#tokens > 0;
  }

  charge(bytes: number): void {
    this.#tokens -= bytes;
  }
}

export class WriteBudget {
  readonly #buckets: Bucket[] = [];

  /** `Infinity` = no bound. `nowMs` is any clock that only goes forward; `hasRoom` is asked by the same one. */
  constructor(bytesPerSecond: number, bytesPerDay: number, nowMs: number) {
    if (bytesPerSecond !== Infinity) {
      this.#buckets.push(new Bucket(bytesPerSecond, bytesPerSecond / 1000, nowMs));
    }
    if (bytesPerDay !== Infinity) {
      this.#buckets.push(new Bucket(bytesPerDay / hoursOfDay, bytesPerDay / dayMs, nowMs));
    }
  }

  hasRoom(nowMs: number): boolean {
    return this.#buckets.every((bucket) => bucket.hasTokens(nowMs));
  }

  charge(bytes: number): void {
    for (const bucket of this.#buckets) bucket.charge(bytes);
  }
}
