// An agent platform with and without its cache: a service that runs agents for many people, in four
// lives. Without the cache; with it, warmed and closed; started again and killed in the middle;
// and started once more. Imported by main.ts. Every answer is checked for freshness. Prints a table
// and the goals, and exits with 1 if one that is counted is missed.
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Figures, figuresOf } from "./figures.js";
import { goalsOf } from "./goals.js";
import { Records } from "./records.js";
import { RemoteApi } from "./remote-api.js";
import type { Life, LifeReport, Progress } from "./service.js";
import { settingsOf } from "./settings.js";
import { goalTable, lifeTable, notes } from "./table.js";

const settings = settingsOf(process.argv.slice(2));
const folder = mkdtempSync(join(tmpdir(), "agent-platform-"));
const database = join(folder, "platform.db");
const directory = join(folder, "cache");
const api = new RemoteApi();
const port = await api.listen();
const started = performance.now();

try {
  say(
    `${settings.users} users, ${settings.activeUsers} active lately; a remote API of 20 to 80 ms`,
  );
  say(`while a cache is open: npx undercroft dashboard ${directory}`);
  const records = await Records.open(database);
  records.seed(settings.users);
  say(`records in SQLite, by ${records.library}`);
  records.close();

  const none = { directory: null, warms: false, verifies: false };
  const kept = { directory, warms: false, verifies: false };
  const without = await live("without", { ...none, seed: 1 });
  const cached = await live("with", { ...kept, seed: 1, warms: true });
  const restarted = await live("restarted", { ...kept, seed: 100, seconds: settings.seconds / 2 });
  await liveUntilKilled("killed", { ...kept, seed: 200 });
  const last = { ...kept, seed: 300, verifies: true, seconds: settings.seconds / 2 };
  const reopened = await live("after kill -9", last);

  const lives = { without, cached, restarted, reopened };
  console.log(`\n${lifeTable(Object.values(lives))}\n${notes}\n`);
  const goals = goalsOf(lives);
  console.log(goalTable(goals));
  for (const { name, stale, errors, report } of Object.values(lives)) {
    const faults = [...stale, ...report.wrong, ...errors].slice(0, 5);
    for (const fault of faults) console.error(`${name}: ${fault}`);
  }
  if (goals.some(({ isMet, isTimed }) => !isMet && !isTimed)) process.exitCode = 1;
} finally {
  api.close();
  rmSync(folder, { recursive: true, force: true });
}

type Choice = Pick<Life, "seed" | "directory" | "warms" | "verifies"> & Partial<Life>;

/** One life of the service, from start to close. */
async function live(name: string, choice: Choice): Promise<Figures> {
  const life = { settings, database, port, seconds: settings.seconds, ...choice };
  const before = new Map<string, number>();
  let after = before;
  let start = 0;
  let seconds = 0;
  const child = startService(life, (progress) => {
    say(`${name}: ${progress}`);
    if (progress === "measuring") {
      for (const [kind, count] of api.calls) before.set(kind, count);
      start = performance.now();
    }
    if (progress === "measured") {
      after = new Map(api.calls);
      seconds = (performance.now() - start) / 1000;
    }
  });
  const { report, code } = await child.ended;
  if (report === undefined) throw new Error(`${name}: the service ended with ${code}`);
  const calls = new Map([...after].map(([kind, count]) => [kind, count - (before.get(kind) ?? 0)]));
  return figuresOf(name, report, calls, seconds);
}

/** One life of the service that ends by `kill -9` in the middle of its work. */
async function liveUntilKilled(name: string, choice: Choice): Promise<void> {
  const life = { settings, database, port, seconds: 600, ...choice };
  const child = startService(life, (progress) => {
    if (progress !== "measuring") return;
    const ms = (settings.seconds * 1000) / 3;
    setTimeout(() => child.kill(), ms);
  });
  const { code } = await child.ended;
  if (code !== "SIGKILL") throw new Error(`${name}: the service ended with ${code}`);
  say(`${name} -9 at work`);
}

function startService(life: Life, onProgress: (progress: Progress) => void) {
  const file = fileURLToPath(new URL("./service.js", import.meta.url));
  const child = fork(file, [JSON.stringify(life)]);
  let report: LifeReport | undefined;
  child.on("message", (message: { readonly progress: Progress } | LifeReport) => {
    if ("progress" in message) onProgress(message.progress);
    else report = message;
  });
  const ended = new Promise<{ report: LifeReport | undefined; code: string }>((resolve) => {
    child.on("close", (code, signal) => resolve({ report, code: signal ?? String(code) }));
  });
  return { ended, kill: () => child.kill("SIGKILL") };
}

function say(text: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`);
}
