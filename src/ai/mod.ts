// The entry "undercroft/ai": answers of language models, for the AI SDK.
export {
  type CacheMiddleware,
  cacheMiddleware,
  type CacheMiddlewareOptions,
} from "./middleware.js";
export type { ModelCall } from "./model-call.js";
