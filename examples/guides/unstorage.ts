// A storage over a cache, as docs/guides/unstorage.md shows it.
import { createStorage } from "unstorage";
import { openCache } from "undercroft";
import { unstorageDriver } from "undercroft/unstorage";

const cache = await openCache({ memory: "64mb" });
const storage = createStorage();
storage.mount("pages", unstorageDriver(cache.namespace("pages")));

await storage.setItem("pages:blog:1", { title: "Hello" }, { ttl: 60 }); // seconds
console.log(await storage.getItem("pages:blog:1")); // { title: 'Hello' }
console.log(await storage.getKeys("pages:blog")); // [ 'pages:blog:1' ]
await storage.clear("pages"); // at once, whatever is there
console.log(await storage.getItem("pages:blog:1")); // null

await storage.dispose(); // leaves the cache open
await cache.close();
