// The janitor's worker. A file of its own, so that this thread, which every cache has, loads only
// what it needs.
import { carry } from "../src/base/mod.js";

export { startJanitor } from "../src/janitor/mod.js";

// It would keep the memory of other caches after they are closed.
carry([]);
