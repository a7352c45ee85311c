// What the adapters to hosts have in common.
export { digest, shortName } from "./canonical.js";
export { notStoredError } from "./not-stored.js";
export { patientSet } from "./patient-set.js";
export { Refusals } from "./refusals.js";
export { assertSpace, type Space, tagPrefixOf } from "./space.js";
