// What one thread gives another so that it may attach to a map: plain data, structured-cloneable, the memory shared.
import type { MapConfig } from "../config/mod.js";

/** A map as it travels between threads of one process. Opaque: pass it to `SharedHashMap.attach`. */
export interface MapHandle {
  readonly kind: "undercroft-map-handle";
  readonly version: 1;
  readonly config: MapConfig;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** Whether something a user passed is a map's handle of this version of the package. */
export function isMapHandle(value: unknown): value is MapHandle {
  if (typeof value !== "object" || value === null) return false;
  const handle = value as Partial<MapHandle>;
  return handle.kind === "undercroft-map-handle" && handle.version === 1;
}
