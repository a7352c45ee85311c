// A read-through cache over real files, run by `npm run example:files`: the parsed package.json and
// .d.ts files of node_modules, read cold, hot, from a second thread, and by a new process that
// opens the same directory. Exits with 1 and a sentence if any of them fails.

import { fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { openCache } from "../src/mod.js";
import {
  findPackageFiles,
  loadPackageFile,
  type PackageFile,
  type Parsed,
} from "./package-files.js";
import { timedPass, type PackageCache, type PassReport } from "./package-pass.js";
import { bytes, passTable, progressLine, tierTable } from "./package-table.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const directory = join(root, ".cache", "package-cache");
const newProcessArgument = "--new-process";
const hotRounds = 50;

/** What the new process sends to the first one. */
interface NewProcessReport {
  readonly reports: PassReport[];
  readonly entries: number;
  readonly openMs: number;
}

try {
  if (process.argv.includes(newProcessArgument)) await newProcess();
  else await firstProcess();
} catch (error) {
  console.error(`package-cache: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function firstProcess(): Promise<void> {
  const { cache, openMs, entries } = await openPackageCache();
  console.log(
    entries > 0
      ? `opened warm: ${entries} entries in ${openMs.toFixed(1)} ms`
      : `opened cold: nothing cached yet, in ${openMs.toFixed(1)} ms`,
  );
  const files = await findPackageFiles(root, "node_modules");
  check(files.length > 100, `found ${files.length} files under node_modules; run npm ci first`);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  console.log(`${files.length} files, ${bytes(total)}; the cache is ${directory}\n`);

  const first = await fetchPass(entries > 0 ? "first, opened warm" : "first, cold", cache, files);
  const again = await fetchPass("again", cache, files);
  const hot = await hotPass("hot", cache, files);
  const { report: thread, attachMs } = await threadPass(cache, files);
  await cache.flush();
  const stats = cache.stats();
  await cache.close();
  const next = await startNewProcess();

  console.log(`${passTable([first, again, hot, thread, ...next.reports])}\n`);
  console.log(
    "A get is timed by performance.now() around the call: getSync where hot or attached,",
  );
  console.log("else fetch. A second hit on disk brings an entry back to memory.");
  console.log(`near, memory, disk: where hits came from; missed: read and parsed by the loader.\n`);
  console.log(`${tierTable(stats)}\n`);
  console.log(`resident memory   ${bytes(process.memoryUsage().rss)}`);
  console.log(`attach a thread   ${attachMs.toFixed(2)} ms`);
  console.log(`reopen            ${next.openMs.toFixed(1)} ms, ${next.entries} entries, warm`);

  check(hot.misses === 0, `${hot.misses} gets missed when hot; all files should be in memory`);
  check(thread.misses === 0, `${thread.misses} gets missed in the second thread`);
  check(next.entries > 0, "the new process opened the directory and found nothing in it");
  check(next.reports[0]?.misses === 0, `the new process loaded ${next.reports[0]?.misses} files`);
}

async function openPackageCache(): Promise<{
  cache: PackageCache;
  openMs: number;
  entries: number;
}> {
  const start = performance.now();
  const cache = await openCache<Parsed>({
    name: "packages",
    memory: "64mb",
    disk: { path: directory, capacity: "256mb" },
    ttl: "7d",
  });
  const openMs = performance.now() - start;
  const { memory, disk } = cache.stats();
  return { cache, openMs, entries: memory.entries + (disk?.entries ?? 0) };
}

/** Gets every file by `fetch`: from the cache if it is there, else read, parsed and stored. */
function fetchPass(
  name: string,
  cache: PackageCache,
  files: readonly PackageFile[],
): Promise<PassReport> {
  const read = (file: PackageFile): Promise<Parsed | undefined> => readThrough(cache, file);
  return timedPass(name, cache, files, 1, read, progressLine(name));
}

async function readThrough(cache: PackageCache, file: PackageFile): Promise<Parsed | undefined> {
  const value = await cache.fetch(file.path, () => loadPackageFile(root, file));
  if (value?.mtimeMs === file.mtimeMs && value.size === file.size) return value;
  // The file was written again since an earlier run cached it.
  cache.delete(file.path);
  return cache.fetch(file.path, () => loadPackageFile(root, file));
}

/** Gets every file by `getSync`, which answers from memory only. */
function hotPass(
  name: string,
  cache: PackageCache,
  files: readonly PackageFile[],
): Promise<PassReport> {
  const read = (file: PackageFile): Parsed | undefined => cache.getSync(file.path);
  return timedPass(name, cache, files, hotRounds, read, progressLine(name));
}

async function threadPass(
  cache: PackageCache,
  files: readonly PackageFile[],
): Promise<{ report: PassReport; attachMs: number }> {
  const worker = new Worker(new URL("package-cache-thread.js", import.meta.url), {
    workerData: { handle: cache.handle(), files, rounds: hotRounds },
  });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => {
      reject(new Error(`The second thread ended with ${code} and no report`));
    });
  });
}

async function startNewProcess(): Promise<NewProcessReport> {
  const child = fork(fileURLToPath(import.meta.url), [newProcessArgument]);
  return new Promise((resolve, reject) => {
    child.once("message", (report) => {
      resolve(report as NewProcessReport);
    });
    child.once("error", reject);
    child.once("exit", (code) => {
      reject(new Error(`The new process ended with ${code} and no report`));
    });
  });
}

async function newProcess(): Promise<void> {
  const { cache, openMs, entries } = await openPackageCache();
  const files = await findPackageFiles(root, "node_modules");
  const first = await fetchPass("new process", cache, files);
  // An entry that is read from disk a second time is promoted to memory.
  const again = await fetchPass("new process, again", cache, files);
  const hot = await hotPass("new process, hot", cache, files);
  await cache.close();
  const report: NewProcessReport = { reports: [first, again, hot], entries, openMs };
  process.send?.(report);
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
