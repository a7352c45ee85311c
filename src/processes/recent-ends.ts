// What the members of an owner have ended lately, and who: a bounded log of numbers. By it the
// owner knows whether a member that sends a value had heard of what others did to its key.
// Invariant: what the log has forgotten counts as ended by another.

/** The most names and keys that are remembered. */
export const recentEndsMax = 65_536;

interface Ended {
  /** The newest end, and by whom. */
  readonly number: number;
  readonly by: object;
  /** The newest end by anyone else. */
  readonly others: number;
}

export class RecentEnds {
  readonly #ends = new Map<string, Ended>();
  readonly #most: number;
  /** The newest end that was forgotten. */
  #floor: number;
  #number: number;

  constructor(number = 0, most = recentEndsMax) {
    this.#number = number;
    this.#floor = number;
    this.#most = most;
  }

  /** The number of the newest end. */
  get number(): number {
    return this.#number;
  }

  /** Notes an end, and answers its number. */
  note(id: string, by: object): number {
    const number = ++this.#number;
    const last = this.#ends.get(id);
    const others = last === undefined ? 0 : last.by === by ? last.others : last.number;
    this.#ends.delete(id);
    this.#ends.set(id, { number, by, others });
    if (this.#ends.size <= this.#most) return number;
    const [oldest] = this.#ends;
    if (oldest !== undefined) {
      this.#ends.delete(oldest[0]);
      this.#floor = Math.max(this.#floor, oldest[1].number);
    }
    return number;
  }

  /** Whether anyone but `by` has ended it after `seen`, or may have. */
  hasOthers(id: string, by: object, seen: number): boolean {
    if (seen < this.#floor) return true;
    const last = this.#ends.get(id);
    if (last === undefined) return false;
    return (last.by === by ? last.others : last.number) > seen;
  }

  /** Whether anyone has ended it after `seen`, or may have. */
  hasAny(id: string, seen: number): boolean {
    return seen < this.#floor || (this.#ends.get(id)?.number ?? 0) > seen;
  }
}
