// The newest change of each key that the opener has heard of lately. Changes of several threads may
// arrive in another order than they were made, and an older one that arrives late must not be made
// after a newer one. Called by TierHost. Invariant: a change is remembered until every change that
// its thread, or another, had begun by then has arrived.
export class RecentChanges {
  #newer = new Map<string, number>();
  #older = new Map<string, number>();
  #newerVoids = new Map<string, number>();
  #olderVoids = new Map<string, number>();

  get isEmpty(): boolean {
    return (
      this.#newer.size + this.#older.size + this.#newerVoids.size + this.#olderVoids.size === 0
    );
  }

  note(id: string, change: number): void {
    this.#newer.set(id, change);
  }

  noteVoid(names: readonly string[], sequence: number): void {
    for (const name of names) {
      this.#newerVoids.set(name, Math.max(sequence, this.#voidedAt(name)));
    }
  }

  /** Whether a newer change of the key has arrived before. */
  isOld(id: string, change: number): boolean {
    return (this.#newer.get(id) ?? this.#older.get(id) ?? 0) > change;
  }

  /** Whether what was set with this sequence was ended by one of its names since. */
  isVoid(names: readonly string[], sequence: number): boolean {
    return names.some((name) => this.#voidedAt(name) >= sequence);
  }

  #voidedAt(name: string): number {
    return this.#newerVoids.get(name) ?? this.#olderVoids.get(name) ?? -1;
  }

  /** Forgets what was noted before the last call. */
  turn(): void {
    this.#older = this.#newer;
    this.#olderVoids = this.#newerVoids;
    this.#newer = new Map();
    this.#newerVoids = new Map();
  }

  clear(): void {
    this.turn();
    this.turn();
  }
}
