import { openCache } from "undercroft";
import { nextIsrHandler } from "undercroft/next";

const disk = { path: process.env.CACHE, capacity: "64mb", whenLocked: "memory" };
const cache = await openCache({ name: "next", memory: "16mb", disk });

export default nextIsrHandler(cache.namespace("isr"));
