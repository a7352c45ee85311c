// The store of undici's cache interceptor. Called by the interceptor. Two kinds of entries: for
// each URL an index of its responses, one for each method and variant (Vary), and each response
// with its body under a random key; a large body is an entry of its own, written and read as a
// stream. Order of writes: a body first, then its response, then the index by an update, atomic
// over threads; what the index does not name is never read. Times are the host's: its deadlines are
// judged by its own clock, fakes included; the cache's ttl only frees the room.
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { assertSpace, digest, type Space } from "../adapters/mod.js";
import { callersMs, describe, MiB, parseSize, setTimeout } from "../base/mod.js";
import { optionsOf, type Size } from "../config/mod.js";
import { BodyWriter } from "./body-writer.js";
import { chunksOf } from "./body-chunks.js";
import {
  type CacheKey,
  type CacheValue,
  isFor,
  type UrlIndex,
  type Variant,
  variantsMax,
} from "./url-index.js";

/** The longest URL that is a key as it is; of others it is the hash. */
const urlLengthMax = 1024;
/** How long a streamed body stays after its response has ended, for those who read it. */
const replacedBodyMs = 60_000;
/** How long a deletion keeps out a response that began before it. */
const deletionMs = 10 * 60_000;

/**
 * The options of `UndiciCacheStore`. An unknown option throws RangeError.
 *
 * @example
 * ```ts
 * import type { UndiciCacheStoreOptions } from "undercroft/undici";
 *
 * const options: UndiciCacheStoreOptions = { maxEntrySize: "1mb" };
 * console.log(options.maxEntrySize); // 1mb
 * ```
 */
export interface UndiciCacheStoreOptions {
  /** The most bytes of a body that is stored, at least 1. Default "5mb", as of undici's own. */
  readonly maxEntrySize?: Size;
}

/** A response of the cache, as the interceptor asks for it. */
type Found = Omit<CacheValue, "cacheControlDirectives"> & {
  readonly cacheControlDirectives: object;
  readonly body: Iterable<Buffer> | Readable;
};

/**
 * A store for `interceptors.cache` of undici 7 and 8, over a cache or a namespace, which stays
 * yours. Give it one of its own.
 *
 * What is in memory is answered at once, what is on disk by a promise. Bodies are handed out in
 * pieces of their own; those of more than 256 KiB are stored and read as streams, never whole in
 * memory. A body of more than `maxEntrySize`, or than the cache can hold, is not stored. `delete`
 * ends the responses of all methods and variants of a URL, and those that were being received when
 * it was called. A URL has at most 32 responses.
 *
 * @throws TypeError if `space` is no cache, RangeError for an option that is not allowed.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { openCache } from "undercroft";
 * import { UndiciCacheStore } from "undercroft/undici";
 * import { Agent, interceptors, request } from "undici";
 *
 * let asked = 0;
 * const server = createServer((_, response) => {
 *   asked += 1;
 *   response.setHeader("cache-control", "max-age=60").end("hello");
 * });
 * await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
 * const { port } = server.address() as { port: number };
 *
 * const cache = await openCache();
 * const store = new UndiciCacheStore(cache.namespace("http"));
 * const dispatcher = new Agent().compose(interceptors.cache({ store }));
 * for (let call = 0; call < 2; call++) {
 *   const { body } = await request(`http://127.0.0.1:${port}/`, { dispatcher });
 *   await body.text();
 * }
 * console.log(asked); // 1
 * await dispatcher.close();
 * server.close();
 * await cache.close();
 * ```
 */
export class UndiciCacheStore {
  readonly #space: Space;
  readonly #maxEntrySize: number;
  #oversized = 0;

  constructor(space: Space, options: UndiciCacheStoreOptions = {}) {
    assertSpace("a store for undici", space);
    const { maxEntrySize = 5 * MiB } = optionsOf("", options, ["maxEntrySize"]);
    this.#space = space;
    this.#maxEntrySize = parseSize("maxEntrySize", maxEntrySize);
    if (this.#maxEntrySize < 1) {
      throw new RangeError(
        `Cannot use option maxEntrySize: current value is ${describe(maxEntrySize)}; ` +
          "it must be at least 1",
      );
    }
  }

