// Time under control, for docs/guides/testing.md.
import { ManualClock, openCache } from "undercroft";

const clock = new ManualClock(Date.UTC(2025, 0, 1));
const cache = await openCache<string>({ clock, memory: "1mb", ttl: "1h" });

cache.set("a", "for an hour");
clock.advance(3_599_999);
console.log(cache.getSync("a")); // for an hour
clock.advance(1);
console.log(cache.getSync("a")); // undefined
await cache.close();
