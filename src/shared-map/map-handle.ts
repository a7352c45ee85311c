// What one thread posts to another to attach to a map: plain data that can be cloned; the memory is
// shared.
import { assertHandle, type MapConfig } from "../config/mod.js";
import type { KernelModule, SharedMemory } from "../kernel/mod.js";

/**
 * What `SharedHashMap.handle` returns: a map as it travels between threads of one process. Post it
 * and pass it to `SharedHashMap.attach`; its properties are not for users.
 *
 * @example
 * ```ts
 * import { isMainThread, Worker, workerData } from "node:worker_threads";
 * import { type MapHandle, SharedHashMap } from "undercroft/shared-map";
 *
 * if (isMainThread) {
 *   const map = SharedHashMap.create<string>({ memory: "1mb" });
 *   const worker = new Worker(new URL(import.meta.url), { workerData: map.handle() });
 *   await new Promise((resolve) => worker.once("exit", resolve));
 *   console.log(map.get("from")); // the worker
 *   map.close();
 * } else {
 *   const map = SharedHashMap.attach<string>(workerData as MapHandle);
 *   map.set("from", "the worker");
 *   map.close();
 * }
 * ```
 */
export interface MapHandle {
  readonly kind: "undercroft-map-handle";
  readonly version: 1;
  readonly config: MapConfig;
  readonly module: KernelModule;
  readonly memory: SharedMemory;
}

/** Throws TypeError unless `value` is the handle of a map, made by this version of the package. */
export function assertMapHandle(value: unknown): asserts value is MapHandle {
  assertHandle(value, {
    of: "a shared map",
    kind: "undercroft-map-handle",
    version: 1,
    from: "map.handle()",
    partsOf: (handle) => handle,
  });
}
