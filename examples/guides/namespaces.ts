// Several kinds of things in one cache, each with its own keys, type and defaults; shown in
// docs/guides/namespaces.md.
import { openCache } from "undercroft";

interface User {
  readonly name: string;
}

const cache = await openCache({ memory: "64mb" });

// two namespaces
const users = cache.namespace<User, number>("users", {
  key: (id) => String(id), // callers say 7, not "users:7"
  load: async ({ key }) => ({ name: `user ${key}` }), // `key` is the number
  tags: (id) => [`user:${id}`],
  ttl: "10m",
});
const carts = cache.namespace<string[], number>("carts", {
  key: (id) => String(id),
  tags: (id) => [`user:${id}`],
  ttl: "1h",
});

const user: User | undefined = await users.fetch(7);
carts.set(7, ["3 mugs"]);
console.log(user?.name, carts.getSync(7)); // user 7 [ '3 mugs' ]
console.log(cache.has("7")); // false

// tags and clear
cache.deleteByTag("user:7"); // in every namespace
console.log(users.has(7), carts.has(7)); // false false

await users.fetch(8);
carts.set(8, ["1 pen"]);
users.clear(); // in this one only
console.log(users.has(8), carts.has(8)); // false true

// the end
await cache.close();
