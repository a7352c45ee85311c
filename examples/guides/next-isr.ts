// A file cache.js for `cacheHandler` of Next: docs/guides/next.md.
import { openCache } from "undercroft";
import { nextIsrHandler } from "undercroft/next";

const disk = { path: "./next-cache", capacity: "1gb", whenLocked: "memory" } as const;
const cache = await openCache({ name: "next", memory: "64mb", disk });

export default nextIsrHandler(cache.namespace("isr"));

console.log(cache.name); // next
await cache.close();
