// The model beside the machine: which writes of a key a read may answer with. A cache may forget, so a miss is always
// right; what it answers must be the newest write, whole and not expired. Called by the replay.
//
// A key usually has one acceptable write. It has two while a loader runs behind a stale answer: the stale one and the
// loaded one. Once a read has seen the later, the earlier may not come back.

import { isValueOf, keyName, nameOfValue, type Write } from "./values.js";

export class Reference {
  readonly #acceptable = new Map<number, readonly Write[]>();
  /** Every write of a key that was ever stored, for the fault's words only; the last few. */
  readonly #history = new Map<number, Write[]>();
  /** Keys that lost their newest write to a tag while an older one may still be read: an honest cache may have either. */
  readonly #doubtful = new Set<number>();

  /** The writes a read of `key` may see now, expired ones included. */
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

  /** No write with one of these tags may be read any more. */
  deleteByTag(tags: readonly string[]): void {
    for (const [key, writes] of this.#acceptable) {
      const left = writes.filter((write) => !write.tags.some((tag) => tags.includes(tag)));
      if (left.length === writes.length) continue;
      this.#acceptable.set(key, left);
      if (left.length > 0) this.#doubtful.add(key);
    }
  }

  /** True if a read of `key` may be answered at all. */
  mayHit(key: number, now: number): boolean {
    return this.acceptable(key).some(({ expiresAt }) => now < expiresAt);
  }

  /** True if a cache that forgets nothing answers a read of `key`. */
  mustHit(key: number, now: number): boolean {
    return this.mayHit(key, now) && !this.#doubtful.has(key);
  }

  /** The fault in answering a read of `key` with `value`, or undefined if it may be. Later reads see no less. */
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
