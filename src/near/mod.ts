export { NearCache } from "./near-cache.js";
export type { NearWord } from "./near-table.js";
