// One call of `warm`: takes entries or keys from a source as fast as the cache takes them. Called
// by the facade. Invariants: the source is asked for no more than `concurrency` loads at once; each
// entry is counted once; nothing is stored while there is no room for it but by eviction of what is
// on disk (entries/segment-room.ts). A signal ends it between two entries.
import { assertNotAborted, describe, UndercroftError } from "../../base/mod.js";
import {
  assertKey,
  LoadedEntry,
  type ResolvedFetchOptions,
  type SetOptions,
} from "../../config/mod.js";
import { SegmentRoom, type SetOutcome, type ThreadCore } from "../../entries/mod.js";
import type { Loader, ManyLoader } from "../../fetch/mod.js";
import { type Key, keyIdOf } from "../../kernel/mod.js";
import { turn } from "../walk/index-walk.js";
import type { ResolvedWarmOptions, WarmOutcome } from "./warm-options.js";

/** Keys of one call of `loadMany`. */
export const warmedKeysPerCall = 100;
/** Entries after which other work may run, and progress is told. */
const entriesPerTurn = 64;
/** How often a set that is refused for want of room is tried again. */
const attemptsMax = 100;

/** What a warming works with. */
export interface WarmParts<V, K> {
  readonly core: ThreadCore;
  readonly keyOf: (key: K) => Key;
  readonly has: (key: K) => boolean;
  readonly set: (key: K, value: V, options: SetOptions) => SetOutcome;
  readonly fetch: (
    key: K,
    load: Loader<V, K>,
    options: ResolvedFetchOptions,
  ) => Promise<V | undefined>;
  readonly fetchEach: (
    keys: readonly K[],
    loadMany: ManyLoader<V, K>,
    options: ResolvedFetchOptions,
  ) => Promise<V | undefined>[];
}

export class Warming<V, K> {
  readonly #parts: WarmParts<V, K>;
  readonly #options: ResolvedWarmOptions<V, K>;
  readonly #room: SegmentRoom;
  readonly #underWay = new Set<Promise<void>>();
  readonly #counts = { loaded: 0, present: 0, failed: 0, refused: 0 };
  #taken = 0;
  #done = 0;
  #told = 0;
  #error: { readonly error: unknown } | undefined;

  constructor(parts: WarmParts<V, K>, options: ResolvedWarmOptions<V, K>) {
    this.#parts = parts;
    this.#options = options;
    this.#room = new SegmentRoom(parts.core);
  }

