export type { Device } from "./device.js";
export { fileDevice } from "./file-device.js";
export { type Fault, type FaultPlan, type Operation, faultyDevice } from "./faulty-device.js";
