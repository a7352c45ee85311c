export { publishEvent, type LoadTrace, traceLoad } from "./channels.js";
