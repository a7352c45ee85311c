// What the adapters to hosts have in common.
export { notStoredError } from "./not-stored.js";
export { assertSpace, type Space, tagPrefixOf } from "./space.js";