  /** Responses of this store, in this thread, that were larger than `maxEntrySize`. */
  get oversized(): number {
    return this.#oversized;
  }

  /** The response for a request: from memory at once, from disk as a promise. */
  get(key: CacheKey): Found | Promise<Found | undefined> | undefined {
    const url = urlKey(key);
    const index = this.#space.getSync(url);
    if (index === undefined) return this.#space.has(url) ? this.#getLater(key, url) : undefined;
    const variant = variantFor(key, index as UrlIndex);
    if (variant === undefined) return undefined;
    if (variant.isStreamed) return this.#getLater(key, url);
    const response = this.#space.getSync(responseKey(variant));
    if (response !== undefined) return foundIn(response as StoredResponse);
    return this.#space.has(responseKey(variant)) ? this.#getLater(key, url) : undefined;
  }

  async #getLater(key: CacheKey, url: string): Promise<Found | undefined> {
    const index = (await this.#space.get(url)) as UrlIndex | undefined;
    const variant = index && variantFor(key, index);
    const response = variant && (await this.#space.get(responseKey(variant)));
    if (response === undefined) return undefined;
    const stored = response as StoredResponse;
    if (!variant?.isStreamed) return foundIn(stored);
    const body = await this.#space.getStream(bodyKey(variant));
    return body && foundIn(stored, body);
  }

  /** A stream for the body of a response, which is stored when it ends; undefined if it would have
   *  expired. */
  createWriteStream(key: CacheKey, value: CacheValue): BodyWriter | undefined {
    const url = urlKey(key);
    if (!(value.deleteAt > callersMs())) return undefined;
    const deletion = this.#deletionOf(url);
    const id = randomUUID();
    return new BodyWriter(this.#maxEntrySize, {
      grown: (source) => this.#storeBody(id, source, value),
      ended: (body) => this.#store(key, url, deletion, value, id, body),
      oversized: () => {
        this.#oversized += 1;
      },
    });
  }

  /** Ends the responses of all methods and variants of a URL. */
  delete(key: CacheKey): void {
    const url = urlKey(key);
    const index = this.#space.getSync(url) as UrlIndex | undefined;
    this.#space.set(url, { deletion: randomUUID(), variants: [] }, { ttl: deletionMs });
    if (index !== undefined) this.#drop(index.variants);
  }

