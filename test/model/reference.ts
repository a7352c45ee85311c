// The model beside the machine: which writes of a key a read may return. A cache may miss, so a
// miss is always right; what it returns must be the newest write, whole and not expired. Called by
// the replay.
//
// A key usually has one acceptable write. It has two while a loader runs behind a stale answer: the
// stale one and the loaded one. Once a read has returned the later, the earlier may not come back.

import { isValueOf, keyName, nameOfValue, type Write } from "./values.js";

export class Reference {
  readonly #acceptable = new Map<number, readonly Write[]>();
  /** Every write of a key that was ever stored, for the text of a fault; the last few only. */
  readonly #history = new Map<number, Write[]>();
  /** Keys whose newest write was invalidated by tag while an older one may still be read: an honest
   *  cache may have either. */
  readonly #doubtful = new Set<number>();

  /** The writes that a read of `key` may return now, expired ones included. */
  acceptable(key: number): readonly Write[] {
    return this.#acceptable.get(key) ?? [];
  }

  /** From now on only `writes` may be read under `key`; none after a delete or a refused set. */
  accept(key: number, writes: readonly Write[]): void {
    this.#acceptable.set(key, writes);
    this.#doubtful.delete(key);
    const history = this.#history.get(key) ?? [];
    history.push(...writes.filter((write) => !history.includes(write)));
    this.#history.set(key, history.slice(-8));
  }

  clear(): void {
    this.#acceptable.clear();
  }

  /** From now on no write with one of these tags may be read. */
  deleteByTag(tags: readonly string[]): void {
    for (const [key, writes] of this.#acceptable) {
      const left = writes.filter((write) => !write.tags.some((tag) => tags.includes(tag)));
      if (left.length === writes.length) continue;
      this.#acceptable.set(key, left);
      if (left.length > 0) this.#doubtful.add(key);
    }
  }

  /** True if a read of `key` may return a value at all. */
  mayHit(key: number, now: number): boolean {
    return this.acceptable(key).some(({ expiresAt }) => now < expiresAt);
  }

  /** True if a cache that never evicts returns a value for `key`. */
  mustHit(key: number, now: number): boolean {
    return this.mayHit(key, now) && !this.#doubtful.has(key);
  }

  /** The fault if a read of `key` returned `value`, or undefined if it may. Later reads may return
   *  nothing older. */
  faultOf(key: number, value: unknown, now: number): string | undefined {
    if (value === undefined) return undefined;
    const writes = this.acceptable(key);
    const index = writes.findIndex((write) => isValueOf(value, write));
    const write = writes[index];
    if (write === undefined) return this.#wrongValue(key, value);
    if (now >= write.expiresAt) {
      return `an expired value of ${keyName(key)}: it expired at ${write.expiresAt}, it is ${now}`;
    }
    if (index > 0) this.accept(key, writes.slice(index));
    return undefined;
  }

  #wrongValue(key: number, value: unknown): string {
    const newest = this.acceptable(key).at(-1);
    const expected = newest === undefined ? "nothing" : `version ${newest.version}`;
    const older = (this.#history.get(key) ?? []).find((write) => isValueOf(value, write));
    const what =
      older === undefined
        ? `a wrong value, ${nameOfValue(value)}`
        : `an older value, ${older.version}`;
    return `${what} for ${keyName(key)}, which has ${expected}`;
  }
}
