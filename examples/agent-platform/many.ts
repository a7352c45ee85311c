// The agent platform in several processes that share a directory, or on several hosts that share a
// Redis server, beside the same without a cache. All of them are on this machine; the remote API,
// the database and the Redis server stand for machines that they all reach. Every answer is checked
// for freshness. Processes are also replaced one by one under load. Prints a table and the goals,
// and exits with 1 if one that is counted is missed. Imported by main.ts.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { missing, RedisServer } from "./redis-server.js";
import { clockMs } from "./lookups.js";
import { Records } from "./records.js";
import { Remote } from "./remote.js";
import { RemoteApi } from "./remote-api.js";
import { settingsOf } from "./settings.js";
import { goalTable } from "./table.js";
import { readVersions } from "./versions.js";
import { Fleet } from "./fleet.js";
import type { Instance } from "./instance.js";
import { manyGoals, manyTable, type Run, runOf, shareWithoutLoad } from "./many-table.js";
import { RecordServer } from "./record-server.js";
import { SharedVersions } from "./shared-versions.js";

const settings = settingsOf(process.argv.slice(2));
const count = settings.processes + settings.hosts;
const isHosts = settings.hosts > 0;
const settleMs = 1000;
const backMsMax = 10_000;
const sliceMs = 500;
const folder = mkdtempSync(join(tmpdir(), "agent-platform-"));
const api = new RemoteApi();
const port = await api.listen();
const records = await Records.open(join(folder, "platform.db"));
const recordServer = new RecordServer(records);
const recordsPort = await recordServer.listen();
const started = performance.now();
let server: RedisServer | undefined;

try {
  if (isHosts && missing !== undefined) {
    throw new Error(
      `no redis-server: ${missing}; install one, or name one by UNDERCROFT_REDIS_SERVER`,
    );
  }
  if (isHosts) server = await RedisServer.start();
  say(`${count} ${isHosts ? "hosts over a Redis server" : "processes of one directory"}`);
  records.seed(settings.users);
  say(`${settings.users} users in SQLite, by ${records.library}; a remote API of 20 to 80 ms`);
  const without = await run("without", false);
  const cached = await run("with", true);
  console.log(`\n${manyTable(without, cached, isHosts)}\n`);
  const goals = manyGoals(without, cached, isHosts);
  console.log(goalTable(goals));
  for (const each of [without, cached]) {
    for (const fault of [...each.stale, ...each.errors].slice(0, 5)) {
      console.error(`${each.name}: ${fault}`);
    }
  }
  if (goals.some(({ isMet, isTimed }) => !isMet && !isTimed)) process.exitCode = 1;
} finally {
  api.close();
  recordServer.close();
  records.close();
  await server?.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** One run of all processes; with a cache they are replaced too, if they share a directory. */
async function run(name: string, hasCache: boolean): Promise<Run> {
  const versions = join(folder, `${name}-versions`);
  SharedVersions.create(versions, settings.users);
  const fleet = new Fleet();
  // What the sources have before anybody answers, in a column of its own.
  const book = new SharedVersions(versions, 0, (settled) => fleet.settled.push(settled));
  await readVersions(book, records, new Remote(port));
  book.close();
  const instanceOf = (column: number): Instance => ({
    settings,
    column,
    versions,
    port,
    recordsPort,
    directory: hasCache ? join(folder, isHosts ? `cache-${column}` : "cache") : null,
    redis: hasCache ? (server?.url ?? null) : null,
    warms: hasCache && column === 1,
  });
  try {
    const roles: string[] = [];
    roles.push(await fleet.start(instanceOf(1))); // it warms
    const others = Array.from({ length: count - 1 }, (_, index) => instanceOf(index + 2));
    roles.push(...(await Promise.all(others.map((one) => fleet.start(one)))));
    say(`${name}: ${count} answer (${roles.join(", ")})`);
    await sleep(settleMs);
    const [calls, reads, fromMs] = [api.counted(), records.reads, clockMs()];
    await sleep(settings.seconds * 1000);
    const measured = {
      fromMs,
      toMs: clockMs(),
      remoteCalls: api.counted() - calls,
      recordReads: records.reads - reads,
    };
    say(`${name}: measured`);
    const reload = hasCache && !isHosts ? await replaceAll(fleet, instanceOf, measured) : undefined;
    await fleet.stopAll();
    const { samples, settled, crashes } = fleet;
    return runOf({ name, ...measured, samples, settled, crashes, reload }, isHosts);
  } finally {
    fleet.kill();
  }
}

/** Each process is replaced by a new one, under load; resolves when the share of lookups without a
 *  load is back, or does not come back. */
async function replaceAll(
  fleet: Fleet,
  instanceOf: (column: number) => Instance,
  before: { readonly fromMs: number; readonly toMs: number },
) {
  const fromMs = clockMs();
  for (let column = 1; column <= count; column++) {
    const role = await fleet.start(instanceOf(column + count));
    await fleet.stop(column);
    say(`with: process ${column} replaced by a ${role}`);
  }
  const toMs = clockMs();
  const share = shareWithoutLoad(fleet.samples, before.fromMs, before.toMs);
  let backMs: number | null = null;
  while (backMs === null && clockMs() - toMs < backMsMax) {
    await sleep(sliceMs);
    const now = clockMs();
    const least = share - 0.05;
    if (shareWithoutLoad(fleet.samples, now - sliceMs, now) >= least) backMs = now - toMs;
  }
  say(backMs === null ? "with: hits are not back" : `with: hits back in ${backMs.toFixed(0)} ms`);
  return { fromMs, toMs, backMs };
}

function say(text: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`);
}