  /** Ends responses that no index names any more. Their streamed bodies may be on their way to a
   *  client, who would get half of one: they are given time. If the process ends first, eviction
   *  or their ttl frees the room. */
  #drop(variants: readonly Variant[]): void {
    this.#space.deleteMany(variants.map(responseKey));
    const bodies = variants.filter(({ isStreamed }) => isStreamed).map(bodyKey);
    if (bodies.length === 0) return;
    setTimeout(() => {
      try {
        this.#space.deleteMany(bodies);
      } catch {
        // The cache was closed meanwhile.
      }
    }, replacedBodyMs).unref();
  }

  /** Stores a large body while it is received. False if it was broken off or refused. */
  async #storeBody(id: string, source: Readable, value: CacheValue): Promise<boolean> {
    try {
      const ttl = Math.max(1, value.deleteAt - callersMs());
      return (await this.#space.setStream(bodyKey({ id }), source, { ttl })) === "stored";
    } catch {
      // What was broken off, or met a disk that fails, is not stored.
      return false;
    }
  }

  #deletionOf(url: string): string {
    const index = this.#space.getSync(url) as UrlIndex | undefined;
    return index?.deletion ?? "";
  }

  /** Stores a response, at once unless the index is on disk: the host asks for it next. */
  #store(
    key: CacheKey,
    url: string,
    deletion: string,
    value: CacheValue,
    id: string,
    body: Uint8Array | undefined,
  ): Promise<void> | undefined {
    const now = callersMs();
    const ttl = value.deleteAt - now;
    const { method } = key;
    const { vary, deleteAt } = value;
    const isStreamed = body === undefined;
    const variant: Variant = { method, vary: vary && { ...vary }, deleteAt, id, isStreamed };
    const response: StoredResponse = { value: plainCopy(value), body: body ?? noBytes };
    if (!(ttl > 0) || this.#space.set(responseKey(variant), response, { ttl }) !== "stored") {
      if (isStreamed) this.#space.delete(bodyKey(variant));
      return undefined;
    }

    let dropped: readonly Variant[] = [];
    const add = (index: UrlIndex): UrlIndex => {
      dropped = [variant];
      if (index.deletion !== deletion) return index;
      const isKept = (each: Variant): boolean => each.deleteAt > now && !isFor(key, each);
      const kept = index.variants.filter(isKept).slice(0, variantsMax - 1);
      dropped = index.variants.filter((each) => !kept.includes(each));
      return { deletion, variants: [variant, ...kept] };
    };
    const settle = (outcome: string): void => {
      if (outcome !== "stored") dropped = [variant];
      this.#drop(dropped);
    };
    const options = { absent: add({ deletion: "", variants: [] }), ttl: this.#ttlWith(url, ttl) };
    const outcome = this.#space.update(url, (index) => add(index as UrlIndex), options);
    if (outcome !== "absent") {
      settle(outcome);
      return undefined;
    }
    return this.#space.updateAsync(url, (index) => add(index as UrlIndex), options).then(settle);
  }

  /** The time to live of an index that gets a response which lives for `ttl`. */
  #ttlWith(url: string, ttl: number): number {
    const index = this.#space.getSync(url) as UrlIndex | undefined;
    const others = (index?.variants ?? []).map(({ deleteAt }) => deleteAt - callersMs());
    return Math.max(ttl, ...others);
  }
}

const noBytes = new Uint8Array(0);

/** A response in the cache. */
interface StoredResponse {
  readonly value: CacheValue;
  /** Empty if it is streamed. */
  readonly body: Uint8Array;
}

function foundIn({ value, body }: StoredResponse, streamed?: Readable): Found {
  const { headers, cacheControlDirectives = {} } = value;
  // The cache has one object for all.
  const own = { ...value, headers: { ...headers }, cacheControlDirectives };
  return { ...own, body: streamed ?? chunksOf(body) };
}

/** A value without what is undefined, and its objects without what the host hides in them. */
function plainCopy(value: CacheValue): CacheValue {
  const { headers, vary, etag, cacheControlDirectives } = value;
  const { statusCode, statusMessage, cachedAt, staleAt, deleteAt } = value;
  return {
    statusCode,
    statusMessage,
    cachedAt,
    staleAt,
    deleteAt,
    headers: { ...headers },
    ...(vary === undefined ? {} : { vary: { ...vary } }),
    ...(etag === undefined ? {} : { etag }),
    ...(cacheControlDirectives === undefined
      ? {}
      : { cacheControlDirectives: { ...cacheControlDirectives } }),
  };
}

function variantFor(key: CacheKey, { variants }: UrlIndex): Variant | undefined {
  const now = callersMs();
  return variants.find((variant) => variant.deleteAt > now && isFor(key, variant));
}

function responseKey({ id }: Pick<Variant, "id">): string {
  return `response:${id}`;
}

function bodyKey({ id }: Pick<Variant, "id">): string {
  return `body:${id}`;
}

/** The key of a URL's index. Throws TypeError unless `key` names one. */
function urlKey(key: CacheKey): string {
  const { origin, method, path } = (
    typeof key === "object" && key !== null ? key : {}
  ) as Partial<CacheKey>;
  if (typeof origin !== "string" || typeof method !== "string" || typeof path !== "string") {
    throw new TypeError(
      `Cannot look up a response: its key is ${describe(key)}; it must have origin, method and ` +
        "path, as undici's cache interceptor gives it",
    );
  }
  const url = JSON.stringify([origin, path]);
  return `url:${url.length <= urlLengthMax ? url : digest(url)}`;
}
