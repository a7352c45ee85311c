// The suites of the disk tier (bench/disk).
export { diskHits } from "../disk/hits.js";
export { diskReopen } from "../disk/reopen.js";
export { diskSpace, diskWrites } from "../disk/writes.js";
