// The changes that a tier has not made yet, the newest of each key. They answer before the tier
// does, so what it still has of an older value is never read. Called by TierLink. Invariants: a
// change is here until the tier has made it or a newer one of its key came, which takes its ticket
// over; keys are in the order of their tickets; deletions by tag and clears are made before the
// keys of a batch, and what they end here is ended at once.
import {
  endOf,
  everything,
  idOf,
  type KeyChange,
  nameOfNamespace,
  namesOf,
  tierChangeOf,
  type VoidChange,
} from "../change.js";
import type { TierChange } from "../tier.js";

/** The most keys, and the most tags, whose changes wait for a tier. */
export const queuedChangesMax = 262_144;
/** The most bytes of values that wait for a tier. A value beyond that is not written: its key is
 *  deleted there. */
export const queuedBytesMax = 64 * 1024 * 1024;
/** The most keys changed by one call of `apply`. */
export const batchChangesMax = 512;

interface Waiting extends KeyChange {
  /** Of the oldest change of the key that the tier has not made. */
  readonly ticket: number;
}

interface Batch {
  readonly keys: Map<string, Waiting>;
  readonly voids: Map<string, number>;
  readonly voidTicket: number;
}

export class TierQueue {
  /** Oldest first. */
  readonly #keys = new Map<string, Waiting>();
  /** The newest sequence at which each name (change.ts) was ended. */
  #voids = new Map<string, number>();
  /** What the tier is making now; null if nothing. */
  #batch: Batch | null = null;
  #bytes = 0;
  #tickets = 0;
  /** Of the oldest of the voids that wait. */
  #voidTicket = Infinity;

  /** Changes that wait or are being made. */
  get size(): number {
    return this.#keys.size + this.#voids.size + this.#batchSize;
  }

