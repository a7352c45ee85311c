export type { Device } from "./device.js";
export { fileDevice } from "./file-device.js";
export { maySync, unsynced } from "./unsynced-device.js";
export { type FileIdentity, identityOf, isFileAt, isFileOf } from "./file-identity.js";
