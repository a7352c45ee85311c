// The door of operators/: how a running cache is asked what it does.
export { Answering, clientsMax, type Answerer } from "./answering.js";
export { Connection, NoAnswer } from "./asking.js";
export {
  type Details,
  mapCellsMax,
  type MappedSegment,
  type SegmentMap,
  segmentMap,
  type ThreadUse,
} from "./details.js";
export { listenNamed, type NamedSocket, namedSockets } from "./named-sockets.js";
export {
  type HotKey,
  hotKeysMax,
  type KeyAct,
  keyActs,
  type KeyAnswer,
  type KeyQuestion,
  protocolVersion,
  type Question,
  type Recorded,
  type RecordQuestion,
  type Refusal,
  type Sample,
} from "./protocol.js";
