// A store for keyv 5 and keyv 6, and so for cacheable, cache-manager and Nest. keyv itself is not
// imported. What the two versions want of a store differs, and each says which it is by what it
// asks a store for before it uses it:
//
//                   keyv 5                          keyv 6
//   asks for        `opts`                          `capabilities`
//   ends of life    set(key, value, ttl)            set(key, value, expires): ms since 1970
//   keys            come with "namespace:"          come without: the store adds it
//   deleteMany      answers a boolean               answers a boolean for each key
//
// Invariant: an entry of a Keyv with a namespace is under "namespace:key" and has the namespace's
// tag, by which clear() ends it: at once, in every thread, on disk and in outer tiers.
import { EventEmitter } from "node:events";
import { callersMs, describe } from "../base/mod.js";
import {
  assertSpace,
  notStoredError,
  patientSet,
  type Space,
  tagPrefixOf,
} from "../adapters/mod.js";

/** A number that a caller gives who did not say its version is a time from here on, in 2001, and a
 *  duration before. */
const earliestTime = 1e12;

/** An entry of setMany: `ttl` by keyv 5, `expires` by keyv 6. */
interface KeyvEntry {
  readonly key: string;
  readonly value: unknown;
  readonly ttl?: number | undefined;
  readonly expires?: number | undefined;
}

/**
 * A store for a Keyv of version 5 or 6 in a cache of yours, or in a namespace of one. Give each
 * Keyv a store of its own: keyv tells a store its namespace, and the last one tells last. Stores
 * with one cache and one namespace, in any thread, have the same entries.
 *
 * The cache stays yours: `keyv.disconnect()` does not close it. An entry for which keyv says no ttl
 * gets the default of the cache or namespace. What the cache does not store, or cannot encode, is
 * an "error" event of the Keyv, and `set` resolves to false.
 *
 * @throws TypeError if `space` is neither a cache nor a namespace.
 *
 * @example
 * ```ts
 * import Keyv from "keyv";
 * import { openCache } from "undercroft";
 * import { keyvStore } from "undercroft/keyv";
 *
 * const cache = await openCache({ memory: "64mb" });
 * const keyv = new Keyv({ store: keyvStore(cache.namespace("sessions")) });
 * await keyv.set("7", { name: "Ada" }, 60_000);
 * console.log(await keyv.get("7")); // { name: 'Ada' }
 * await cache.close();
 * ```
 */
export function keyvStore(space: Space): KeyvStore {
  assertSpace("a store for keyv", space);
  return new KeyvStore(space);
}

class KeyvStore extends EventEmitter {
  /** Set by keyv. */
  namespace: string | undefined = undefined;
  readonly #space: Space;
  readonly #tagPrefix: string;
  /** keyv 5 walks only over stores of dialects that it knows. */
  readonly #opts: Record<string, unknown> = { dialect: "redis" };
  #version: 5 | 6 | undefined;

  constructor(space: Space) {
    super();
    this.setMaxListeners(0); // one for each Keyv, which never removes it
    this.#space = space;
    this.#tagPrefix = tagPrefixOf("keyv", space);
  }

  /** What keyv 5 asks for. */
  get opts(): Record<string, unknown> {
    this.#speaks(5);
    return this.#opts;
  }

  /** What keyv 6 asks for: `expires` says that a store takes times, not durations. */
  get capabilities(): { readonly expires: true } {
    this.#speaks(6);
    return { expires: true };
  }

  async get(key: string): Promise<unknown> {
    return this.#space.get(this.#nameOf(key));
  }

  async getMany(keys: readonly string[]): Promise<unknown[]> {
    const names = keys.map((key) => this.#nameOf(key));
    const found = await this.#space.getMany(names);
    return names.map((name) => found.get(name));
  }

  async has(key: string): Promise<boolean> {
    const name = this.#nameOf(key);
    // Of the disk `has` knows the index only.
    return this.#space.has(name) && (await this.#space.get(name)) !== undefined;
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined);
  }

  async set(key: string, value: unknown, life?: number | null): Promise<boolean> {
    return this.#store(key, value, this.#ttlOf(life ?? undefined));
  }

  async setMany(entries: readonly KeyvEntry[]): Promise<boolean[]> {
    const stored = entries.map(async ({ key, value, ttl, expires }) => {
      try {
        return await this.#store(key, value, expires === undefined ? ttl : expires - callersMs());
      } catch (error) {
        this.emit("error", error);
        return false;
      }
    });
    return Promise.all(stored);
  }

  async delete(key: string): Promise<boolean> {
    return this.#space.delete(this.#nameOf(key));
  }

  async deleteMany(keys: readonly string[]): Promise<boolean | boolean[]> {
    const deleted = keys.map((key) => this.#space.delete(this.#nameOf(key)));
    return this.#version === 5 ? deleted.every(Boolean) : deleted;
  }

  /** Without a namespace everything that is in the cache or namespace of this store. */
  async clear(): Promise<void> {
    const { namespace } = this;
    if (namespace) this.#space.endTag(this.#tagPrefix + namespace);
    else this.#space.clear();
  }

  async *iterator(): AsyncGenerator<[string, unknown], void> {
    const prefix = this.namespace ? `${this.namespace}:` : "";
    const isCut = this.#version !== 5;
    for await (const [key, value] of this.#space.entries({ prefix })) {
      if (typeof key === "string") yield [isCut ? key.slice(prefix.length) : key, value];
    }
  }

  /** The cache is the caller's, and may have other users: it stays open. */
  async disconnect(): Promise<void> {}

  #speaks(version: 5 | 6): void {
    this.#version ??= version;
    if (this.#version === version) return;
    throw new TypeError(
      `Cannot use this store in keyv ${version}: a Keyv of version ${this.#version} has it; ` +
        "make a store for each Keyv",
    );
  }

  /** The cache's key of one of keyv's. */
  #nameOf(key: string): string {
    const isWhole = !this.namespace || this.#version === 5;
    return isWhole ? key : `${this.namespace}:${key}`;
  }

  /** What is left of an entry's life, in milliseconds; undefined if keyv says no end. */
  #ttlOf(life: number | undefined): number | undefined {
    if (life === undefined) return undefined;
    const isTime = this.#version === undefined ? life >= earliestTime : this.#version === 6;
    return isTime ? life - callersMs() : life;
  }

  async #store(key: string, value: unknown, ttl: number | undefined): Promise<boolean> {
    const name = this.#nameOf(key);
    const { namespace } = this;
    if (namespace && !name.startsWith(`${namespace}:`)) throw foreignKeyError(key, namespace);
    if (ttl !== undefined && ttl <= 0) {
      this.#space.delete(name); // over before it was stored
      return true;
    }
    const outcome = await patientSet(this.#space, name, value, {
      ...(ttl !== undefined && { ttl }),
      ...(namespace && { tags: [this.#tagPrefix + namespace] }),
    });
    if (outcome !== "stored") throw notStoredError(name, outcome);
    return true;
  }
}

/** Such a key would be missed by clear(), or be that of another Keyv. */
function foreignKeyError(key: string, namespace: string): TypeError {
  return new TypeError(
    `Cannot store key ${describe(key)}: it does not begin with the namespace that keyv gave this ` +
      `store last, ${describe(namespace)}; make a store for each Keyv, and leave useKeyPrefix on`,
  );
}
