// Who loads which key, over all processes: the owner's table. Invariants: a key has one lease at a
// time; a lease ends when it is released, when its member is gone, or after loadMsMax.
import { monotonicMs } from "../base/mod.js";

/** The longest that a lease lasts: then another process may load the key too. */
export const loadMsMax = 60_000;
/** The most leases at once; beyond, a process loads without one. */
export const loadLeasesMax = 262_144;

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
}

export class LoadLeases {
  readonly #leases = new Map<string, Lease>();

  get size(): number {
    return this.#leases.size;
  }

  isHeldBy(id: string, token: string): boolean {
    return this.#leases.get(id)?.token === token;
  }

  /** How long another's lease lasts at most; 0 if there is none, and then this holder has it,
   *  unless there are too many. */
  ask(id: string, key: Buffer, token: string, holder: LeaseHolder): number {
    const now = monotonicMs();
    const lease = this.#leases.get(id);
    if (lease !== undefined && lease.untilMs > now) {
      lease.waiting.add(holder);
      return Math.ceil(lease.untilMs - now);
    }
    if (lease !== undefined) this.#end(id, lease);
    if (this.#leases.size < loadLeasesMax) {
      const own = Buffer.from(key);
      const untilMs = now + loadMsMax;
      this.#leases.set(id, { key: own, token, holder, untilMs, waiting: new Set() });
    }
    return 0;
  }

  release(id: string, token: string): void {
    const lease = this.#leases.get(id);
    if (lease?.token === token) this.#end(id, lease);
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
