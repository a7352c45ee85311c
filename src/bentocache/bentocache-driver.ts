// A driver for the first layer (L1) of bentocache, which itself is not imported. The layer is
// synchronous: it reads memory and never the disk. An entry on disk only is deleted when it is
// asked for: it could not be marked as expired, and might come back to memory as if it were fresh.
//
// An entry is under "prefix:key", as in bentocache's own driver, so that what is in a namespace is
// found from its parent by the longer key. Its value is "<end of life>:<bentocache's string>", the
// end in milliseconds since 1970 or empty, since bentocache asks what is left of it. Its tags name
// every driver of this thread that it is within: clear() of one ends the entries with its tag.
import { callersMs, describe } from "../base/mod.js";
import { assertSpace, type Space, tagPrefixOf } from "../adapters/mod.js";

/** An entry has 16 tags at most. */
const levelsMax = 16;

/** What bentocache gives a driver's factory, as far as it is used. */
interface DriverConfig {
  readonly prefix?: string | undefined;
}

/** An `L1CacheDriver` of bentocache. */
interface L1Driver {
  type: "l1";
  namespace(name: string): L1Driver;
  get(key: string): string | undefined;
  pull(key: string): string | undefined;
  set(key: string, value: string, ttl?: number): boolean;
  getRemainingTtl(key: string): number | undefined;
  clear(): void;
  delete(key: string): boolean;
  deleteMany(keys: string[]): boolean;
  disconnect(): void;
}

/** A `CreateDriverResult` of bentocache. */
interface L1DriverMaker {
  options: Record<string, unknown>;
  factory: (config: DriverConfig) => L1Driver;
}

/**
 * The first layer of a bentocache store in a cache of yours, or in a namespace of one: shared by
 * all threads, and bounded in bytes. Give each store a namespace of its own, since stores have one
 * prefix by default. The cache stays yours: `disconnect` does not close it.
 *
 * What the cache refuses (`stats().sets` counts it) is a miss of this layer, in which nothing older
 * is left. Entries for which bentocache says no ttl get the default of the cache or namespace.
 *
 * @throws TypeError if `space` is neither a cache nor a namespace.
 *
 * @example
 * ```ts
 * import { BentoCache, bentostore } from "bentocache";
 * import { openCache } from "undercroft";
 * import { bentocacheDriver } from "undercroft/bentocache";
 *
 * const cache = await openCache({ memory: "64mb" });
 * const store = bentostore().useL1Layer(bentocacheDriver(cache.namespace("users")));
 * const bento = new BentoCache({ default: "users", stores: { users: store } });
 * console.log(await bento.getOrSet({ key: "7", ttl: "5m", factory: () => "Ada" })); // Ada
 * await bento.disconnect();
 * await cache.close();
 * ```
 */
export function bentocacheDriver(space: Space): L1DriverMaker {
  assertSpace("a driver for bentocache", space);
  return {
    options: {},
    factory: ({ prefix = "" }) => new Driver(space, prefix.replace(/:+$/, ""), [], new Set()),
  };
}

class Driver implements L1Driver {
  type = "l1" as const;
  readonly #space: Space;
  readonly #prefix: string;
  readonly #tagPrefix: string;
  /** Of the drivers that this one is within, and its own last. */
  readonly #tags: readonly string[];
  /** Tags of all drivers that came from one factory call. */
  readonly #made: Set<string>;

  constructor(space: Space, prefix: string, outer: readonly string[], made: Set<string>) {
    this.#space = space;
    this.#prefix = prefix;
    this.#tagPrefix = tagPrefixOf("bentocache", space);
    const own = this.#tagPrefix + prefix;
    this.#tags = [...outer, own];
    this.#made = made.add(own);
  }

  namespace(name: string): Driver {
    if (this.#tags.length === levelsMax) {
      throw new RangeError(
        `Cannot make namespace ${describe(name)}: it would be at depth ${levelsMax + 1}; ` +
          `there may be ${levelsMax}, the store's prefix included`,
      );
    }
    return new Driver(this.#space, this.#nameOf(name), this.#tags, this.#made);
  }

  get(key: string): string | undefined {
    const stored = this.#stored(key);
    return stored?.slice(stored.indexOf(":") + 1);
  }

  pull(key: string): string | undefined {
    const value = this.get(key);
    this.delete(key);
    return value;
  }

  set(key: string, value: string, ttl?: number): boolean {
    if (ttl !== undefined && ttl <= 0) {
      this.delete(key); // over before it was stored
      return true;
    }
    const end = ttl === undefined || ttl === Infinity ? "" : String(callersMs() + ttl);
    const options = { tags: this.#tagsOf(key), ...(ttl !== undefined && { ttl }) };
    return this.#space.set(this.#nameOf(key), `${end}:${value}`, options) === "stored";
  }

  getRemainingTtl(key: string): number | undefined {
    const stored = this.#stored(key);
    const end = stored?.slice(0, stored.indexOf(":"));
    return end ? Number(end) - callersMs() : undefined;
  }

  clear(): void {
    this.#space.endTag(this.#tagPrefix + this.#prefix);
  }

  delete(key: string): boolean {
    return this.#space.delete(this.#nameOf(key));
  }

  deleteMany(keys: string[]): boolean {
    for (const key of keys) this.delete(key);
    return true;
  }

  /** The cache is the caller's, and may have other users: it stays open. */
  disconnect(): void {}

  #stored(key: string): string | undefined {
    const name = this.#nameOf(key);
    const stored = this.#space.getSync(name);
    if (typeof stored === "string") return stored;
    if (this.#space.has(name)) this.#space.delete(name);
    return undefined;
  }

  #nameOf(key: string): string {
    return this.#prefix ? `${this.#prefix}:${key}` : key;
  }

  /** The key may itself name namespaces within this one: "posts:1". */
  #tagsOf(key: string): readonly string[] {
    let tags = this.#tags;
    for (let at = key.indexOf(":"); at !== -1; at = key.indexOf(":", at + 1)) {
      const tag = this.#tagPrefix + this.#nameOf(key.slice(0, at));
      if (this.#made.has(tag)) tags = [...tags, tag];
    }
    return tags;
  }
}
