// The entry "undercroft/keyv": a store for keyv, and so for what is built on it.
export { keyvStore } from "./keyv-store.js";
