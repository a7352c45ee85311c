// A program whose disk stops taking writes: the process lowers its own limit on the size of files
// (prlimit), so that every write at or beyond it fails, in every thread, and raises it again.
// disk-fault.test.ts starts it; it ends by kill -9.

import { execFileSync } from "node:child_process";
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import type * as Undercroft from "../../dist/src/mod.js";

/** What the program is told. */
export interface StarvedOptions {
  readonly door: string;
  readonly path: string;
  /** By a key of sevens. */
  readonly isEncrypted: boolean;
  /** Bytes of a file that can be written while the disk is full. */
  readonly limit: number;
  readonly returns: boolean;
}

/** What it saw. */
export interface StarvedResult {
  readonly outcomes: readonly string[];
  readonly wrongReads: number;
  readonly missesInMemory: number;
  /** Of 2,000 sets: while a batch that still fits brings the tier up, sets may outrun it. */
  readonly overloaded: number;
  readonly flushWhileDown: string;
  readonly events: readonly string[];
  readonly stateWhileDown: string | undefined;
  readonly stateAfter: string | undefined;
  readonly flushAfter: string;
}

const options = JSON.parse(process.argv[2] ?? "{}") as StarvedOptions;
const value = (key: string, version: number): string => `${key}#${version};`.repeat(100);

// The system sends this signal with each write that it refuses; without a listener it ends the
// process.
process.on("SIGXFSZ", () => undefined);

function limitFiles(bytes: number | "unlimited"): void {
  execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:unlimited`]);
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 5000 && !condition(); turn++) await sleep(2);
}

async function flush(cache: Undercroft.Cache<string>): Promise<string> {
  return cache.flush().then(
    () => "flushed",
    (error: { code?: string }) => error.code ?? "an error without a code",
  );
}

const { openCache } = (await import(options.door)) as typeof Undercroft;
const cache = await openCache<string>({
  memory: "2mb",
  disk: {
    path: options.path,
    capacity: "2mb",
    ...(options.isEncrypted ? { encryption: { key: Buffer.alloc(32, 7) } } : {}),
  },
  near: false,
});
const events: string[] = [];
cache.on("tier-down", ({ tier, error }) => events.push(`down ${tier} ${error.code}`));
cache.on("tier-up", ({ tier }) => events.push(`up ${tier}`));

const keys = Array.from({ length: 400 }, (_, index) => `key-${index}`);
for (const key of keys) cache.set(key, value(key, 1));
await cache.flush();

limitFiles(options.limit);
const outcomes = new Set<string>();
let wrongReads = 0;
let missesInMemory = 0;
let overloaded = 0;
// A third is overwritten, a third deleted, and more new entries are set than fit in memory.
for (const [index, key] of keys.entries()) {
  if (index % 3 === 0) outcomes.add(cache.set(key, value(key, 2)));
  if (index % 3 === 1) cache.delete(key);
}
for (const [index, key] of keys.entries()) {
  const found = await cache.get(key);
  const right = index % 3 === 0 ? value(key, 2) : index % 3 === 1 ? undefined : value(key, 1);
  if (found === undefined && index % 3 === 0) missesInMemory += 1;
  if (found !== undefined && found !== right) wrongReads += 1;
}
const flushWhileDown = await flush(cache);
const stateWhileDown = cache.stats().disk?.state;
// The janitor's message may come after the answer of the flush, which is a word in memory.
await until(() => events.length > 0);
for (let index = 0; index < 2000; index++) {
  const key = `new-${index}`;
  const outcome = cache.set(key, value(key, 1));
  if (outcome === "overloaded") overloaded += 1;
  else outcomes.add(outcome);
  const right = outcome === "stored" ? value(key, 1) : undefined;
  if ((await cache.get(key)) !== right) wrongReads += 1;
}

let flushAfter = "";
if (options.returns) {
  limitFiles("unlimited");
  await until(() => events.some((event) => event.startsWith("up")));
  for (let index = 0; index < 50; index++) cache.set(`after-${index}`, value(`after-${index}`, 1));
  flushAfter = await flush(cache);
}
const result: StarvedResult = {
  outcomes: [...outcomes],
  wrongReads,
  missesInMemory,
  overloaded,
  flushWhileDown,
  events,
  stateWhileDown,
  stateAfter: cache.stats().disk?.state,
  flushAfter,
};
writeSync(1, `${JSON.stringify(result)}\nended\n`);
process.kill(process.pid, "SIGKILL");
