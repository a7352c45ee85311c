// The cache of LangGraph's tasks: results by namespace and key. Called by LangGraph. A namespace of
// LangGraph is no namespace here, of which there are few: each has a number of its own, its
// generation, which is in the keys of its entries. To clear one is to delete its generation: the
// next set makes another, and what was stored under the old one, or is being stored, is never found
// again. It takes room until it is evicted or expires.
import { randomUUID } from "node:crypto";
import { assertSpace, digest, type Space } from "../adapters/mod.js";
import { describe } from "../base/mod.js";

/** A LangGraph namespace and a key in it. */
type FullKey = [namespace: string[], key: string];

/** What a cache of LangGraph turns values into bytes by. */
interface Serde {
  dumpsTyped(value: unknown): Promise<[type: string, bytes: Uint8Array]>;
  loadsTyped(type: string, bytes: Uint8Array | string): Promise<unknown>;
}

/** A result as LangGraph gives it; `ttl` in seconds. */
interface TaskResult {
  readonly key: FullKey;
  readonly value: unknown;
  readonly ttl?: number | null;
}

/** A result in the cache. */
interface StoredResult {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/**
 * What `taskCache` takes of `@langchain/langgraph-checkpoint`: the module as it is imported. `Base`
 * is its BaseCache.
 *
 * @example
 * ```ts
 * import type { LangGraphCaches } from "undercroft/langchain";
 *
 * abstract class BaseCache {
 *   abstract clear(namespaces: string[][]): Promise<void>;
 * }
 * const caches: LangGraphCaches<BaseCache> = { BaseCache };
 * console.log(typeof caches.BaseCache); // function
 * ```
 */
export interface LangGraphCaches<Base extends object> {
  readonly BaseCache: abstract new () => Base;
}

/** LangGraph's unit of time. */
const secondMs = 1000;

/**
 * The option `cache` of LangGraph's `compile`, over a cache or a namespace, which stays yours. Give
 * it one of its own.
 *
 * `checkpoint` is the module `@langchain/langgraph-checkpoint`: what is returned extends its
 * BaseCache, and turns results into bytes by its serializer. `ttl` is in seconds, as LangGraph has
 * it; without one it is the cache's. `clear` ends what was stored before it and what is being
 * stored, in the same time however much that is.
 *
 * @throws TypeError if `space` is no cache or `checkpoint` not the module.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { taskCache } from "undercroft/langchain";
 *
 * // import * as checkpoint from "@langchain/langgraph-checkpoint"; it has this and more:
 * abstract class BaseCache {
 *   serde = {
 *     dumpsTyped: async (value: unknown) => ["json", Buffer.from(JSON.stringify(value))],
 *     loadsTyped: async (_type: string, bytes: Uint8Array) => JSON.parse(String(bytes)) as unknown,
 *   };
 *   abstract get(keys: [string[], string][]): Promise<{ value: unknown }[]>;
 *   abstract set(all: { key: [string[], string]; value: unknown; ttl?: number }[]): Promise<void>;
 *   abstract clear(namespaces: string[][]): Promise<void>;
 * }
 * const cache = await openCache();
 * const tasks = taskCache(cache.namespace("tasks"), { BaseCache });
 * await tasks.set([{ key: [["graph"], "a"], value: [1, 2], ttl: 60 }]); // a minute
 * const [found] = await tasks.get([[["graph"], "a"]]);
 * await tasks.clear([["graph"]]);
 * console.log(found?.value, await tasks.get([[["graph"], "a"]])); // [ 1, 2 ] []
 * await cache.close();
 * ```
 */
export function taskCache<Base extends object>(
  space: Space,
  checkpoint: LangGraphCaches<Base>,
): Base {
  assertSpace("a cache for LangGraph", space);
  const HostBase = baseOf(checkpoint);
  return new (classOver(HostBase, new Tasks(space)))() as unknown as Base;
}

/** A class of the host's, which takes its caches for what they extend. */
function classOver(Base: new () => { readonly serde: Serde }, tasks: Tasks): new () => object {
  return class TaskCache extends Base {
    async get(keys: readonly FullKey[]): Promise<{ key: FullKey; value: unknown }[]> {
      const found = await Promise.all(keys.map((key) => tasks.get(key, this.serde)));
      return keys.flatMap((key, index) => found[index]?.map((value) => ({ key, value })) ?? []);
    }

    async set(pairs: readonly TaskResult[]): Promise<void> {
      for (const pair of pairs) await tasks.set(pair, this.serde);
    }

    async clear(namespaces: readonly string[][]): Promise<void> {
      tasks.clear(namespaces);
    }
  };
}

class Tasks {
  readonly #space: Space;

