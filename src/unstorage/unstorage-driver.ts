// A driver for unstorage, which itself is not imported. unstorage names keys "a:b:c" and gives
// values as strings, or raw as they are.
import { describe } from "../base/mod.js";
import { assertSpace, notStoredError, patientSet, type Space } from "../adapters/mod.js";

type StoredValue = string | number | boolean | object | null;

/** The options of a call. Each call has its own, and drivers ignore those of others. */
type CallOptions = Readonly<Record<string, unknown>>;

interface Item {
  readonly key: string;
}

/** What unstorage learns of an item by `getMeta`. */
interface ItemMeta {
  /** When it was stored. */
  readonly mtime: Date;
  /** When it expires; left out if it does not. */
  readonly expires?: Date;
  /** Bytes of key, value and metadata, as stored. */
  readonly size: number;
  [other: string]: StoredValue | undefined;
}

/** A `Driver` of unstorage. */
interface UnstorageDriver {
  readonly name: string;
  readonly getInstance: () => Space;
  readonly hasItem: (key: string) => Promise<boolean>;
  readonly getItem: (key: string) => Promise<StoredValue>;
  readonly getItems: (items: Item[]) => Promise<{ key: string; value: StoredValue }[]>;
  readonly getItemRaw: (key: string) => Promise<unknown>;
  readonly setItem: (key: string, value: string, options?: CallOptions) => Promise<void>;
  readonly setItemRaw: (key: string, value: unknown, options?: CallOptions) => Promise<void>;
  readonly removeItem: (key: string) => void;
  readonly getMeta: (key: string) => Promise<ItemMeta | null>;
  readonly getKeys: (base?: string) => Promise<string[]>;
  readonly clear: (base?: string) => Promise<void>;
  readonly dispose: () => void;
}

/**
 * A driver of unstorage that keeps items in a cache of yours, or in a namespace of one. Mounts and
 * threads with the same namespace have the same items. The cache stays yours: `dispose` does not
 * close it.
 *
 * `ttl` of a call is in seconds, as everywhere in unstorage; without one, or with 0, the default of
 * the cache or namespace holds. `setItem` rejects with ERR_NOT_STORED if the cache refuses a value,
 * and with TypeError if a raw value cannot be encoded. `clear()` takes the same time however many
 * items there are; `clear(base)` and `getKeys` walk over all of them.
 *
 * @throws TypeError if `space` is neither a cache nor a namespace.
 *
 * @example
 * ```ts
 * import { createStorage } from "unstorage";
 * import { openCache } from "undercroft";
 * import { unstorageDriver } from "undercroft/unstorage";
 *
 * const cache = await openCache({ memory: "64mb" });
 * const storage = createStorage({ driver: unstorageDriver(cache.namespace("pages")) });
 * await storage.setItem("blog:1", { title: "Hello" }, { ttl: 60 });
 * console.log(await storage.getItem("blog:1")); // { title: 'Hello' }
 * await cache.close();
 * ```
 */
export function unstorageDriver(space: Space): UnstorageDriver {
  assertSpace("a driver for unstorage", space);
  const get = async (key: string): Promise<StoredValue> =>
    ((await space.get(key)) as StoredValue | undefined) ?? null;
  const set = async (key: string, value: unknown, options?: CallOptions): Promise<void> => {
    const ttl = ttlOf(options);
    const outcome = await patientSet(space, key, value, ttl === undefined ? {} : { ttl });
    if (outcome !== "stored") throw notStoredError(key, outcome);
  };
  return {
    name: "undercroft",
    getInstance: () => space,
    // Of the disk `has` knows the index only.
    hasItem: async (key) => space.has(key) && (await space.get(key)) !== undefined,
    getItem: get,
    getItems: async (items) => {
      const found = await space.getMany(items.map(({ key }) => key));
      return items.map(({ key }) => ({ key, value: (found.get(key) as StoredValue) ?? null }));
    },
    getItemRaw: get,
    setItem: set,
    setItemRaw: set,
    removeItem: (key) => void space.delete(key),
    getMeta: (key) => metaOf(space, key),
    getKeys: (base) => keysOf(space, base),
    clear: async (base) => {
      if (!base) space.clear();
      else for await (const key of space.keys({ prefix: base })) space.delete(key);
    },
    dispose: () => {}, // it has other users
  };
}

/** unstorage counts seconds, and 0 as none. */
function ttlOf(options: CallOptions | undefined): number | undefined {
  const seconds = options?.["ttl"];
  if (seconds === undefined || seconds === null || seconds === 0) return undefined;
  if (typeof seconds === "number" && seconds > 0) return seconds * 1000;
  const Kind = typeof seconds === "number" ? RangeError : TypeError;
  throw new Kind(
    `Cannot use option ttl: current value is ${describe(seconds)}; it must be a number of ` +
      "seconds, or 0 for the default of the cache",
  );
}

async function metaOf(space: Space, key: string): Promise<ItemMeta | null> {
  const entry = await space.getEntry(key);
  if (entry === undefined) return null;
  const { createdAt, expiresAt, size } = entry;
  const meta = { mtime: new Date(createdAt), size };
  return expiresAt === Infinity ? meta : { ...meta, expires: new Date(expiresAt) };
}

async function keysOf(space: Space, base: string | undefined): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of space.keys({ prefix: base ?? "" })) {
    if (typeof key === "string") keys.push(key);
  }
  return keys;
}
