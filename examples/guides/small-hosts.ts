// Hosts for which a cache takes a few lines and no package: docs/guides/small-hosts.md.
import { type Cache, type Namespace, openCache } from "undercroft";

/** A KeyValueCache of Apollo Server and its data sources. */
function apolloCache(texts: Namespace<string>) {
  return {
    get: (key: string) => texts.get(key),
    async set(key: string, value: string, options: { readonly ttl?: number | null } = {}) {
      const { ttl } = options; // seconds
      if (ttl === undefined || ttl === null) texts.set(key, value);
      else if (ttl > 0) texts.set(key, value, { ttl: ttl * 1000 });
      else texts.delete(key);
    },
    delete: async (key: string) => texts.delete(key),
  };
}

const original = Symbol.for("drizzle:OriginalName");
type Table = string | { readonly [original]?: string };
const listOf = <T>(given: T | readonly T[] | undefined): T[] =>
  given === undefined ? [] : ([given].flat() as T[]);

/** The methods of a Cache of Drizzle, for a class that extends it. */
function drizzleCache(cache: Cache, rows: Namespace<unknown[]>) {
  return {
    strategy: () => "explicit" as const,
    get: (key: string) => rows.get(key),
    async put(
      key: string,
      found: unknown[],
      tables: string[],
      _isTag = false,
      life?: { ex?: number },
    ) {
      const tags = tables.map((table) => `table:${table}`);
      rows.set(key, found, { tags, ttl: (life?.ex ?? 60) * 1000 });
    },
    async onMutate(changed: { tags?: string | string[]; tables?: Table | Table[] }) {
      rows.deleteMany(listOf(changed.tags)); // Drizzle's tags are keys
      for (const table of listOf(changed.tables)) {
        cache.deleteByTag(`table:${typeof table === "string" ? table : table[original]}`);
      }
    },
  };
}

interface Entity {
  readonly typename: string;
  readonly id?: string | number;
}

/** The cache of useResponseCache, in Yoga and Envelop. */
function responseCache(cache: Cache, results: Namespace<object>) {
  return {
    get: (id: string) => results.get(id),
    set(id: string, result: object, entities: Iterable<Entity>, ttl: number) {
      const tags = new Set<string>();
      for (const { typename, id: of } of entities) tags.add(typename).add(`${typename}:${of}`);
      if (tags.size <= 16) results.set(id, result, { ttl, tags: [...tags] }); // no entry has more
    },
    invalidate(entities: Iterable<Entity>) {
      for (const { typename, id } of entities) {
        cache.deleteByTag(id === undefined ? typename : `${typename}:${id}`);
      }
    },
  };
}

const cache = await openCache({ memory: "64mb" });

const apollo = apolloCache(cache.namespace<string>("apollo"));
await apollo.set("user:7", '{"name":"Ada"}', { ttl: 60 });
console.log(await apollo.get("user:7")); // {"name":"Ada"}

const drizzle = drizzleCache(cache, cache.namespace<unknown[]>("drizzle"));
await drizzle.put("hash of the query", [{ id: 7 }], ["users"], false, { ex: 60 });
await drizzle.onMutate({ tables: ["users"] });
console.log(await drizzle.get("hash of the query")); // undefined

const responses = responseCache(cache, cache.namespace<object>("graphql"));
const user = { typename: "User", id: 7 };
responses.set("query of 7", { data: { name: "Ada" } }, [user], 60_000);
responses.set("query of 8", { data: { name: "Eve" } }, [{ ...user, id: 8 }], 60_000);
responses.invalidate([user]);
console.log(await responses.get("query of 7")); // undefined
console.log(await responses.get("query of 8")); // { data: { name: 'Eve' } }

await cache.close();
