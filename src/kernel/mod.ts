// The kernel's door.
export * as layout from "./layout.js";
export { compileKernel, Kernel, type KernelVerbs, type Views } from "./kernel.js";
export {
  claimThread,
  deadHolderOf,
  holderOf,
  holdersOfWorker,
  recoverThread,
  threadsAttached,
  type ThreadHolder,
} from "./thread-table.js";
export {
  createRegion,
  designLoad,
  divide,
  geometryOf,
  segmentBytesOf,
  type Geometry,
  type GeometryRequest,
} from "./region.js";
