// The file that the janitor's worker runs. A file of its own, so that the thread that every cache has loads only what it needs.
export { startJanitor } from "../src/janitor/mod.js";
