export { startJanitor } from "./janitor.js";
export type { JanitorMessage, JanitorTask } from "./messages.js";
