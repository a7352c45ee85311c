export { getHit } from "./get-hit.js";
export { decoded } from "./decoded.js";
export { miss } from "./miss.js";
export { set } from "./set.js";
export { disk } from "./disk.js";
export { bytes } from "./bytes.js";
export { stream } from "./stream.js";
export { entries } from "./entries.js";
