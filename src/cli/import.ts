// `undercroft import`: stores the rows of a SQLite table, or lines of JSON, in a directory. Called
// by main.ts.
import { describe, elapsedMs } from "../base/mod.js";
import { type Cache, openCache } from "../cache/mod.js";
import { importOptions, type ImportOptions } from "./import-options.js";
import { NoEntry, type Row, type Rows, rowsOfLines, rowsOfTable } from "./import-rows.js";
import type { Output } from "./output.js";

export const importUsage = `import <directory>  fill a cache's directory before its first start
  --sqlite file.db  from a table of a SQLite database: --table name --key column --value column
  --json            the values of the table are JSON
  --ttl 7d          of entries that say none (default: no expiry)
  --memory, --capacity  as the service opens the cache with (default: 64mb, 1gb)
Without --sqlite, lines of JSON from standard input: {"key": "…", "value": …}, and "ttl",
"staleFor", "tags" as set() takes them. It reads SQLite by node:sqlite, better-sqlite3 or
node-sqlite3-wasm, whichever is there.`;

/** Milliseconds between progress messages. */
const progressMs = 2000;
/** Refused entries that are told one by one. */
const toldMax = 10;
/** What is stored between two flushes, as a part of memory: nothing is evicted unwritten. */
const unflushedShare = 32;
/** Entries between two looks at how much that is. */
const looksEvery = 64;
/** Attempts to store an entry that finds no room. */
const attemptsMax = 5;

/** What became of the entries. */
interface Report {
  stored: number;
  refused: number;
}

/** Runs the command. Returns the exit status: 1 if an entry was refused. */
export async function importEntries(words: readonly string[], output: Output): Promise<number> {
  const options = importOptions(words);
  if (options.help) {
    output.print(importUsage);
    return 0;
  }
  const { source, directory } = options;
  const rows = source === undefined ? rowsOfLines(process.stdin) : rowsOfTable(source);
  const cache = await openCache(cacheOptionsOf(options));
  const report: Report = { stored: 0, refused: 0 };
  let entries: number;
  try {
    await fill(cache, rows, report, output);
    entries = cache.stats().disk?.entries ?? 0;
    entries += cache.stats().memory.entries;
  } finally {
    await cache.close();
  }
  const { stored, refused } = report;
  output.print(`${directory}: ${stored} stored, ${refused} refused; ${entries} entries are there`);
  return refused === 0 ? 0 : 1;
}

function cacheOptionsOf({ directory, memory, capacity, ttl }: ImportOptions) {
  return {
    name: "import",
    disk: { path: directory, ...(capacity === undefined ? {} : { capacity }) },
    ...(memory === undefined ? {} : { memory }),
    ...(ttl === undefined ? {} : { ttl }),
  };
}

/** Stores all rows. Waits for the disk rather than lose one. */
async function fill(cache: Cache, rows: Rows, report: Report, output: Output): Promise<void> {
  const flushBytes = cache.stats().memory.limitBytes / unflushedShare;
  let flushedAt = 0;
  let toldAtMs = elapsedMs();
  let reads = 0;
  for await (const row of rows) {
    const refusal = row instanceof NoEntry ? row.reason : await store(cache, row);
    if (refusal === undefined) report.stored += 1;
    else {
      report.refused += 1;
      if (report.refused <= toldMax) output.warn(`not stored: ${refusal}`);
    }
    reads += 1;
    if (reads % looksEvery !== 0) continue;
    const { bytes } = cache.stats().sets;
    if (bytes - flushedAt > flushBytes) {
      await cache.flush();
      flushedAt = bytes;
    }
    if (elapsedMs() - toldAtMs < progressMs) continue;
    toldAtMs = elapsedMs();
    output.warn(`${report.stored} stored, ${report.refused} refused`);
  }
  await cache.flush();
}

/** Stores a row; answers why it could not. */
async function store(cache: Cache, { key, value, options }: Row): Promise<string | undefined> {
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const outcome = cache.set(key, value, options);
      if (outcome === "stored") return undefined;
      if (outcome === "too-large") return `the value of ${describe(key)} is too large`;
      await cache.flush();
    }
    return `there was no room for ${describe(key)}`;
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return error.message;
    throw error;
  }
}
