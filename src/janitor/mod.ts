export { startJanitor } from "./start.js";
export type { JanitorMessage, JanitorStart, JanitorTask } from "./messages.js";
