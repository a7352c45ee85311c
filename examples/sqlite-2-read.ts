// Step 2 of docs/guides/sqlite.md: reads go through the cache; the table stays what is true.
import sqlite from "node-sqlite3-wasm";
import { openCache } from "undercroft";
import { sqliteTier } from "undercroft/sqlite";

const db = new sqlite.Database();
db.exec("CREATE TABLE agents (id TEXT PRIMARY KEY, rendered TEXT)");
db.run("INSERT INTO agents VALUES (?, ?)", ["7:helper", '{"name":"Ada"}']);
const cache = await openCache<object>({ memory: "16mb", tiers: [sqliteTier(db)], ttl: "1h" });

/** What the service called before, now the loader. */
function readAgent(id: string): object | undefined {
  const row = db.get("SELECT rendered FROM agents WHERE id = ?", [id]);
  return row === null ? undefined : (JSON.parse(row["rendered"] as string) as object);
}

function agent(id: string): Promise<object | undefined> {
  return cache.fetch(id, () => readAgent(id), { negativeTtl: "30s" });
}

/** Whoever writes the table ends the entry. */
function renameAgent(id: string, name: string): void {
  db.run("UPDATE agents SET rendered = ? WHERE id = ?", [JSON.stringify({ name }), id]);
  cache.delete(id);
}

console.log(await agent("7:helper"), await agent("7:helper"), await agent("8:helper"));
renameAgent("7:helper", "Grace");
console.log(await agent("7:helper"), cache.stats().loads);
await cache.close();
db.close();
