// The entry "undercroft/next": the two cache handlers of Next.
export { type NextCacheHandler, nextCacheHandler } from "./use-cache-handler.js";
export { nextIsrHandler, type NextIsrHandlerClass } from "./isr-handler.js";
