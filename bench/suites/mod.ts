export { bytes } from "./bytes.js";
export { decoded } from "./decoded.js";
export { disk } from "./disk.js";
export { getHit } from "./get-hit.js";
export { miss } from "./miss.js";
export { set } from "./set.js";
export { stream } from "./stream.js";
