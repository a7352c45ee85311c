// Removing what has changed, by part of docs/guides/invalidation.md.
import { openCache } from "undercroft";

interface User {
  readonly id: number;
  readonly name: string;
}

/** The source: a table that the service owns. */
const table = new Map<number, User>([[7, { id: 7, name: "Ada" }]]);

const cache = await openCache<User>({ memory: "16mb" });
const userOf = cache.wrap(async (id: number) => table.get(id), {
  key: (id) => `user:${id}`,
  tags: ["users"],
});

// delete
async function rename(id: number, name: string): Promise<void> {
  table.set(id, { id, name }); // first the source
  cache.delete(`user:${id}`); // then the cache: the next reader loads
}

await userOf(7);
await rename(7, "Ada Lovelace");
console.log((await userOf(7))?.name); // Ada Lovelace

// tags
cache.set("cart:7", { id: 1, name: "3 mugs" }, { tags: ["user:7", "carts"] });
cache.set("cart:8", { id: 2, name: "1 pen" }, { tags: ["user:8", "carts"] });
cache.deleteByTag("user:7");
console.log(cache.has("cart:7"), cache.has("cart:8")); // false true
cache.deleteByTag(["carts", "users"]);
console.log(cache.has("cart:8"), cache.has("user:7")); // false false

// clear
cache.set("user:9", { id: 9, name: "Alan" });
cache.clear();
console.log(cache.has("user:9"), cache.stats().memory.entries); // false 0

// write-through
async function renameAndKeep(id: number, name: string): Promise<void> {
  const user = { id, name };
  table.set(id, user); // the source has taken it
  cache.set(`user:${id}`, user, { tags: ["users"] }); // and this process's cache has it too
}

await renameAndKeep(7, "Countess");
console.log(cache.getSync("user:7")?.name); // Countess

// what goes wrong
const [first, second] = ["first", "second"].map((name) => ({ id: 7, name })) as [User, User];
table.set(7, first); // one request writes to the source,
table.set(7, second); // another one after it;
cache.set("user:7", second); // that one is faster on its way to the cache
cache.set("user:7", first); // the first one comes last
console.log(table.get(7)?.name, cache.getSync("user:7")?.name); // second first

// the end
await cache.close();
