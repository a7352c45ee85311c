// From an lru-cache to Undercroft: takes over what it holds, with the time that is left. Shown in
// docs/guides/migrating.md.
import { LRUCache } from "lru-cache";
import { openCache } from "undercroft";

const old = new LRUCache<string, { name: string }>({ max: 1000, ttl: 60_000 });
old.set("user:7", { name: "Ada" });

const cache = await openCache<{ name: string }>({ memory: "64mb", ttl: "1m" });
for (const [key, value] of old.entries()) {
  const left = old.getRemainingTTL(key); // milliseconds, Infinity without a ttl
  if (left > 0) cache.set(key, value, { ttl: left });
}

console.log(cache.getSync("user:7")); // { name: 'Ada' }
const { expiresAt = Infinity } = (await cache.getEntry("user:7")) ?? {};
console.log(expiresAt <= Date.now() + 60_001); // true
await cache.close();
