import { openCache } from "undercroft";
import { nextCacheHandler } from "undercroft/next";

const disk = { path: process.env.CACHE, capacity: "64mb", whenLocked: "memory" };
const cache = await openCache({ name: "next", memory: "16mb", disk });

export default nextCacheHandler(cache.namespace("use-cache"));
