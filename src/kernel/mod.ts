// The kernel's door.
export * as layout from "./layout.js";
export { claimThread, compileKernel, Kernel, type KernelVerbs, type Views } from "./kernel.js";
export {
  createRegion,
  designLoad,
  divide,
  geometryOf,
  segmentBytesOf,
  type Geometry,
  type GeometryRequest,
} from "./region.js";
