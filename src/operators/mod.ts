// The door of operators/: how a running cache is asked what it does.
export { Answering, clientsMax } from "./answering.js";
export { Connection, NoAnswer } from "./asking.js";
export { listenNamed, type NamedSocket, namedSockets } from "./named-sockets.js";
export {
  type HotKey,
  hotKeysMax,
  protocolVersion,
  type Question,
  type Refusal,
  type Sample,
} from "./protocol.js";
