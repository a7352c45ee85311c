// Step 5 of docs/guides/sqlite.md: the column is copied to the cache once, and dropped.
import sqlite from "node-sqlite3-wasm";
import { openCache } from "undercroft";
import { sqliteTier } from "undercroft/sqlite";

const db = new sqlite.Database();
db.exec("CREATE TABLE agents (id TEXT PRIMARY KEY, prompt TEXT, rendered TEXT)");
db.run("INSERT INTO agents VALUES (?, ?, ?)", ["7:helper", "be kind", '{"words":2}']);
const cache = await openCache<object>({ memory: "16mb", tiers: [sqliteTier(db)] });

/** What the column had is rendered from what is left. */
function render(prompt: string): object {
  return { words: prompt.split(" ").length };
}

function agent(id: string): Promise<object | undefined> {
  return cache.fetch(id, () => {
    const row = db.get("SELECT prompt FROM agents WHERE id = ?", [id]);
    return row === null ? undefined : render(row["prompt"] as string);
  });
}

for (const row of db.all("SELECT id, rendered FROM agents WHERE rendered IS NOT NULL")) {
  const outcome = cache.set(row["id"] as string, JSON.parse(row["rendered"] as string) as object);
  if (outcome !== "stored") console.error(row["id"], outcome);
}
await cache.flush();
db.exec("ALTER TABLE agents DROP COLUMN rendered");
console.log(await agent("7:helper"), cache.stats().loads);
cache.clear();
console.log(await agent("7:helper"), cache.stats().loads);
await cache.close();
db.close();
