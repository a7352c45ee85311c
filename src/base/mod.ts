export { watchAbort } from "./abort-watch.js";
export { assert, AssertionError } from "./assert.js";
export { carried, carry } from "./carried.js";
export {
  type Clock,
  type ClockWords,
  clockWords,
  ManualClock,
  monotonicMs,
  readAnchorMs,
  SystemClock,
} from "./clock.js";
export { type ErrorCode, UndercroftError } from "./errors.js";
export { rejecting } from "./rejecting.js";
export { addressSpaceError, assertRuntime, isAccessDenied, runtimeError } from "./runtime.js";
export {
  assertTimersRun,
  callersMs,
  callersPreciseMs,
  clearInterval,
  clearTimeout,
  elapsedMs,
  setImmediate,
  setInterval,
  setTimeout,
  uptimeMs,
  uptimeSeconds,
  waitAsync,
  withRealTicks,
} from "./timers.js";
export { isWellFormed, ownText } from "./text.js";
export { alignUp, describe, GiB, KiB, MiB, parseDuration, parseSize } from "./units.js";
export { assertNotAborted, withSignal } from "./with-signal.js";
