// Writes to a cache over a database until it is killed, and tells how many keys it has flushed.
import { openCache } from "../../dist/src/mod.js";
import { sqliteTier } from "../../dist/src/sqlite/mod.js";
import { Database } from "./any-database.mjs";

const db = new Database(process.argv[2]);
const cache = await openCache({ memory: "2mb", tiers: [sqliteTier(db)] });
for (let key = 0; ;) {
  for (const end = key + 700; key < end; key++)
    cache.set(`k${key}`, { key, text: "x".repeat(100) });
  // Half of it is on its way when the next turn begins.
  await cache.flush();
  process.stdout.write(`${key}\n`);
  for (const end = key + 50; key < end; key++) cache.set(`k${key}`, { key, text: "x".repeat(100) });
  await new Promise((resolve) => setImmediate(resolve));
}
