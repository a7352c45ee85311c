export { closeFile, lengthOf } from "./descriptor.js";
export type { Device } from "./device.js";
export { fileDevice } from "./file-device.js";
export { type FileSystem, fs, useFileSystem } from "./file-system.js";
export { maySync, unsynced } from "./unsynced-device.js";
export {
  type FileIdentity,
  identityAt,
  identityOf,
  isFileAt,
  isFileOf,
  isNamed,
} from "./file-identity.js";
