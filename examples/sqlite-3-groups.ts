// Step 3 of docs/guides/sqlite.md: what belongs together has a tag, and ends together.
import sqlite from "node-sqlite3-wasm";
import { openCache } from "undercroft";
import { sqliteTier } from "undercroft/sqlite";

const db = new sqlite.Database();
db.exec("CREATE TABLE agents (user INTEGER, type TEXT, rendered TEXT)");
for (const type of ["helper", "critic"]) {
  db.run("INSERT INTO agents VALUES (?, ?, ?)", [7, type, JSON.stringify({ type })]);
}
const cache = await openCache<object>({ memory: "16mb", tiers: [sqliteTier(db)] });

function agent(user: number, type: string): Promise<object | undefined> {
  const load = (): object | undefined => {
    const row = db.get("SELECT rendered FROM agents WHERE user = ? AND type = ?", [user, type]);
    return row === null ? undefined : (JSON.parse(row["rendered"] as string) as object);
  };
  return cache.fetch(`${user}:${type}`, load, { tags: [`user:${user}`] });
}

/** Before, this had to know the key of each agent. */
function forgetUser(user: number): void {
  db.run("DELETE FROM agents WHERE user = ?", [user]);
  cache.deleteByTag(`user:${user}`);
}

console.log(await agent(7, "helper"), await agent(7, "critic"));
forgetUser(7);
console.log(await agent(7, "helper"), await agent(7, "critic"));
await cache.close();
db.close();
