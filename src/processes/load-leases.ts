// Who loads which key, over all processes: the owner's table. Invariants: a key has one lease at a
// time; a lease ends when it is released, when its member is gone, or after loadMsMax. A key counts
// as loaded under a lease while the last that changed it was a set by the lease's member, which has
// released it since.
import { monotonicMs } from "../base/mod.js";

/** The longest that a lease lasts: then another process may load the key too. */
export const loadMsMax = 60_000;
/** The most leases at once; beyond, a process loads without one. */
export const loadLeasesMax = 262_144;
/** The most keys of which it is remembered under which lease they were loaded; a forgotten one is
 *  loaded once more. */
export const loadedMax = 65_536;

/** One connection, as leases see it. */
export interface LeaseHolder {
  /** A lease for which it asked is free. */
  freed(key: Buffer): void;
}

interface Lease {
  readonly key: Buffer;
  readonly token: string;
  readonly holder: LeaseHolder;
  readonly untilMs: number;
  readonly waiting: Set<LeaseHolder>;
  /** Of all leases; later ones have larger numbers. */
  readonly number: number;
  isStored: boolean;
}

export class LoadLeases {
  readonly #leases = new Map<string, Lease>();
  /** The numbers of the leases under which keys were loaded; oldest first. */
  readonly #loaded = new Map<string, number>();
  #number = 0;

  get size(): number {
    return this.#leases.size;
  }

  /** The number of the newest lease. */
  get mark(): number {
    return this.#number;
  }

  /** Whether the key is as a load has left it whose lease was given after `mark`; -1: no. */
  hasLoadedSince(id: string, mark: number): boolean {
    return mark >= 0 && (this.#loaded.get(id) ?? -1) > mark;
  }

  /** A member has changed a key. */
  changed(id: string, by: LeaseHolder, isSet: boolean): void {
    this.#loaded.delete(id);
    const lease = this.#leases.get(id);
    if (lease !== undefined) lease.isStored = isSet && lease.holder === by;
  }

  isHeldBy(id: string, token: string): boolean {
    return this.#leases.get(id)?.token === token;
  }

  /** How long another's lease lasts at most; 0 if there is none, and then this holder has it,
   *  unless there are too many. */
  ask(id: string, key: Buffer, token: string, holder: LeaseHolder): number {
    const now = monotonicMs();
    const lease = this.#leases.get(id);
    if (lease?.token === token) return 0; // it has asked again
    if (lease !== undefined && lease.untilMs > now) {
      lease.waiting.add(holder);
      return Math.ceil(lease.untilMs - now);
    }
    if (lease !== undefined) this.#end(id, lease);
    if (this.#leases.size < loadLeasesMax) {
      const own = Buffer.from(key);
      const untilMs = now + loadMsMax;
      const number = ++this.#number;
      const waiting = new Set<LeaseHolder>();
      this.#leases.set(id, { key: own, token, holder, untilMs, waiting, number, isStored: false });
    }
    return 0;
  }

  release(id: string, token: string): void {
    const lease = this.#leases.get(id);
    if (lease?.token !== token) return;
    if (lease.isStored) this.#remember(id, lease.number);
    this.#end(id, lease);
  }

  #remember(id: string, number: number): void {
    this.#loaded.delete(id);
    this.#loaded.set(id, number);
    if (this.#loaded.size <= loadedMax) return;
    const [oldest] = this.#loaded.keys();
    this.#loaded.delete(oldest as string);
  }

  /** Ends all leases of a connection that has ended. */
  drop(holder: LeaseHolder): void {
    for (const [id, lease] of this.#leases) {
      lease.waiting.delete(holder);
      if (lease.holder === holder) this.#end(id, lease);
    }
  }

  #end(id: string, { key, waiting }: Lease): void {
    this.#leases.delete(id);
    for (const other of waiting) other.freed(key);
  }
}
