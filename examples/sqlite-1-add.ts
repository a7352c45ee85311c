// Step 1 of docs/guides/sqlite.md: the cache stands beside the table, and nobody asks it yet.
import sqlite from "node-sqlite3-wasm";
import { openCache } from "undercroft";
import { sqliteTier } from "undercroft/sqlite";

const db = new sqlite.Database(); // your file
db.exec("CREATE TABLE agents (id TEXT PRIMARY KEY, prompt TEXT, rendered TEXT)");

const cache = await openCache<object>({
  name: "agents",
  memory: "16mb",
  tiers: [sqliteTier(db, { table: "agents_cache" })],
  on: { "tier-down": ({ tier, error }) => console.error(tier, error.message) },
});

await cache.flush();
console.log(cache.stats().tiers?.down, cache.stats().requests); // 0 0
await cache.close();
db.close();
