// The door of the near cache: decoded values of one thread.
export { NearCache } from "./near-cache.js";
export type { NearWord } from "./near-rows.js";
