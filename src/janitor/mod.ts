export { type Attachment, attachStore } from "./attachment.js";
export type { SendDepartures } from "./departures.js";
export { adoptPolicy, policyBytesFor, watermarkOf } from "./eviction.js";
export { Evictor } from "./evictor.js";
export { startJanitor } from "./janitor.js";
export type {
  DepartureReport,
  JanitorEnd,
  JanitorMessage,
  JanitorTask,
  RecoveryReport,
  WorkerHandle,
} from "./messages.js";
export { sharedTime } from "./shared-time.js";
