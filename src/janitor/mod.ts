export { startJanitor } from "./janitor.js";
export type { JanitorMessage, JanitorStart, JanitorTask } from "./messages.js";
