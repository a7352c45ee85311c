// The numbers of namespaces are parts of the cache's: they add up, and none that only grows falls
// while other threads count.
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";

import type { CacheStats, NamespaceStats } from "../../dist/src/mod.js";
import { attached, setUpThreads } from "./attached.js";
import { open, setUpCaches } from "./opened.js";

setUpCaches();
setUpThreads();

function part(stats: CacheStats, name: string): NamespaceStats {
  const found = stats.namespaces.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no namespace "${name}"`);
  return found;
}

test("what a thread counts of a namespace never shows among the cache's own keys", async () => {
  const cache = await open();
  const space = cache.namespace<number>("a");
  space.set("k", 1);
  const thread = attached(cache);
  const reads = thread.call("readNamespaceUntilStopped", "a") as Promise<number>;
  while (!cache.has("begun")) await nextTurn();
  const own: unknown[] = [];
  let requests = 0;
  for (let look = 0; look < 3000 || requests < 10_000; look++) {
    const stats = cache.stats();
    const { hits, misses } = part(stats, "");
    if (hits.total !== 0 || misses !== 0) own.push([hits, misses]);
    expect(stats.requests).toBe(part(stats, "a").requests);
    expect(stats.requests).toBeGreaterThanOrEqual(requests);
    requests = stats.requests;
  }
  expect(own).toEqual([]);
  cache.set("stop", 1);
  expect(part(cache.stats(), "a").requests).toBe(await reads);
});
