// A file cache.js for `cacheHandler` of Next: docs/guides/next.md.
import { openCache } from "undercroft";
import { nextIsrHandler } from "undercroft/next";

const cache = await openCache({
  name: "next",
  memory: "64mb",
  disk: { path: "./next-cache", capacity: "1gb", whenLocked: "memory" },
});

export default nextIsrHandler(cache.namespace("isr"));

console.log(cache.name); // next
await cache.close();
