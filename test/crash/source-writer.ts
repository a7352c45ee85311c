// The program that write-through.test.ts kills: a source, which is a file of versions, and a cache
// of it on disk. At its open it looks at every entry; then lanes read and write until it is killed.
// It reports what is older than the source.

import { closeSync, existsSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import type * as Undercroft from "../../dist/src/mod.js";

/** What the program is told. */
export interface SourceOptions {
  readonly door: string;
  readonly path: string;
  readonly source: string;
  readonly report: string;
  readonly keys: number;
  /** How it keeps the cache: guarded writes, or a set after the write. */
  readonly way: "write" | "set";
}

interface Row {
  readonly version: number;
}

const options = JSON.parse(process.argv[2] ?? "{}") as SourceOptions;
const { keys, way } = options;
const report = openSync(options.report, "w");
if (!existsSync(options.source)) writeFileSync(options.source, Buffer.alloc(4 * keys));
const source = openSync(options.source, "r+");
const word = Buffer.alloc(4);
/** How far each row was committed when a write of this session had returned. */
const committed = new Uint32Array(keys);

function rowOf(key: number): number {
  readSync(source, word, 0, 4, 4 * key);
  return word.readUInt32LE(0);
}

/** One more version of a row, as a transaction that is done when this returns. */
function raise(key: number): number {
  const version = rowOf(key) + 1;
  word.writeUInt32LE(version, 0);
  writeSync(source, word, 0, 4, 4 * key);
  return version;
}

function note(line: string): void {
  writeSync(report, `${line}\n`);
}

const { openCache } = (await import(options.door)) as typeof Undercroft;
const cache = await openCache<Row>({
  memory: "1mb",
  disk: { path: options.path, capacity: "4mb" },
});
for (let key = 0; key < keys; key++) {
  const row = await cache.get(`k${key}`);
  if (row === undefined) continue;
  note("found");
  if (row.version !== rowOf(key)) {
    note(`k${key} is ${row.version}, found at the open; the source has ${rowOf(key)}`);
  }
}
writeSync(1, "working\n");

async function read(key: number): Promise<void> {
  const before = committed[key] as number;
  const row = await cache.fetch(`k${key}`, async () => {
    const version = rowOf(key);
    await sleep(Math.random() * 3);
    return { version };
  });
  if (row.version < before) note(`k${key} was read as ${row.version} after ${before}`);
}

async function write(key: number): Promise<void> {
  let version = 0;
  const change = async (): Promise<Row> => {
    version = raise(key);
    await sleep(Math.random() * 5);
    return { version };
  };
  if (way === "write") await cache.write(`k${key}`, change);
  else cache.set(`k${key}`, await change());
  committed[key] = Math.max(committed[key] as number, version);
}

async function lane(): Promise<void> {
  for (;;) {
    const key = Math.floor(Math.random() * keys);
    await read(key);
    if (Math.random() < 0.3) await write(key);
    if (Math.random() < 0.2) await cache.flush();
  }
}

await Promise.all(Array.from({ length: 8 }, lane));
closeSync(source);
