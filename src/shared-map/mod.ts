// The door of the subpath "undercroft/shared-map".
export type { CustomCodec, MapOptions, Size } from "../config/mod.js";
export { UndercroftError } from "../base/mod.js";
export type { MapHandle } from "./map-handle.js";
export {
  type MapAttachOptions,
  type MapKey,
  type MapSetOutcome,
  SharedHashMap,
} from "./shared-hash-map.js";
