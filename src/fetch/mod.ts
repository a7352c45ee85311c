export type { LoadContext, Loader } from "./fetch-parts.js";
export { ReadThrough } from "./read-through.js";
export { SharedFlights } from "./shared-flights.js";
