// A bentocache store over a cache, as docs/guides/bentocache.md shows it.
import { BentoCache, bentostore } from "bentocache";
import { openCache } from "undercroft";
import { bentocacheDriver } from "undercroft/bentocache";

const cache = await openCache({ memory: "64mb" });
const users = bentostore().useL1Layer(bentocacheDriver(cache.namespace("users")));
const bento = new BentoCache({ default: "users", stores: { users } });

const user = { key: "7", ttl: "5m", factory: () => ({ name: "Ada" }) };
console.log(await bento.getOrSet(user)); // { name: 'Ada' }
const drafts = bento.namespace("drafts");
await drafts.set({ key: "7", value: "not yet" });
await drafts.clear(); // those of the namespace, at once
console.log(await drafts.get({ key: "7" }), await bento.has({ key: "7" })); // undefined true

await bento.disconnect(); // leaves the cache open
await cache.close();
