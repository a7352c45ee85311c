// The workers that publish the values of `setAsync`. The pool starts them at the first such call.
import { carry } from "../src/base/mod.js";

export { storeValue } from "../src/pool/mod.js";

// It would keep the memory of other caches after they are closed.
carry([]);
