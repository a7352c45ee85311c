// The contract of a tier behind memory and disk: what the user brings, or `undercroft/sqlite`
// makes. Called by the thread that opened the cache only, one `apply` at a time. Keys and values
// are bytes: a tier keeps them as they are and knows nothing of codecs.

/**
 * The name of an entry in a tier: the bytes of its key, and its namespace, "" if it has none.
 *
 * @example
 * ```ts
 * import type { TierKey } from "undercroft";
 *
 * const rowOf = ({ namespace, key }: TierKey): string =>
 *   `${namespace}:${Buffer.from(key).toString("hex")}`;
 * console.log(rowOf({ namespace: "users", key: Buffer.from("7") })); // users:37
 * ```
 */
export interface TierKey {
  readonly namespace: string;
  readonly key: Uint8Array;
}

/**
 * An entry as a tier keeps it. Times are wall-clock milliseconds since 1970, `Infinity` for never.
 * The tier gives all of it back as it was, or nothing: the cache verifies it.
 *
 * @example
 * ```ts
 * import type { TierEntry } from "undercroft";
 *
 * const isForgotten = ({ staleUntil }: TierEntry, now: number): boolean => staleUntil <= now;
 * const value = Buffer.from([1]);
 * const entry = { value, createdAt: 0, expiresAt: 1000, staleUntil: 2000, tags: [] };
 * console.log(isForgotten(entry, 1500), isForgotten(entry, 2000)); // false true
 * ```
 */
export interface TierEntry {
  /** The encoded value; only the cache can read it. */
  readonly value: Uint8Array;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Until then a `fetch` may serve it stale. From then on the tier may forget it. */
  readonly staleUntil: number;
  readonly tags: readonly string[];
}

/**
 * A change that takes entries away. Without a namespace (null) it is for all of them.
 *
 * @example
 * ```ts
 * import type { TierInvalidation } from "undercroft";
 *
 * const ended: TierInvalidation = { kind: "delete-by-tag", namespace: null, tag: "user:7" };
 * console.log(ended.kind); // delete-by-tag
 * ```
 */
export type TierInvalidation =
  | ({ readonly kind: "delete" } & TierKey)
  | { readonly kind: "delete-by-tag"; readonly namespace: string | null; readonly tag: string }
  | { readonly kind: "clear"; readonly namespace: string | null };

/**
 * A change that a tier is told of.
 *
 * @example
 * ```ts
 * import type { TierChange } from "undercroft";
 *
 * const kinds = (changes: readonly TierChange[]): string => changes.map(({ kind }) => kind).join();
 * const key = Buffer.from("7");
 * console.log(kinds([{ kind: "delete", namespace: "", key }])); // delete
 * ```
 */
export type TierChange =
  ({ readonly kind: "set"; readonly entry: TierEntry } & TierKey) | TierInvalidation;

/**
 * What a tier tells the cache of what others do in it: other processes, machines, or an operator.
 *
 * @example
 * ```ts
 * import type { TierListener } from "undercroft";
 *
 * const told: string[] = [];
 * const listener: TierListener = {
 *   ended: ({ kind }) => void told.push(kind),
 *   freed: () => void told.push("freed"),
 *   touched: (error) => void told.push(error === null ? "in touch" : error.message),
 * };
 * listener.ended({ kind: "delete", namespace: "", key: Buffer.from("7") });
 * console.log(told.join()); // delete
 * ```
 */
export interface TierListener {
  /** Others have written or ended entries, or may have. They end here too: in memory, on disk, in
   *  the other tiers, and what waits to be written of them becomes a delete. Call it before
   *  `getMany` answers anything that is newer. */
  readonly ended: (change: TierInvalidation) => void;
  /** Another has released its lease of a key: who waits for it looks again. */
  readonly freed: (key: TierKey) => void;
  /** An error: the tier cannot hear of others any more, so it is not read. Null: it can again. What
   *  may have been missed meanwhile is to be told by `ended` first. */
  readonly touched: (error: Error | null) => void;
}

/**
 * What a tier answers who wants to load a key.
 *
 * @example
 * ```ts
 * import type { TierTurn } from "undercroft";
 *
 * const mayLoad = ({ isGiven }: TierTurn): boolean => isGiven;
 * console.log(mayLoad({ entry: undefined, isGiven: false, waitMs: 500 })); // false
 * ```
 */
export interface TierTurn {
  /** The entry that the tier has. If it has not expired there is no lease, nor any need of one. */
  readonly entry: TierEntry | undefined;
  /** Whether the lease was given: it is whose token it is. */
  readonly isGiven: boolean;
  /** If another has it: how many milliseconds it lasts at most. Else 0. */
  readonly waitMs: number;
}

