// The program that is killed: opens a cache directory, reads every key, then works on it at random
// until it is killed or done. It reports every operation before and after, and every read after, by
// a write that has reached the system before it goes on. Started by crash.test.ts.

import { appendFileSync, openSync, writeSync } from "node:fs";

import type * as Undercroft from "../../dist/src/mod.js";
import { type EntryValue, makeValue, randomOf, tagOf, versionOf } from "./entry-value.js";

/** What the program is told. */
export interface WriterOptions {
  /** The directory is encrypted: what its key is made of, and the key that it may have still. */
  readonly keyBytes?: readonly [key: number, previous: number];
  readonly door: string;
  readonly path: string;
  readonly report: string;
  readonly memory: string;
  readonly capacity: string;
  readonly seed: number;
  readonly keys: number;
  readonly bytesMax: number;
  /** Versions continue from here. */
  readonly newest: number;
  /** Operations until the end, which is `end`. */
  readonly operations: number;
  readonly end: "close" | "exit" | "throw";
}

/** What happened in a session, as far as the program could report it. */
export interface Movements {
  readonly demotions: number;
  readonly promotions: number;
  readonly reinsertions: number;
  readonly reclaimed: number;
  readonly evicted: number;
  /** Sweeps of the tags. */
  readonly swept: number;
}

const movementsEvery = 500;

const options = JSON.parse(process.argv[2] ?? "{}") as WriterOptions;
const report = openSync(options.report, "w");
const random = randomOf(options.seed);

function tell(line: string): void {
  writeSync(1, `${line}\n`);
}

function note(line: string): void {
  writeSync(report, `${line}\n`);
}

function pickKey(): string {
  // Squared, so that some keys are read again and again, as promotion and reinsertion need.
  return `key-${Math.floor(random() ** 2 * options.keys)}`;
}

async function read(cache: Undercroft.Cache<EntryValue>, key: string): Promise<void> {
  const now = Date.now();
  const value = await cache.get(key);
  note(`read ${key} ${versionOf(key, value, options.bytesMax)} ${now}`);
}

let version = options.newest;

function set(cache: Undercroft.Cache<EntryValue>, key: string): void {
  version += 1;
  const value = makeValue(key, version, options.bytesMax);
  const ttl = random() < 0.1 ? Math.ceil(random() * 300) : 0;
  note(`set ${key} ${version}`);
  const tags = [tagOf(key), `of ${key}`];
  const outcome = cache.set(key, value, ttl === 0 ? { tags } : { ttl, tags });
  note(`did ${outcome} ${ttl === 0 ? 0 : Date.now() + ttl}`);
}

async function flush(cache: Undercroft.Cache<EntryValue>): Promise<void> {
  note("flush");
  try {
    await cache.flush();
    note("did");
  } catch {
    note("failed");
  }
}

async function operate(cache: Undercroft.Cache<EntryValue>): Promise<void> {
  const dice = random();
  const key = pickKey();
  if (dice < 0.6) return set(cache, key);
  if (dice < 0.92) return read(cache, key);
  if (dice < 0.975) {
    note(`delete ${key}`);
    cache.delete(key);
    note("did");
  } else if (dice < 0.985) {
    note(`tag ${tagOf(key)}`);
    cache.deleteByTag(tagOf(key));
    note("did");
    // So many of no entry that tags are swept and forgotten all the time.
    for (let tag = 0; tag < 300; tag++) cache.deleteByTag(`none ${random()}`);
  } else if (dice < 0.997) {
    await flush(cache);
  } else if (random() < 0.3) {
    note("clear");
    cache.clear();
    note("did");
  }
}

function tellMovements(cache: Undercroft.Cache<EntryValue>): void {
  const { moves, segments, tags } = cache.stats();
  const { demotions, promotions, reinsertions } = moves;
  const movements: Movements = {
    demotions,
    promotions,
    reinsertions,
    reclaimed: segments.diskReclaimed,
    evicted: segments.evicted,
    swept: tags.sweeps,
  };
  appendFileSync(`${options.report}.moves`, `${JSON.stringify(movements)}\n`);
}

/** A key of one byte again and again, and the one that the session before had. */
function keysOf([key, previousKey]: readonly [number, number]): Undercroft.EncryptionOptions {
  return { key: Buffer.alloc(32, key), previousKey: Buffer.alloc(32, previousKey) };
}

const { openCache } = (await import(options.door)) as typeof Undercroft;
tell("opening");
const cache = await openCache<EntryValue>({
  memory: options.memory,
  disk: {
    path: options.path,
    capacity: options.capacity,
    ...(options.keyBytes === undefined ? {} : { encryption: keysOf(options.keyBytes) }),
  },
  near: false,
});
tell("open");
for (let key = 0; key < options.keys; key++) await read(cache, `key-${key}`);
tell("working");
for (let operation = 1; operation <= options.operations; operation++) {
  await operate(cache);
  if (operation % movementsEvery === 0) tellMovements(cache);
  // Sets alone never turn the event loop, and a program that never does is not typical.
  if (operation % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
}
if (options.end === "exit") process.exit(0);
if (options.end === "throw") {
  setImmediate(() => {
    throw new Error("on purpose");
  });
} else {
  tell("closing");
  await cache.close();
  tell("closed");
}
