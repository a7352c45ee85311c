// A session whose wall clock is an hour ahead: of restarts.test.ts.
const hourMs = 3_600_000;
const timeOrigin = performance.timeOrigin + hourMs;
const now = Date.now.bind(Date);
Object.defineProperty(performance, "timeOrigin", { value: timeOrigin });
Date.now = () => now() + hourMs;

const { openCache } = await import("../../dist/src/mod.js");
const { nextCacheHandler } = await import("../../dist/src/next/mod.js");

const disk = { path: process.argv[2], capacity: "32mb" };
const cache = await openCache({ memory: "8mb", disk });
const handler = nextCacheHandler(cache);
const value = new Blob(["old"]).stream();
const times = { timestamp: Date.now(), stale: 30, revalidate: 60, expire: 1e6 };
await handler.set("key", Promise.resolve({ value, tags: ["tag"], ...times }));
process.stdout.write(String((await handler.get("key", [])).timestamp - now()));
await cache.close();
