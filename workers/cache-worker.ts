// The file that every worker of a cache's pool runs; Piscina calls the export that a task names.
export { startJanitor } from "../src/janitor/mod.js";
export { storeValue } from "../src/pool/mod.js";
