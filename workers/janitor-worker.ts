// The janitor's worker. A file of its own, so that this thread, which every cache has, loads only
// what it needs.
export { startJanitor } from "../src/janitor/mod.js";
