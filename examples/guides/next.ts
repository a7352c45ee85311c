// A file cache.js for `cacheHandlers` of Next: docs/guides/next.md.
import { openCache } from "undercroft";
import { nextCacheHandler } from "undercroft/next";

const cache = await openCache({
  name: "next",
  memory: "64mb",
  disk: { path: "./next-cache", capacity: "1gb", whenLocked: "memory" }, // omit for memory only
});

export default nextCacheHandler(cache.namespace("use-cache"));

console.log(cache.name); // next
await cache.close();
