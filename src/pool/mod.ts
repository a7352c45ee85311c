export type { StoreTask } from "./messages.js";
export { storeValue } from "./store-task.js";
export { type DiskPlan, type PoolListener, WorkerPool } from "./worker-pool.js";
