// The file that the workers of asynchronous sets run; they are started by the first of those.
export { storeValue } from "../src/pool/mod.js";
