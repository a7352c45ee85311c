// Tiers in memory: stores that several tiers of one process share, as machines share a server. For
// tests. Invariant: a change is told to the others before the call that makes it returns.
import { describe } from "../base/mod.js";
import type {
  Tier,
  TierChange,
  TierEntry,
  TierInvalidation,
  TierKey,
  TierListener,
  TierTurn,
} from "../outer-tiers/mod.js";

interface Row extends TierKey {
  readonly entry: TierEntry;
}

interface Lease {
  readonly token: string;
  readonly untilMs: number;
}

/** How long a lease of a memory tier lasts, in milliseconds of the cache's time. */
export const memoryLeaseMs = 5000;

/**
 * What the tiers of `memoryTier` over one store share.
 *
 * @example
 * ```ts
 * import { type MemoryStore, memoryStore } from "undercroft/tier-suite";
 *
 * const stores = new Map<string, MemoryStore>([["a", memoryStore()]]);
 * console.log(stores.get("a")?.size); // 0
 * ```
 */
export interface MemoryStore {
  /** How many entries it has. */
  readonly size: number;
  /** How many leases of it are held, or were not released. */
  readonly leases: number;
}

/**
 * Makes an empty store for tiers of `memoryTier`.
 *
 * @example
 * ```ts
 * import { memoryStore, memoryTier } from "undercroft/tier-suite";
 *
 * const store = memoryStore();
 * const key = Buffer.from("7");
 * await memoryTier(store).apply([{ kind: "delete", namespace: "", key }], 0);
 * console.log(store.size); // 0
 * ```
 */
export function memoryStore(): MemoryStore {
  return new Store();
}

class Store implements MemoryStore {
  readonly rows = new Map<string, Row>();
  readonly held = new Map<string, Lease>();
  readonly listeners = new Map<object, TierListener>();

  get size(): number {
    return this.rows.size;
  }

  get leases(): number {
    return this.held.size;
  }
}

/**
 * A tier in memory, for tests: of a cache with tiers, or of what behaves as another machine does.
 * It has all that a tier can have: it tells of what others do, and gives leases.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { memoryStore, memoryTier } from "undercroft/tier-suite";
 *
 * const store = memoryStore();
 * const one = await openCache<string>({ tiers: [memoryTier(store)] });
 * const two = await openCache<string>({ tiers: [memoryTier(store)] });
 * one.set("a", "1");
 * await one.flush();
 * console.log(await two.get("a")); // 1
 * await one.close();
 * await two.close();
 * ```
 */
export function memoryTier(store: MemoryStore = memoryStore(), name = "memory"): Tier {
  if (store instanceof Store) return new MemoryTier(store, name);
  throw new TypeError(
    `Cannot use a store: current value is ${describe(store)}; it must be one of memoryStore()`,
  );
}

class MemoryTier implements Tier {
  readonly name: string;
  readonly #store: Store;

  constructor(store: Store, name: string) {
    this.#store = store;
    this.name = name;
  }

  getMany(keys: readonly TierKey[]): (TierEntry | undefined)[] {
    return keys.map((key) => {
      const row = this.#store.rows.get(idOf(key));
      return row === undefined ? undefined : copyOf(row.entry);
    });
  }

  apply(changes: readonly TierChange[]): void {
    for (const change of changes) {
      this.#make(change);
      const ended: TierInvalidation =
        change.kind === "set"
          ? { kind: "delete", namespace: change.namespace, key: change.key }
          : change;
      this.#tellOthers(({ ended: tell }) => tell(ended));
    }
  }

  #make(change: TierChange): void {
    const { rows } = this.#store;
    switch (change.kind) {
      case "set": {
        const { namespace, entry } = change;
        const key = new Uint8Array(change.key);
        rows.set(idOf(change), { namespace, key, entry: copyOf(entry) });
        return;
      }
      case "delete":
        rows.delete(idOf(change));
        return;
      case "delete-by-tag":
        this.#deleteRows(change.namespace, ({ tags }) => tags.includes(change.tag));
        return;
      case "clear":
        this.#deleteRows(change.namespace, () => true);
    }
  }

  #deleteRows(namespace: string | null, isEnded: (entry: TierEntry) => boolean): void {
    for (const [id, row] of this.#store.rows) {
      const isThere = namespace === null || row.namespace === namespace;
      if (isThere && isEnded(row.entry)) this.#store.rows.delete(id);
    }
  }

  health(): void {
    // Memory is always there.
  }

  subscribe(listener: TierListener): () => void {
    this.#store.listeners.set(this, listener);
    return () => void this.#store.listeners.delete(this);
  }

  lease(key: TierKey, token: string, now: number): TierTurn {
    const [entry] = this.getMany([key]);
    if (entry !== undefined && entry.expiresAt > now) return { entry, isGiven: false, waitMs: 0 };
    const id = idOf(key);
    const held = this.#store.held.get(id);
    if (held !== undefined && held.untilMs > now && held.token !== token) {
      return { entry, isGiven: false, waitMs: held.untilMs - now };
    }
    this.#store.held.set(id, { token, untilMs: now + memoryLeaseMs });
    return { entry, isGiven: true, waitMs: 0 };
  }

  release(key: TierKey, token: string): void {
    const id = idOf(key);
    if (this.#store.held.get(id)?.token !== token) return;
    this.#store.held.delete(id);
    this.#tellOthers(({ freed }) => freed(key));
  }

  #tellOthers(tell: (listener: TierListener) => void): void {
    for (const [tier, listener] of this.#store.listeners) if (tier !== this) tell(listener);
  }
}

function idOf({ namespace, key }: TierKey): string {
  return `${namespace.length}:${namespace}${Buffer.from(key).toString("latin1")}`;
}

/** Neither side can change what the other has. */
function copyOf(entry: TierEntry): TierEntry {
  return { ...entry, value: new Uint8Array(entry.value), tags: [...entry.tags] };
}
