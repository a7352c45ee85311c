// A Keyv over a cache, as docs/guides/keyv.md shows it.
import Keyv from "keyv";
import { openCache } from "undercroft";
import { keyvStore } from "undercroft/keyv";

const cache = await openCache({ memory: "64mb" });
const sessions = new Keyv({ store: keyvStore(cache.namespace("sessions")) });
sessions.on("error", (error) => console.error(error)); // what was not stored, too

await sessions.set("7", { name: "Ada" }, 60_000);
console.log(await sessions.get("7")); // { name: 'Ada' }
await sessions.clear(); // those of this Keyv's namespace, at once
console.log(await sessions.has("7")); // false

await sessions.disconnect(); // leaves the cache open
await cache.close();
