// Limits the bytes written to disk, with two token buckets: per second and per day. Called by the
// janitor's admission. Invariant: over any time t it admits at most the buckets' capacity plus the
// refill of t plus one record. A requested flush is charged without being admitted; that debt is
// paid before anything else is admitted.

const dayMs = 86_400_000;
/** The day's bucket holds one hour's share, so that a busy hour cannot spend the day. */
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

  /** `Infinity` = no limit. `nowMs` is any monotonic clock; `hasRoom` must use the same one. */
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