  get #batchSize(): number {
    return this.#batch === null ? 0 : this.#batch.keys.size + this.#batch.voids.size;
  }

  /** Names all changes so far, for `hasMade`. */
  get ticket(): number {
    return this.#tickets;
  }

  /** Whether the changes up to a ticket were made, or newer ones of their keys. */
  hasMade(ticket: number): boolean {
    if (this.#batch !== null || this.#voidTicket <= ticket) return false;
    const [oldest] = this.#keys.values();
    return oldest === undefined || oldest.ticket > ticket;
  }

  /** Adds a change that is newer than any of its key. "dropped": there is no room for its value, so
   *  it deletes the key. "full": there is no room for the key. */
  add(change: KeyChange): "added" | "dropped" | "full" {
    const id = idOf(change);
    const ticket = this.#keys.get(id)?.ticket ?? ++this.#tickets;
    if (!this.#keys.has(id) && this.#keys.size >= queuedChangesMax) return "full";
    this.#put(id, { ...change, entry: null, ticket });
    const bytes = bytesOf(change);
    const fits = bytes === 0 || this.#bytes + bytes <= queuedBytesMax;
    if (fits) this.#put(id, { ...change, ticket });
    return fits ? "added" : "dropped";
  }

  /** In the place of an older one of the key, if there is one; else at the end. */
  #put(id: string, waiting: Waiting): void {
    const older = this.#keys.get(id);
    this.#keys.set(id, waiting);
    this.#bytes += bytesOf(waiting) - (older === undefined ? 0 : bytesOf(older));
  }

  #remove(id: string): void {
    const older = this.#keys.get(id);
    if (older === undefined) return;
    this.#keys.delete(id);
    this.#bytes -= bytesOf(older);
  }

  /** Adds a deletion by tags or a clear; "full" if there is no room. */
  addVoid(change: VoidChange): "added" | "full" {
    const { names, sequence } = change;
    for (const [id, waiting] of this.#keys) {
      if (waiting.sequence > sequence) continue;
      // A clear comes first in the next batch and takes the key with it.
      const isCleared = [everything, nameOfNamespace(waiting.namespace)].some((name) =>
        names.includes(name),
      );
      if (!isCleared && !isOf(waiting, names)) continue;
      if (isCleared) {
        this.#remove(id);
        this.#voidTicket = Math.min(this.#voidTicket, waiting.ticket);
      } else this.#put(id, { ...waiting, entry: null });
    }
    if (names.includes(everything)) this.#voids.clear();
    for (const name of names) this.#voids.set(name, sequence);
    this.#voidTicket = Math.min(this.#voidTicket, ++this.#tickets);
    return this.#voids.size > queuedChangesMax ? "full" : "added";
  }

  /** The newest change of a key that the tier has not made, or may not have made yet. */
  find(id: string): KeyChange | undefined {
    const waiting = this.#keys.get(id);
    if (waiting !== undefined) return waiting;
    const making = this.#batch?.keys.get(id);
    // A deletion by tag that waits came after the change that is being made.
    return making === undefined || !this.#isVoid(making, this.#voids)
      ? making
      : { ...making, entry: null };
  }

  #isVoid(change: KeyChange, voids: ReadonlyMap<string, number>): boolean {
    const { entry, sequence } = change;
    if (entry === null || voids.size === 0) return false;
    return namesOf(change, entry.tags).some((name) => (voids.get(name) ?? -1) >= sequence);
  }

  /** Others have changed the key, or all entries of these names: what waits of it is not set any
   *  more but deleted, and what the tier is setting just now is deleted after. */
  endOthers(id: string | undefined, names: readonly string[]): void {
    const isEnded = (key: string, change: Waiting): boolean =>
      change.entry !== null && (key === id || (names.length > 0 && isOf(change, names)));
    const found = id === undefined || names.length > 0 ? this.#keys : one(this.#keys, id);
    for (const [key, waiting] of found) {
      if (!isEnded(key, waiting)) continue;
      this.#put(key, { ...waiting, entry: null });
    }
    for (const [key, making] of this.#batch?.keys ?? []) {
      if (!isEnded(key, making)) continue;
      const ended = { ...making, entry: null };
      this.#batch?.keys.set(key, ended);
      if (!this.#keys.has(key)) this.#put(key, { ...ended, ticket: ++this.#tickets });
    }
  }

  /** Whether the tier has yet to end the entries of one of these names. */
  deletes(names: readonly string[]): boolean {
    const isIn = (voids: ReadonlyMap<string, number> | undefined): boolean =>
      voids !== undefined && voids.size > 0 && names.some((name) => voids.has(name));
    return isIn(this.#voids) || isIn(this.#batch?.voids);
  }

  /** The names whose entries the tier has yet to end. What it is asked for from now on, it may read
   *  before it ends them and answer after. */
  names(): string[] {
    return [...this.#voids.keys(), ...(this.#batch?.voids.keys() ?? [])];
  }

  /** Begins a batch: the changes for the tier to make now. */
  take(): TierChange[] {
    const keys = new Map<string, Waiting>();
    for (const [id, waiting] of this.#keys) {
      if (keys.size >= batchChangesMax) break;
      keys.set(id, waiting);
    }
    for (const id of keys.keys()) this.#remove(id);
    const voids = this.#voids;
    this.#batch = { keys, voids, voidTicket: this.#voidTicket };
    this.#voids = new Map();
    this.#voidTicket = Infinity;
    const ends = Array.from(voids.keys(), endOf);
    return [...ends, ...Array.from(keys.values(), tierChangeOf)];
  }

  /** The names whose entries the tier is ending now. */
  making(): Iterable<string> {
    return this.#batch?.voids.keys() ?? [];
  }

  /** The tier has made the batch. */
  made(): void {
    this.#batch = null;
  }

  /** The tier has not made the batch: it comes again, except what is superseded by now. */
  failed(): void {
    const batch = this.#batch;
    if (batch === null) return;
    this.#batch = null;
    const later = Array.from(this.#keys);
    this.#keys.clear();
    this.#bytes = 0;
    for (const [id, change] of batch.keys) {
      const entry = this.#isVoid(change, this.#voids) ? null : change.entry;
      this.#put(id, { ...change, entry });
    }
    for (const [id, change] of later) {
      this.#put(id, { ...change, ticket: this.#keys.get(id)?.ticket ?? change.ticket });
    }
    // A clear that waits ends what the batch had.
    this.#voidTicket = Math.min(this.#voidTicket, batch.voidTicket);
    if (!this.#voids.has(everything)) {
      for (const [name, sequence] of this.#voids) batch.voids.set(name, sequence);
      this.#voids = batch.voids;
    }
  }

  /** Forgets everything. */
  drop(): void {
    this.#keys.clear();
    this.#voids.clear();
    this.#voidTicket = Infinity;
    this.#batch = null;
    this.#bytes = 0;
  }
}

function one(keys: ReadonlyMap<string, Waiting>, id: string): Iterable<[string, Waiting]> {
  const waiting = keys.get(id);
  return waiting === undefined ? [] : [[id, waiting]];
}

function bytesOf({ entry }: KeyChange): number {
  return entry === null ? 0 : entry.value.length;
}

function isOf(change: KeyChange, names: readonly string[]): boolean {
  const { entry } = change;
  return entry !== null && namesOf(change, entry.tags).some((name) => names.includes(name));
}
