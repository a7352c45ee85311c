export { Closing, type DiskSide, type JanitorEnd } from "./closing.js";
export { DiskLog } from "./disk-log.js";
export { failOver } from "./failover.js";
export { FlushAdmission } from "./admission/flush-admission.js";
export { Flusher, type FlushReach } from "./flusher.js";
export { type RecoveryReport, type RecoveryTask, recover } from "./index-recovery.js";
export { InvalidatedWalk } from "./invalidated-walk.js";
export { SegmentRecords } from "./segment-record.js";
export { isTrusted } from "./segment-choice.js";