  constructor(space: Space) {
    this.#space = space;
  }

  /** The value of a key in an array; an empty one if there is none, since it may be undefined. */
  async get([namespace, key]: FullKey, serde: Serde): Promise<[value?: unknown]> {
    const names = generationsOf(namespace);
    const generations = await Promise.all(names.map((name) => this.#space.get(name)));
    if (generations.includes(undefined)) return [];
    const found = await this.#space.get(entryKey(generations, namespace, key));
    if (found === undefined) return [];
    const { type, bytes } = found as StoredResult;
    // A copy: a serializer may give out the bytes themselves.
    const own = Buffer.isBuffer(bytes) ? Buffer.from(bytes) : Uint8Array.from(bytes);
    return [await serde.loadsTyped(type, own)];
  }

  async set({ key: [namespace, key], value, ttl }: TaskResult, serde: Serde): Promise<void> {
    // Before anything is awaited: what is cleared from now on is not to be found again.
    const reading = generationsOf(namespace).map((name) => this.#generation(name));
    const [type, bytes] = await serde.dumpsTyped(value);
    const generations = await Promise.all(reading);
    if (generations.includes(undefined)) return;
    const name = entryKey(generations, namespace, key);
    const options = typeof ttl === "number" ? { ttl: ttl * secondMs } : {};
    // A ttl that is over is no ttl here: what is there ends, and nothing is stored.
    if (typeof ttl === "number" && ttl <= 0) this.#space.delete(name);
    else this.#space.set(name, { type, bytes }, options);
  }

  /** The generation of a name, made if there is none; undefined if there is no room for it, or if
   *  it was cleared meanwhile. */
  async #generation(name: string): Promise<unknown> {
    const known = this.#space.getSync(name) ?? (await this.#space.get(name));
    if (known !== undefined) return known;
    // Of several that make it at once, in any thread, the first makes it for all.
    const options = { absent: randomUUID(), ttl: Infinity };
    await this.#space.updateAsync(name, (there) => there, options);
    return this.#space.get(name);
  }

  clear(namespaces: readonly string[][]): void {
    if (namespaces.length === 0) this.#space.delete(rootGeneration);
    for (const namespace of namespaces) this.#space.delete(generationOf(namespace));
  }
}

/** The name of the generation of all namespaces of LangGraph together. */
const rootGeneration = "generation:";

function generationOf(namespace: readonly string[]): string {
  return rootGeneration + digest(namespace);
}

function generationsOf(namespace: readonly string[]): string[] {
  return [rootGeneration, generationOf(namespace)];
}

function entryKey(generations: unknown, namespace: readonly string[], key: string): string {
  return `task:${digest([generations, namespace, key])}`;
}

/** The class of a checkpoint module, which is abstract for types only. */
function baseOf(checkpoint: unknown): new () => { readonly serde: Serde } {
  const { BaseCache } = (
    typeof checkpoint === "object" && checkpoint !== null ? checkpoint : {}
  ) as { readonly BaseCache?: new () => { readonly serde?: Partial<Serde> } };
  if (typeof BaseCache === "function") {
    const { serde } = new BaseCache();
    if (typeof serde?.dumpsTyped === "function") return BaseCache as ReturnType<typeof baseOf>;
  }
  throw new TypeError(
    `Cannot make a cache for LangGraph: the module is ${describe(checkpoint)}; it must be what ` +
      'import * as checkpoint from "@langchain/langgraph-checkpoint" gives',
  );
}
