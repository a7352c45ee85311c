// The package's types in projects of users: every way to find modules, no DOM library,
// declarations checked.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { expect, test, vi } from "vitest";
import * as bentocache from "../../dist/src/bentocache/mod.js";
import * as ai from "../../dist/src/ai/mod.js";
import * as langchain from "../../dist/src/langchain/mod.js";
import * as next from "../../dist/src/next/mod.js";
import * as undici from "../../dist/src/undici/mod.js";
import * as entry from "../../dist/src/mod.js";
import * as opentelemetry from "../../dist/src/opentelemetry/mod.js";
import * as prometheus from "../../dist/src/prometheus/mod.js";
import * as redis from "../../dist/src/redis/mod.js";
import * as sqlite from "../../dist/src/sqlite/mod.js";
import * as suite from "../../dist/src/tier-suite/mod.js";
import * as keyv from "../../dist/src/keyv/mod.js";
import * as map from "../../dist/src/shared-map/mod.js";
import * as unstorage from "../../dist/src/unstorage/mod.js";
import { type Consumer, consumerFaults } from "./consumers.js";

// Each compiles Node's declarations and TypeScript's anew, which takes a busy machine long.
vi.setConfig({ testTimeout: 300_000 });

const consumers: readonly Consumer[] = [
  { file: "a.mts", module: "node16", moduleResolution: "node16" },
  { file: "a.mts", module: "nodenext", moduleResolution: "nodenext" },
  { file: "a.ts", module: "esnext", moduleResolution: "bundler" },
  { file: "a.cts", module: "node16", moduleResolution: "node16" },
  { file: "a.cts", module: "nodenext", moduleResolution: "nodenext" },
  { file: "a.ts", module: "esnext", moduleResolution: "node10", ignoreDeprecations: "6.0" },
];

const use = `
import { attachCache, Cache, type CacheHandle, openCache, UndercroftError } from "undercroft";
import { cacheMiddleware } from "undercroft/ai";
import { answerCache, taskCache } from "undercroft/langchain";
import { type MetricsMeter, observe } from "undercroft/opentelemetry";
import { collect, type MetricsRegistry, register } from "undercroft/prometheus";
import { bentocacheDriver } from "undercroft/bentocache";
import { keyvStore } from "undercroft/keyv";
import { type MapHandle, SharedHashMap } from "undercroft/shared-map";
import { redisTier } from "undercroft/redis";
import { type SqliteDatabase, sqliteTier } from "undercroft/sqlite";
import { memoryTier, tierSuite } from "undercroft/tier-suite";
import { unstorageDriver } from "undercroft/unstorage";
import { UndiciCacheStore } from "undercroft/undici";
import { nextCacheHandler, nextIsrHandler } from "undercroft/next";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export const same = <T extends true>(): T => true as T;

export async function use(): Promise<void> {
  const cache = await openCache<{ name: string }>({ memory: "8mb" });
  const value = cache.getSync("key");
  same<Same<typeof value, { name: string } | undefined>>();
  same<Same<typeof cache, Cache<{ name: string }>>>();
  const handle: CacheHandle = cache.handle();
  const other: Cache<string> = await attachCache<string>(handle);
  await other.get("key", { signal: AbortSignal.timeout(1) });
  const map: SharedHashMap<number> = SharedHashMap.create<number>({ memory: "1mb" });
  const sent: MapHandle = map.handle();
  same<Same<ReturnType<typeof collect>, string>>();
  const undo: (() => void)[] = [observe({} as MetricsMeter, cache)];
  undo.push(register({} as MetricsRegistry, [cache, other]));
  undo.push(() => void [keyvStore(other), unstorageDriver(cache), bentocacheDriver(other)]);
  undo.push(() => void cacheMiddleware(other, { ttl: "1h" }));
  undo.push(() => void taskCache(other, { BaseCache: Object }));
  undo.push(() => void answerCache(other, {} as never, { tags: ["t"] }));
  undo.push(() => new UndiciCacheStore(other, { maxEntrySize: "1mb" }).delete({} as never));
  undo.push(() => void [nextCacheHandler(other), new (nextIsrHandler(cache))()]);
  undo.push(() => void sqliteTier({} as SqliteDatabase, { table: "t" }));
  undo.push(() => void [redisTier({}, { staleness: "1s" }), tierSuite(() => memoryTier())]);
  if (!(cache instanceof Cache)) throw new UndercroftError("ERR_HANDLE", typeof sent);
}
`;

test.each(consumers)("$file, module $module, resolution $moduleResolution", (consumer) => {
  expect(consumerFaults(consumer, use)).toEqual([]);
});

test("a wrong use is refused in CommonJS as in a module", () => {
  const wrong = `import { openCache } from "undercroft";
export const bad = openCache({ memory: true });`;
  for (const file of ["a.cts", "a.mts"]) {
    const consumer = { file, module: "node16", moduleResolution: "node16" };
    expect(consumerFaults(consumer, wrong)).toEqual([
      expect.stringMatching(/^TS2322: Type 'true' is not assignable/),
    ]);
  }
});

const entries = {
  mod: entry,
  "shared-map/mod": map,
  "prometheus/mod": prometheus,
  "opentelemetry/mod": opentelemetry,
  "redis/mod": redis,
  "sqlite/mod": sqlite,
  "tier-suite/mod": suite,
  "keyv/mod": keyv,
  "unstorage/mod": unstorage,
  "bentocache/mod": bentocache,
  "ai/mod": ai,
  "langchain/mod": langchain,
  "undici/mod": undici,
  "next/mod": next,
};

test("CommonJS has the types of each value that it can require", () => {
  const require = createRequire(import.meta.url);
  for (const [name, exported] of Object.entries(entries)) {
    const url = new URL(`../../dist/types/${name}.d.cts`, import.meta.url);
    const declared = readFileSync(url, "utf8").matchAll(/^export declare const (\w+):/gm);
    expect(Array.from(declared, ([, value = ""]) => value).toSorted()).toEqual(
      Object.keys(exported).toSorted(),
    );
    const package_ = posix.join("undercroft", posix.dirname(name));
    expect(Object.keys(require(package_) as object).toSorted()).toEqual(
      Object.keys(exported).toSorted(),
    );
  }
});