  async run(source: AsyncIterable<unknown>): Promise<WarmOutcome> {
    const { load, ifAbsent } = this.#options;
    let keys: K[] = [];
    for await (const item of source) {
      this.#goOn();
      if (this.#isPair(item)) {
        const [key, value] = this.#pairOf(item);
        if (ifAbsent) await this.#begin(() => this.#loadEach([key], () => value));
        else await this.#set(key, value);
      } else {
        keys.push(this.#nameOf(item));
        if (load !== undefined || keys.length === warmedKeysPerCall) {
          const some = keys;
          keys = [];
          await this.#begin(() => this.#loadKeys(some));
        }
      }
      this.#taken += 1;
      if (this.#taken % entriesPerTurn === 0) await turn();
    }
    if (keys.length > 0) await this.#begin(() => this.#loadKeys(keys));
    while (this.#underWay.size > 0) await Promise.race(this.#underWay);
    this.#goOn();
    this.#tell();
    return { ...this.#counts };
  }

  /** Throws if the call is to end: its signal, an error of it, a closed cache. */
  #goOn(): void {
    assertNotAborted(this.#options.signal);
    if (this.#error !== undefined) throw this.#error.error;
    this.#parts.core.assertOpen();
    if (this.#done - this.#told >= entriesPerTurn) this.#tell();
  }

  #tell(): void {
    this.#told = this.#done;
    this.#options.onProgress?.({ ...this.#counts });
  }

  #count(kind: keyof WarmOutcome): void {
    this.#counts[kind] += 1;
    this.#done += 1;
  }

  /** Begins work on keys, once there is room for it among what is under way. */
  async #begin(work: () => Promise<void>): Promise<void> {
    while (this.#underWay.size >= this.#options.concurrency) await Promise.race(this.#underWay);
    this.#goOn();
    const task = work().catch((error: unknown) => {
      this.#error ??= { error };
    });
    this.#underWay.add(task);
    void task.then(() => this.#underWay.delete(task));
  }

  // ── Pairs that are set ──────────────────────────────────────────────────────────────────────

  async #set(key: K, given: V | LoadedEntry<V>): Promise<void> {
    const { value, options } = this.#unwrapped(given);
    const bytes = bytesOf(value);
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (!this.#room.has(bytes)) await this.#room.wait(bytes);
      this.#goOn();
      let outcome: SetOutcome;
      try {
        outcome = this.#parts.set(key, value, options);
      } catch (error) {
        this.#fail(key, error);
        return;
      }
      if (outcome === "stored") return this.#count("loaded");
      // Something newer is there, by the caller's own order.
      if (outcome === "outdated") return this.#count("present");
      if (outcome === "too-large") break;
      await turn();
    }
    this.#count("refused");
  }

  #unwrapped(given: V | LoadedEntry<V>): { readonly value: V; readonly options: SetOptions } {
    const { set } = this.#options;
    if (!(given instanceof LoadedEntry)) return { value: given, options: set };
    const { ttlMs: ttl, staleForMs: staleFor, tags } = given.times;
    const own = {
      ...(ttl === undefined ? {} : { ttl }),
      ...(staleFor === undefined ? {} : { staleFor }),
      ...(tags === undefined ? {} : { tags }),
    };
    return { value: given.value as V, options: { ...set, ...own } };
  }

  // ── What is loaded ──────────────────────────────────────────────────────────────────────────

  #loadKeys(keys: readonly K[]): Promise<void> {
    const { load, isAnew } = this.#options;
    if (load !== undefined) return this.#loadEach(keys, load, isAnew);
    return this.#settle(keys, isAnew, (called, fetch) => {
      const loadMany: ManyLoader<V, K> = (context) => {
        for (const key of context.keys) called.add(this.#idOf(key));
        return (this.#options.loadMany as ManyLoader<V, K>)(context);
      };
      return this.#parts.fetchEach(keys, loadMany, fetch);
    });
  }

  #loadEach(keys: readonly K[], load: Loader<V, K>, isAnew = false): Promise<void> {
    return this.#settle(keys, isAnew, (called, fetch) =>
      keys.map((key) => {
        const noted: Loader<V, K> = (context) => {
          called.add(this.#idOf(key));
          return load(context);
        };
        return this.#parts.fetch(key, noted, fetch);
      }),
    );
  }

  /** Makes fetches of keys, and counts what comes of each. */
  async #settle(
    keys: readonly K[],
    forceRefresh: boolean,
    begin: (called: Set<string>, options: ResolvedFetchOptions) => Promise<V | undefined>[],
  ): Promise<void> {
    if (!this.#room.has(0)) await this.#room.wait(0);
    this.#goOn();
    const { fetch, signal } = this.#options;
    const called = new Set<string>();
    const settled = await Promise.allSettled(begin(called, { ...fetch, forceRefresh, signal }));
    this.#parts.core.assertOpen();
    assertNotAborted(signal);
    const told = new Set<unknown>();
    for (const [position, end] of settled.entries()) {
      const key = keys[position] as K;
      if (end.status === "rejected") {
        this.#fail(key, end.reason, told);
      } else if (end.value === undefined) this.#count("failed");
      else if (!called.has(this.#idOf(key))) this.#count("present");
      else this.#count(this.#parts.has(key) ? "loaded" : "refused");
    }
  }

  /** Counts an entry without a value, and tells why, once an error. */
  #fail(name: K, cause: unknown, told: Set<unknown> = new Set()): void {
    this.#count("failed");
    if (told.has(cause)) return;
    told.add(cause);
    const key = this.#parts.keyOf(name);
    const why = cause instanceof Error ? cause.message : describe(cause);
    const text = `Cannot warm key ${describe(key)}: ${why}; it is counted as failed`;
    this.#parts.core.emitError(new UndercroftError("ERR_LOADER", text, { cause }), key);
  }

  // ── What the source gives ───────────────────────────────────────────────────────────────────

  /** Whether an item is to be a pair. Beside a loader of the namespace, which the call did not ask
   *  for, both pairs and keys come: only an array of two is a pair there. */
  #isPair(item: unknown): boolean {
    const { load, loadMany, isBound } = this.#options;
    if (load === undefined && loadMany === undefined) return true;
    return isBound && Array.isArray(item) && item.length === 2;
  }

  #pairOf(item: unknown): readonly [K, V | LoadedEntry<V>] {
    if (!Array.isArray(item) || item.length !== 2) {
      throw new TypeError(
        `Cannot warm the cache: item ${this.#taken} is ${describe(item)}; it must be a pair ` +
          "[key, value], or a key where option load or loadMany is given",
      );
    }
    this.#nameOf(item[0]);
    return item as unknown as readonly [K, V | LoadedEntry<V>];
  }

  /** What names an entry, whose key is checked. */
  #nameOf(item: unknown): K {
    try {
      assertKey(this.#parts.keyOf(item as K));
    } catch (error) {
      const why = error instanceof Error ? error.message : describe(error);
      const text = `Cannot warm the cache: item ${this.#taken}: ${why}`;
      throw error instanceof RangeError
        ? new RangeError(text, { cause: error })
        : new TypeError(text, { cause: error });
    }
    return item as K;
  }

  #idOf(key: K): string {
    return keyIdOf(this.#parts.keyOf(key));
  }
}

/** About how many bytes a value takes, where that is known before it is encoded. */
function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  return ArrayBuffer.isView(value) ? value.byteLength : 0;
}
