// What the adapters to hosts have in common.
export { notStoredError } from "./not-stored.js";
export { patientSet } from "./patient-set.js";
export { assertSpace, type Space, tagPrefixOf } from "./space.js";
