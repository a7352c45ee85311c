// Step 4 of docs/guides/sqlite.md: what is rendered is written to the cache, and by it to the tier.
import sqlite from "node-sqlite3-wasm";
import { openCache } from "undercroft";
import { sqliteTier } from "undercroft/sqlite";

const db = new sqlite.Database();
db.exec("CREATE TABLE agents (id TEXT PRIMARY KEY, prompt TEXT, rendered TEXT)");
const open = () => openCache<object>({ memory: "16mb", tiers: [sqliteTier(db)] });
const cache = await open();

async function saveAgent(id: string, prompt: string): Promise<void> {
  const rendered = { prompt, words: prompt.split(" ").length };
  // The column is still written: who goes back to step 3 finds it.
  db.run("INSERT OR REPLACE INTO agents VALUES (?, ?, ?)", [id, prompt, JSON.stringify(rendered)]);
  cache.set(id, rendered, { tags: [id] });
  await cache.flush(); // from here on it survives kill -9
}

await saveAgent("7:helper", "be kind");
await cache.close();

const restarted = await open();
console.log(await restarted.get("7:helper"), restarted.stats().tiers?.hits);
await restarted.close();
db.close();
