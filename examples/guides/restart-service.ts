// A service with a cache on disk that ends in order, shown in docs/guides/disk-and-restarts.md.
// restart.ts starts it and ends it.
import { createServer } from "node:http";

import { openCache } from "undercroft";

const cache = await openCache<string>({
  memory: "16mb",
  disk: { path: "./cache", capacity: "64mb" },
  on: {
    recovered: ({ kind, reason, entries }) => console.error(kind, reason, entries),
    "tier-down": ({ error }) => console.error("goes on in memory:", error.message),
    "tier-up": () => console.error("the disk is back"),
  },
});

const server = createServer((_request, response) => response.end(cache.getSync("session:7")));
server.listen(0);

process.once("SIGTERM", () => {
  server.close(); // first stop taking requests
  void cache.close(); // then write what is in memory, and leave the directory
});

const { kind, entries } = cache.recovery ?? {};
const found = `${kind}: ${entries} entries, session:7 is ${await cache.get("session:7")}`;
cache.set("session:7", "kept");
await cache.flush(); // from here on kill -9 does not lose it
process.send?.(found);
