// What clear() of a keyv namespace takes by its tag, and would take by a walk that deletes as many:
// `node keyv-clears.js [entries]` prints both, and the bytes of an entry.
import Keyv from "keyv";
import { keyvStore } from "../src/keyv/mod.js";
import { openCache } from "../src/mod.js";
import { agentKey, agentValue } from "./entries/contents.js";

const count = Number(process.argv[2] ?? 50_000);
const cache = await openCache({ memory: "128mb" });
const keyv = new Keyv({ store: keyvStore(cache), namespace: "n" });
for (let id = 0; id < count; id++) await keyv.set(agentKey(id), agentValue(id));
const { entries, bytes } = cache.stats().memory;
const start = performance.now();
await keyv.clear();
const byTag = performance.now() - start;
const plain = cache.namespace("plain");
for (let id = 0; id < count; id++) plain.set(`n:${agentKey(id)}`, agentValue(id));
const walk = performance.now();
for await (const key of plain.keys({ prefix: "n:" })) plain.delete(key);
const byWalk = performance.now() - walk;
await cache.close();
console.log(
  `clear of ${entries} entries: ${byTag.toFixed(2)} ms by tag, ${byWalk.toFixed(0)} ms by a ` +
    `walk; ${(bytes / entries).toFixed(0)} bytes an entry`,
);
