export { Belady } from "./belady.js";
export { plotCurves } from "./curve-plot.js";
export { capacityOf, type Outcome, replay, type Simulated, simulatedNames } from "./replay.js";
export {
  measures,
  reaches,
  sizeWords,
  suggest,
  type Suggestion,
  type Target,
} from "./suggestion.js";
export { readTrace, traceName } from "./trace-reader.js";
export { footprintOf, type Trace, TraceBuilder, withoutSizes } from "./trace.js";
