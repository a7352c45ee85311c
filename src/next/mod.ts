// The entry "undercroft/next": the two cache handlers of Next.
export { nextCacheHandler } from "./use-cache-handler.js";
export { nextIsrHandler } from "./isr-handler.js";
