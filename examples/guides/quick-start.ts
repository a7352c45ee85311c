// The first program with a cache: open, store, read, load on a miss, remove, close. Shown in
// docs/guides/quick-start.md.
import { openCache } from "undercroft";

interface User {
  readonly name: string;
}

const cache = await openCache<User>({
  memory: "64mb", // the whole budget: entries, index and metadata
  disk: { path: "./cache", capacity: "256mb" }, // leave it out for memory only
  ttl: "10m",
});

// A value that you have.
console.log(cache.set("user:7", { name: "Ada" })); // stored
console.log(cache.getSync("user:7")); // { name: 'Ada' }

// A value that has to be loaded: one loader per key runs, over all threads of the process.
const loadUser = async (): Promise<User> => ({ name: "Grace" }); // your database or service
const grace = await cache.fetch("user:8", loadUser);
const again = await cache.fetch("user:8", loadUser); // a hit
console.log(grace.name, again.name, cache.stats().loads); // Grace Grace 1

// The source has changed: remove the entry, and the next fetch loads it.
console.log(cache.delete("user:8")); // true
console.log(await cache.get("user:8")); // undefined

await cache.close(); // writes what is in memory to disk

// The next start of the process is warm.
const reopened = await openCache<User>({
  memory: "64mb",
  disk: { path: "./cache", capacity: "256mb" },
  ttl: "10m",
});
console.log(reopened.recovery?.kind); // clean
console.log(await reopened.get("user:7")); // { name: 'Ada' }
await reopened.close();
