// Many keys by one call; shown in docs/guides/bulk.md.
import { openCache } from "undercroft";

const cache = await openCache<string>({ memory: { now: "16mb", most: "64mb" } });
const table = new Map([
  ["user:1", "Ada"],
  ["user:2", "Grace"],
]);

// fetchMany
let queries = 0;
const loadMany = async ({ keys }: { readonly keys: readonly unknown[] }) => {
  queries += 1; // SELECT … WHERE key IN (…)
  return [...table].filter(([key]) => keys.includes(key));
};
const found = await cache.fetchMany(["user:1", "user:2", "user:3"], loadMany);
console.log(found.get("user:1"), found.has("user:3"), queries); // Ada false 1

// warm
const warmed = await cache.warm(
  [
    ["user:4", "Alan"],
    ["user:5", "Edsger"],
  ],
  { ttl: "1h" },
);
console.log(warmed); // { loaded: 2, present: 0, failed: 0, refused: 0 }

// keys and entries
const names: string[] = [];
for await (const [key, name] of cache.entries({ prefix: "user:" }))
  names.push(`${String(key)} ${name}`);
console.log(names.toSorted().join()); // user:1 Ada,user:2 Grace,user:4 Alan,user:5 Edsger

// resize
const { memory } = await cache.resize({ memory: "32mb" });
console.log(memory.now <= 32 * 1024 ** 2, memory.most); // true 67108864

// the end
await cache.close();
