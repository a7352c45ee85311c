// The same work over one redis-server on undercroft, bentocache, cacheable and node-redis with its
// client-side cache: how many fetches needed no load, what the server was asked, what an answer
// took, and how many answers were older than a change that had been made before the fetch began.
// All processes write. Prints a table and writes bench/results/machines.json.
//
//   node dist/bench/machines/peers.js [processes] [rounds] [runs]
//
// Runs are in turns, the median of each number counts; stale answers are added up. cacheable is
// installed in a temporary folder; without a registry it is left out, and said.
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { missing, RedisServer } from "../../examples/agent-platform/redis-server.js";
import { printTable } from "../report.js";
import type { Row } from "../suite.js";
import { TemporaryDirectory } from "../temporary-directory.js";
import type { Outcome, Work } from "./peer-process.js";
import { installed, stores } from "./stores.js";

const [processes = 3, rounds = 250, runs = 3] = process.argv.slice(2).map(Number);
const keys = 2000;
const root = fileURLToPath(new URL("../../../", import.meta.url));
const about =
  `${processes} processes on one redis-server, ${keys} keys, a load of 10 ms, ` +
  `20 fetches and a change in each of ${rounds} rounds of a process, median of ${runs} runs`;

/** What is told of a run; see `rows`. */
type Numbers = Readonly<Record<string, number>>;

function install(folder: string): boolean {
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const flags = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  try {
    execFileSync("npm", ["install", ...flags, ...installed], { cwd: folder, timeout: 120_000 });
    return true;
  } catch (error) {
    const [first] = String((error as Error).message).split("\n");
    console.error(`cacheable is left out, since it cannot be installed: ${first}`);
    return false;
  }
}

/** Commands that clients have sent or scripts have called, and milliseconds of processor. */
async function loadOf(server: RedisServer): Promise<{ commands: number; cpuMs: number }> {
  const info = String(await server.send("INFO", "everything"));
  const of = (name: string): number => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
  const cpuMs = 1000 * (of("used_cpu_user") + of("used_cpu_sys"));
  return { commands: of("total_commands_processed"), cpuMs };
}

async function messageOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", () => reject(new Error("a process has ended early")));
  });
}

async function run(store: string, server: RedisServer, folder: string): Promise<Numbers> {
  await server.send("FLUSHALL");
  const [source, settled] = [join(folder, "source"), join(folder, "settled")];
  for (const path of [source, settled]) writeFileSync(path, Buffer.alloc(keys * 8));
  const shared = { store, port: server.port, peers: folder, source, settled };
  const program = fileURLToPath(new URL("./peer-process.js", import.meta.url));
  const children = Array.from({ length: processes }, (_, index) => {
    const work: Work = { ...shared, index, processes, keys, rounds };
    return fork(program, [JSON.stringify(work)]);
  });
  await Promise.all(children.map(messageOf));
  const before = await loadOf(server);
  const told = children.map(messageOf);
  for (const child of children) child.send("start");
  const outcomes = (await Promise.all(told)) as Outcome[];
  const after = await loadOf(server);
  const ended = children.map((child) => once(child, "exit"));
  for (const child of children) child.send("end");
  await Promise.all(ended);
  for (const { fault } of outcomes) if (fault !== "") console.error(`${store}: ${fault}`);
  return {
    ...numbersOf(outcomes),
    "Redis commands": after.commands - before.commands,
    "Redis CPU, ms": after.cpuMs - before.cpuMs,
  };
}

function numbersOf(outcomes: readonly Outcome[]): Numbers {
  const sum = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const fetches = sum((outcome) => outcome.fetches);
  const loads = sum((outcome) => outcome.loads);
  const ms = Float64Array.from(outcomes.flatMap(({ answerMs }) => answerMs)).sort();
  const late = outcomes.flatMap(({ staleMs }) => staleMs);
  const at = (share: number): number => ms[Math.floor(ms.length * share)] ?? Number.NaN;
  return {
    fetches,
    loads,
    "without a load, %": 100 * (1 - loads / fetches),
    "p50, ms": at(0.5),
    "p99, ms": at(0.99),
    stale: late.length,
    "stale by 100 ms": late.filter((each) => each > 100).length,
    "latest, ms": Math.max(0, ...late),
    errors: sum((outcome) => outcome.errors),
  };
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
/** These are of all runs. */
const added = new Set(["stale", "stale by 100 ms", "errors"]);

function rowOf(store: string, seen: readonly Numbers[]): Row {
  const row: Row = { store };
  for (const name of Object.keys(seen[0] ?? {})) {
    const values = seen.map((numbers) => numbers[name] ?? Number.NaN);
    const sum = values.reduce((total, value) => total + value, 0);
    const worst = name === "latest, ms" ? Math.max(...values) : median(values);
    row[name] = Number((added.has(name) ? sum : worst).toFixed(2));
  }
  return row;
}

async function main(): Promise<void> {
  if (missing !== undefined) throw new Error(`there is no redis-server: ${missing}`);
  const directory = new TemporaryDirectory("machines");
  const hasAll = install(directory.path);
  const names = Object.keys(stores).filter((name) => hasAll || name !== "cacheable");
  const seen = new Map(names.map((name) => [name, [] as Numbers[]]));
  const server = await RedisServer.start();
  try {
    for (let turn = 0; turn < runs; turn++) {
      for (const name of names) {
        seen.get(name)?.push(await run(name, server, directory.path));
        console.log(`${name}: run ${turn + 1} of ${runs}`);
      }
    }
  } finally {
    await server.kill();
    directory.remove();
  }
  const rows = names.map((name) => rowOf(name, seen.get(name) ?? []));
  printTable({ name: "machines", about, cases: [], run: async () => rows }, rows);
  const command = `node dist/bench/machines/peers.js ${processes} ${rounds} ${runs}`;
  const machine = `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores, ${process.platform}`;
  const results = join(root, "bench/results");
  mkdirSync(results, { recursive: true });
  const result = { suite: "machines", about, command, node: process.version, machine, rows };
  writeFileSync(join(results, "machines.json"), `${JSON.stringify(result, null, 2)}\n`);
}

await main();
