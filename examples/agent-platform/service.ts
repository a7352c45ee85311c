// One life of the service, a process of its own: opens the cache or does without, warms it, runs
// its threads, tells main.ts how far it is and what it saw, and closes. Started by main.ts, which
// kills it in one of its lives.
import { Worker } from "node:worker_threads";

import { breakLock } from "./sql.js";
import type { Sources } from "./loaders.js";
import { openPatternCache, type PatternCache, warm } from "./pattern-cache.js";
import { agentTypes, blockNames, groupNames, Records } from "./records.js";
import { Remote } from "./remote.js";
import type { ThreadData, ThreadReport } from "./service-thread.js";
import type { Settings } from "./settings.js";
import { type Kind, readVersions, Versions } from "./versions.js";

export interface Life {
  readonly settings: Settings;
  readonly seed: number;
  readonly seconds: number;
  readonly database: string;
  readonly port: number;
  /** Null: without a cache. */
  readonly directory: string | null;
  readonly warms: boolean;
  /** Compares everything that the cache has with the sources before anything else. */
  readonly verifies: boolean;
}
export type Progress = "opened" | "warmed" | "measuring" | "measured";

export interface LifeReport {
  readonly sqlite: string;
  readonly threads: readonly ThreadReport[];
  readonly recovered: string;
  readonly openMs: number;
  /** From the start of the process to the first answer from the cache; null if it had none. */
  readonly firstHitMs: number | null;
  readonly warmMs: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** Of all users, from memory and from disk, as the cache counts it. */
  readonly hitRatio: number;
  readonly verified: number;
  readonly wrong: readonly string[];
}

const life = JSON.parse(process.argv[2] ?? "") as Life;
const tell = (progress: Progress): void => void process.send?.({ progress });

breakLock(life.database);
const records = await Records.open(life.database);
const remote = new Remote(life.port);
const versions = Versions.forUsers(life.settings.users);
const sources: Sources = { records, remote, versions, loaded: () => undefined };

const openStart = performance.now();
const cache =
  life.directory === null ? null : await openPatternCache({ directory: life.directory }, sources);
const openMs = performance.now() - openStart;
const firstHitMs = cache === null || !(await hasAny(cache)) ? null : performance.now();
tell("opened");
await readVersions(versions, records, remote);
const found = cache === null || !life.verifies ? { verified: 0, wrong: [] } : await verify(cache);

const warmStart = performance.now();
if (cache !== null && life.warms) {
  await warm(
    cache,
    sources,
    Array.from({ length: life.settings.activeUsers }, (_, user) => user),
  );
}
const warmMs = performance.now() - warmStart;
tell("warmed");

let cpuBefore = process.cpuUsage();
let statsBefore = cache?.cache.stats();
const threads = await Promise.all(
  Array.from({ length: life.settings.threads }, (_, index) => runThread(index)),
);
const { user, system } = process.cpuUsage(cpuBefore);
const hitRatio = statsBefore && cache?.cache.stats().since(statsBefore).hitRatio;
tell("measured");
process.send?.({
  sqlite: records.library,
  threads,
  recovered: cache?.cache.recovery?.kind ?? "",
  openMs,
  firstHitMs,
  warmMs,
  cpuMs: (user + system) / 1000,
  memoryBytes: process.memoryUsage().rss,
  hitRatio: hitRatio ?? 0,
  ...found,
} satisfies LifeReport);
await cache?.cache.close();
records.close();
process.disconnect();

/** Asks for the agents of one user after the other, until one is there. */
async function hasAny({ agents }: PatternCache): Promise<boolean> {
  for (let user = 0; user < life.settings.users; user++) {
    if ((await agents.get({ user, type: agentTypes[0] })) !== undefined) return true;
  }
  return false;
}

async function runThread(index: number): Promise<ThreadReport> {
  const { settings, seconds, database, port } = life;
  const seed = life.seed + index;
  const handle = cache?.cache.handle() ?? null;
  const data = { settings, seed, seconds, database, port, handle, versions: versions.memory };
  const worker = new Worker(new URL("./service-thread.js", import.meta.url), {
    workerData: data satisfies ThreadData,
  });
  let report: ThreadReport | undefined;
  worker.on("message", (message: ThreadReport | "measuring") => {
    if (message !== "measuring") report = message;
    else if (index === 0) {
      cpuBefore = process.cpuUsage();
      statsBefore = cache?.cache.stats();
      tell("measuring");
    }
  });
  await new Promise((resolve, reject) => {
    worker.on("error", reject);
    worker.on("exit", resolve);
  });
  if (report === undefined) throw new Error(`thread ${index} ended without a report`);
  return report;
}

/**
 * Compares every entry that a lookup would find with what the sources have. An agent whose prompt
 * is not the source's is none of them: `isValid` refuses it.
 */
async function verify(all: PatternCache): Promise<{ verified: number; wrong: string[] }> {
  const wrong: string[] = [];
  let verified = 0;
  const check = (kind: Kind, user: number, name: string, version: number): void => {
    verified++;
    const right = versions.of(kind, user, name);
    if (version !== right) wrong.push(`${kind} ${user}:${name} is ${version}, not ${right}`);
  };
  const users = Array.from({ length: life.settings.users }, (_, user) => user);
  const byType = users.flatMap((user) => agentTypes.map((type) => ({ user, type })));
  const byName = (names: readonly string[]) =>
    users.flatMap((user) => names.map((name) => ({ user, name })));
  for (const [{ user, type }, agent] of await all.agents.getMany(byType)) {
    if (agent.prompt === versions.prompt(user, type)) check("agents", user, type, agent.version);
  }
  for (const [{ user, type }, { version }] of await all.history.getMany(byType)) {
    check("history", user, type, version);
  }
  for (const [{ user, name }, { version }] of await all.groups.getMany(byName(groupNames))) {
    check("groups", user, name, version);
  }
  for (const [{ user, name }, { version }] of await all.blocks.getMany(byName(blockNames))) {
    check("blocks", user, name, version);
  }
  const byTool = (tool: "files" | "agents") => users.map((user) => ({ user, tool }));
  for (const [{ user }, answer] of await all.tools.getMany(byTool("files"))) {
    if ("version" in answer) check("files", user, "files", answer.version);
  }
  for (const [{ user }, answer] of await all.tools.getMany(byTool("agents"))) {
    if ("version" in answer) continue;
    for (const { type, version } of answer) check("agents", user, type, version);
  }
  return { verified, wrong };
}
