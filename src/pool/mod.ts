export type { JobAnswer, JobRequest, StoreTask } from "./pool-messages.js";
export { storeValue } from "./store-task.js";
export { type DiskPlan, type WorkerListener, WorkerPool } from "./worker-pool.js";
export { movable } from "./movable-bytes.js";
