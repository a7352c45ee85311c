// The caches that peers.ts compares, each as its documentation says to use it over one Redis server
// from several processes: memory in front, the server behind, and news of others' writes.
import { createRequire } from "node:module";
import { BasicClientSideCache, createClient } from "@redis/client";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis";
import { openCache } from "../../src/mod.js";
import { redisTier } from "../../src/redis/mod.js";

export interface Value {
  /** When its source was changed: see peer-process.ts. */
  readonly changed: number;
  readonly text: string;
}
type Load = () => Promise<Value>;

export interface Store {
  fetch(key: string, load: Load): Promise<Value>;
  /** Resolves when the store says that the change is made. */
  change(key: string, value: Value): Promise<void>;
  close(): Promise<void>;
}

const entriesMax = 100_000;
const ttlMs = 60_000;

async function undercroft(port: number): Promise<Store> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on("error", (error: Error) => console.error(error.message));
  await client.connect();
  const cache = await openCache<Value>({
    memory: "64mb",
    ttl: ttlMs,
    tiers: [redisTier(client)],
  });
  return {
    fetch: async (key, load) => (await cache.fetch(key, load)) as Value,
    async change(key, value) {
      cache.set(key, value);
      await cache.flush();
    },
    async close() {
      await cache.close();
      client.destroy();
    },
  };
}

async function bento(port: number): Promise<Store> {
  const connection = { host: "127.0.0.1", port };
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: entriesMax }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection }));
  const cache = new BentoCache({ default: "both", stores: { both: store }, ttl: ttlMs });
  return {
    fetch: (key, load) => cache.getOrSet({ key, factory: load }),
    async change(key, value) {
      await cache.set({ key, value });
    },
    close: () => cache.disconnectAll(),
  };
}

/** No loads are shared: what a client does that has a cache of the server's answers. */
async function clientSide(port: number): Promise<Store> {
  const clientSideCache = new BasicClientSideCache({ ttl: ttlMs, maxEntries: entriesMax });
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP: 3, clientSideCache });
  client.on("error", (error: Error) => console.error(error.message));
  await client.connect();
  const change = async (key: string, value: Value): Promise<void> => {
    await client.set(key, JSON.stringify(value), { expiration: { type: "PX", value: ttlMs } });
  };
  return {
    async fetch(key, load) {
      const found = await client.get(key);
      if (typeof found === "string") return JSON.parse(found) as Value;
      const value = await load();
      await change(key, value);
      return value;
    },
    change,
    close: async () => client.destroy(),
  };
}

interface CacheableModule {
  readonly Cacheable: new (options: object) => {
    getOrSet(key: string, load: Load): Promise<Value | undefined>;
    set(key: string, value: Value): Promise<boolean>;
    disconnect(): Promise<void>;
  };
}
type Made = Record<string, new (...options: unknown[]) => unknown>;

/** It is no dependency of this package: `peers` is a folder where it is installed. */
async function cacheable(port: number, peers: string): Promise<Store> {
  const from = createRequire(`${peers}/`);
  const load = (name: string): unknown => from(name);
  const { Cacheable } = load("cacheable") as CacheableModule;
  const { default: KeyvRedis } = load("@keyv/redis") as Made;
  const { RedisMessageProvider } = load("@qified/redis") as Made;
  if (KeyvRedis === undefined || RedisMessageProvider === undefined) throw new Error("no exports");
  const url = `redis://127.0.0.1:${port}`;
  const cache = new Cacheable({
    ttl: ttlMs,
    secondary: new KeyvRedis(url),
    sync: { qified: new RedisMessageProvider({ uri: url }) },
  });
  return {
    fetch: async (key, load) => (await cache.getOrSet(key, load)) as Value,
    async change(key, value) {
      await cache.set(key, value);
    },
    close: () => cache.disconnect(),
  };
}

export const stores: Readonly<Record<string, (port: number, peers: string) => Promise<Store>>> = {
  undercroft,
  bentocache: bento,
  cacheable,
  "node-redis, client-side": clientSide,
};
/** What `cacheable` needs in the folder of peers. */
export const installed = ["cacheable@2.5.0", "@keyv/redis@5.1.6", "@qified/redis@0.10.1"];
