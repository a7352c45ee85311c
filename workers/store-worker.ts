// The workers that publish the values of `setAsync`. The pool starts them at the first such call.
export { storeValue } from "../src/pool/mod.js";
