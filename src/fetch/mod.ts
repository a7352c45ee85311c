// The door of read-through: `fetch`, its loaders, and the flights that threads share.
export type { Fetched, FetchTiers, Loadable, LoadContext, Loader } from "./fetch-parts.js";
export { HeldLoads } from "./gather/held-loads.js";
export type { LoadedMany, LoadManyContext, ManyLoader } from "./gather/load-batch.js";
export { LoadGatherer } from "./gather/load-gatherer.js";
export { ReadThrough } from "./read-through.js";
export { SharedBackoffs } from "./refresh-backoff.js";
export { SharedFlights } from "./shared-flights.js";
