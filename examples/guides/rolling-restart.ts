// A new instance begins in memory beside the old one, and takes its directory over.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCache } from "undercroft";

const path = await mkdtemp(join(tmpdir(), "undercroft-"));
const old = await openCache<string>({ disk: { path, capacity: "64mb" } });
old.set("kept", "by the old one");
old.set("price", "10");

// The new instance, usually another process, starts beside the old one.
let isUp = (): void => undefined;
const up = new Promise<void>((resolve) => (isUp = resolve));
const cache = await openCache<string>({
  disk: { path, capacity: "64mb", whenLocked: "memory" },
  on: { "tier-up": () => isUp() },
});
const service = setInterval(() => undefined, 1000); // what keeps the process alive
cache.set("price", "12"); // newer than what the directory has
console.log(await cache.get("kept")); // undefined

await old.close(); // or a kill -9
await up;
clearInterval(service);
console.log(await cache.get("kept"), await cache.get("price")); // by the old one 12
await cache.close();
await rm(path, { recursive: true });
