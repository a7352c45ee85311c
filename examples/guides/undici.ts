// The store of undercroft/undici: docs/guides/undici.md.
import { createServer } from "node:http";

const server = createServer((_, response) => {
  response.setHeader("cache-control", "max-age=60").end("hello");
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;

import { openCache } from "undercroft";
import { UndiciCacheStore } from "undercroft/undici";
import { Agent, fetch, interceptors } from "undici";

const cache = await openCache({
  memory: "64mb",
  disk: { path: "./http-cache", capacity: "1gb" }, // omit for memory only
});
const store = new UndiciCacheStore(cache.namespace("http"), { maxEntrySize: "5mb" });
const dispatcher = new Agent().compose(interceptors.cache({ store }));

const first = await fetch(url, { dispatcher });
const again = await fetch(url, { dispatcher }); // from the cache
console.log(await first.text(), await again.text(), again.headers.has("age")); // hello hello true

await dispatcher.close();
server.close();
await cache.close();