/**
 * What a tier answers who wants to load a key although its entry has not expired.
 *
 * @example
 * ```ts
 * import type { TierRenewal } from "undercroft";
 *
 * const hasBegun = ({ isGiven, waitMs }: TierRenewal): boolean => isGiven || waitMs > 0;
 * console.log(hasBegun({ entry: undefined, isGiven: true, waitMs: 0, mark: 1 })); // true
 * ```
 */
export interface TierRenewal extends TierTurn {
  /** This moment: given as `since`, it asks for what was loaded under a later lease. */
  readonly mark: number;
}

/**
 * A tier behind memory and disk, for the option `tiers` of `openCache`.
 *
 * All its methods are called in the thread that opened the cache. Each may answer at once or by a
 * promise. One that throws or rejects takes the tier down: the cache goes on without it, keeps the
 * changes, and tries again after 100 ms, then 200 ms, and so on up to 30 s.
 *
 * @example
 * ```ts
 * import { openCache, type Tier, type TierEntry } from "undercroft";
 *
 * const rows = new Map<string, TierEntry>();
 * const idOf = (key: Uint8Array): string => Buffer.from(key).toString("hex");
 * const tier: Tier = {
 *   name: "map",
 *   getMany: (keys) => keys.map(({ key }) => rows.get(idOf(key))),
 *   apply: (changes) => {
 *     for (const change of changes) {
 *       if (change.kind === "set") rows.set(idOf(change.key), change.entry);
 *       else if (change.kind === "delete") rows.delete(idOf(change.key));
 *       else rows.clear();
 *     }
 *   },
 *   health: () => undefined,
 * };
 * const cache = await openCache<string>({ tiers: [tier] });
 * cache.set("a", "kept");
 * await cache.close();
 * console.log(rows.size); // 1
 * ```
 */
export interface Tier {
  /** 1 to 64 characters: in events and errors. */
  readonly name: string;
  /** Answers for each key, in order, its entry or undefined. `now` is the cache's time: what ends
   *  before it, `staleUntil` included, need not be given. */
  getMany(
    keys: readonly TierKey[],
    now: number,
  ): readonly (TierEntry | undefined)[] | Promise<readonly (TierEntry | undefined)[]>;
  /** Makes changes, in order. The next call comes when this has ended. A batch that failed comes
   *  again, with later changes, so what was made of it is made twice. If others have changed a key
   *  that is set, and `ended` has not told of it yet, it is deleted instead: nobody can say which
   *  of the two is newer. */
  apply(changes: readonly TierChange[], now: number): void | Promise<void>;
  /** Asked of a tier that is down and has no changes to make: throws or rejects if it still is. */
  health(): void | Promise<void>;
  /** Called by `Cache.flush` when all changes that it waits for have been applied, and with
   *  "others" by `Cache.write` and `setAsync`. Resolves when nobody who shares the tier answers
   *  what they have ended; from "disk" on, when what it has of them also survives the end of a
   *  process, and with "fsync" that of the machine. */
  flush?(depth: "others" | "disk" | "fsync"): void | Promise<void>;
  /** Called once, at the end of `Cache.close`, after the last change. */
  close?(): void | Promise<void>;
  /** Asks to be told what others do in the tier. Answers a function that ends it. By a promise:
   *  when the tier can hear of others; `openCache` waits for it, up to a second. A tier that has
   *  this method is shared: what a directory has from an earlier session is dropped at open, since
   *  others may have changed it. */
  subscribe?(listener: TierListener): (() => void) | Promise<() => void>;
  /** Asked instead of `getMany` before a loader runs: answers the entry, or gives the lease of the
   *  key to `token`, unless another has it, until it is released or its time is over. */
  lease?(key: TierKey, token: string, now: number): TierTurn | Promise<TierTurn>;
  /** As `lease`, before a load by `forceRefresh` or `refreshAfter`. Answers the entry only if it
   *  was loaded under a lease that was given after the mark `since`, and released; -1: never. A
   *  tier without this method lets these loads run once in each process. */
  renew?(key: TierKey, token: string, since: number): TierRenewal | Promise<TierRenewal>;
  /** Ends the lease of a key, if `token` still has it. */
  release?(key: TierKey, token: string): void | Promise<void>;
}

/** What a flush waits for. */
export type FlushDepth = Parameters<NonNullable<Tier["flush"]>>[0];
