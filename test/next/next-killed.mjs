// A process that invalidates a tag and is killed: of restarts.test.ts.
import { openCache } from "../../dist/src/mod.js";
import { nextCacheHandler } from "../../dist/src/next/mod.js";

const disk = { path: process.argv[2], capacity: "32mb" };
const handler = nextCacheHandler(await openCache({ memory: "8mb", disk }));
await handler.updateTags(["tag"]);
process.kill(process.pid, "SIGKILL");
