// The death of the janitor, under load and in the middle of its work: another takes over, what the
// dead one held is recovered, and no read is wrong, in this session or the next. The janitor is the
// only worker of the process, so it is easily found.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Worker } from "node:worker_threads";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import type * as Undercroft from "../../dist/src/mod.js";
import * as at from "../../dist/src/kernel/layout.js";
import type { Cache } from "../../dist/src/mod.js";
import { brokenCopy } from "../crash/program.js";
import { copyAsKilled } from "../directory/copied.js";
import { bytesIn } from "../directory/scratch-directory.js";
import {
  encryption,
  closeFails,
  controlWord,
  freeSegments,
  names,
  open,
  openDisk,
  present,
  scratchDirectory,
  setAll,
  textOf,
  until,
  watermark,
} from "./scratch-cache.js";

const workers: Worker[] = [];
const notice = (worker: Worker): void => void workers.push(worker);

beforeAll(() => process.on("worker", notice));
afterAll(() => process.off("worker", notice));

/** Ends the janitor wherever it is; resolves when the pool has noticed. */
async function endJanitor(cache: Cache<string>): Promise<void> {
  const { workerRestarts } = cache.stats();
  await workers.at(-1)?.terminate();
  await until(() => cache.stats().workerRestarts > workerRestarts);
}

/** Resolves when a janitor is at work. */
async function janitorAtWork(cache: Cache<string>): Promise<void> {
  await cache.flush();
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Keys and the newest version of each; 0 = deleted. Whatever is read must be that version. */
class Ledger {
  readonly versions = new Map<string, number>();
  #version = 0;

  write(cache: Cache<string>, key: string): void {
    this.#version += 1;
    if (this.#version % 13 === 0) {
      cache.delete(key);
      this.versions.set(key, 0);
      return;
    }
    const outcome = cache.set(key, textOf(key, this.#version, 1200));
    this.versions.set(key, outcome === "stored" ? this.#version : 0);
  }

  /** How many keys are found; throws at a value that is not the newest. */
  async check(cache: Cache<string>): Promise<number> {
    let hits = 0;
    for (const [key, version] of this.versions) {
      const value = await cache.get(key);
      if (value === undefined) continue;
      if (value !== textOf(key, version, 1200)) {
        throw new Error(`${key} is ${value.slice(0, 40)}, and its version ${version}`);
      }
      hits += 1;
    }
    return hits;
  }
}

test.each([1, 2])(
  "a janitor ended again and again under load loses nothing (run %i)",
  async (run) => {
    const path = scratchDirectory();
    const { cache } = await openDisk(path);
    const restarts: string[] = [];
    cache.on("worker-restarted", ({ worker }) => restarts.push(worker));
    const ledger = new Ledger();
    let number = run;
    for (let death = 0; death < 5; death++) {
      // The moment of the death varies; nothing waits for it.
      const ended = sleep(death * 7 + run).then(() => endJanitor(cache));
      let isOver = false;
      void ended.then(() => (isOver = true));
      while (!isOver) {
        for (let write = 0; write < 60; write++) {
          number = (number * 31 + 7) % 1009;
          ledger.write(cache, `key-${number}`);
        }
        await cache.get(`key-${number}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await ended;
      await janitorAtWork(cache);
    }
    expect(restarts).toEqual(["janitor", "janitor", "janitor", "janitor", "janitor"]);
    await until(() => freeSegments(cache) >= watermark(cache));
    await ledger.check(cache);

    // The write path goes on: after five deaths everything still reaches the disk and is read from
    // there.
    for (let key = 0; key < 300; key++) {
      ledger.write(cache, `key-${key}`);
      if (key % 50 === 49) await cache.flush();
    }
    expect(await ledger.check(cache)).toBeGreaterThan(200);
    await setAll(cache, names("after", 300));
    expect(await present(cache, names("after", 300))).toHaveLength(300);

    // As after a kill: the next session scans a copy of the directory that was made while the cache
    // was open.
    const copy = scratchDirectory();
    await copyAsKilled(path, copy);
    const { cache: killed, recovered } = await openDisk(copy);
    expect(recovered.kind).toBe("scan");
    expect(await ledger.check(killed)).toBeGreaterThan(20);
    expect(await present(killed, names("after", 300))).toHaveLength(300);
    await killed.close();
    await cache.close();
    const { cache: again, recovered: closed } = await openDisk(path);
    expect(closed.kind).toBe("clean");
    expect(await ledger.check(again)).toBeGreaterThan(20);
  },
);

// The exact point at which a janitor ends: the built disk log with an exit put into it. Only the
// first janitor has the word in its environment, so the next one lives.
const word = "UNDERCROFT_TEST_END";
const log = { file: "src/disk-log/disk-log.js", table: "this.table" };
const reclaimer = { file: "src/disk-log/reclaimer.js", table: "this.#table" };
const points = {
  "before a batch is written": { ...log, before: "writeBatch(fd, bytes, offset, this.#device);" },
  "after a batch is written": {
    ...log,
    before: "const { records, maxExpires, maxSequence } = this.#batch;",
  },
  "before a segment is made void": { ...reclaimer, before: "const scan = this.scan(segment);" },
  "after a segment is made void": { ...reclaimer, before: "let isEmpty = false;" },
  "before a segment is free again": {
    ...reclaimer,
    before: "this.#kernel.count(counter.counterDiskSegmentsReclaimed, 1);",
  },
  "before a segment begins anew": {
    ...log,
    before: "const nonce = randomBytes(8).readBigUInt64LE(0);",
  },
} as const;

let broken = "";

beforeAll(() => {
  broken = mkdtempSync(join(tmpdir(), "undercroft-janitor-"));
  const patches = Object.entries(points).map(([name, { file, table, before }]) => {
    const isHere = `process.env["${word}"] === "${name}" && ${table}.maxSerial() > 3`;
    return { file, from: before, to: `if (${isHere}) process.exit(9);\n${before}` };
  });
  brokenCopy(broken, patches);
});

afterAll(() => rmSync(broken, { recursive: true, force: true }));

test.each(Object.keys(points))("a janitor that ends %s brings nothing back", async (name) => {
  const door = pathToFileURL(join(broken, "broken/dist/src/mod.js")).href;
  const { openCache } = (await import(door)) as typeof Undercroft;
  const path = scratchDirectory();
  process.env[word] = name;
  const disk = { path, capacity: "2mb", ...encryption };
  const cache = await openCache<string>({ near: false, memory: "1mb", disk });
  delete process.env[word];
  const keys = names("key", 2200);
  try {
    for (const [index, key] of keys.entries()) {
      cache.set(key, textOf(key, 1, 1000));
      if (cache.stats().workerRestarts > 0) break;
      if (index % 5 === 4) await cache.flush();
    }
    expect(cache.stats().workerRestarts).toBe(1);
    // Every entry ends, wherever it is. The disk must know, or the next session would bring it
    // back.
    for (const key of keys) cache.delete(key);
    const copy = scratchDirectory();
    await copyAsKilled(path, copy);
    const { cache: killed, recovered } = await openDisk(copy);
    expect(recovered.kind).toBe("scan");
    expect(await present(killed, keys)).toEqual([]);
  } finally {
    await cache.close();
  }
});

test("a flush that was waiting when the janitor ended is answered by the next", async () => {
  const { cache } = await openDisk(scratchDirectory());
  for (let round = 0; round < 3; round++) {
    const keys = names(`round-${round}`, 100);
    for (const key of keys) cache.set(key, textOf(key, 1, 1000));
    const [flushed] = await Promise.allSettled([cache.flush(), endJanitor(cache)]);
    expect(flushed.status).toBe("fulfilled");
    await janitorAtWork(cache);
    expect(cache.stats().admissions.flushed).toBeGreaterThanOrEqual(100 * (round + 1));
  }
});

test("a lock that a dead janitor held is released", async () => {
  const { cache } = await openDisk(scratchDirectory());
  await setAll(cache, names("key", 100));
  const { memory } = cache.handle().worker;
  const words = new Int32Array(memory.buffer);
  // The janitor's id is the first of the pool's.
  const janitor = at.userThreadsMax;
  const block = at.threadTable + janitor * at.threadBlockSize;
  const janitorsWord = (janitor + 1) | ((words[(block + at.threadIncarnation) / 4] ?? 0) << 8);
  const buckets = controlWord(cache, at.controlBucketCount);
  const base = controlWord(cache, at.controlBucketBase);
  // As if it had died with the locks of two buckets, before any thread hears of its end.
  const locks = [base + at.bucketLock, base + (buckets - 1) * at.bucketSize + at.bucketLock];
  workers.at(-1)?.prependOnceListener("exit", () => {
    for (const [note, lock] of locks.entries()) {
      words[(block + at.threadLock0) / 4 + note] = lock;
      Atomics.store(words, lock / 4, janitorsWord);
    }
  });
  await endJanitor(cache);
  for (const lock of locks) expect(Atomics.load(words, lock / 4)).not.toBe(janitorsWord);
  await setAll(cache, names("key", 50), { version: 2 });
  expect(await present(cache, names("key", 100).slice(50))).toHaveLength(50);
  expect(await present(cache, names("key", 50), { version: 2 })).toHaveLength(50);
  expect(cache.stats().threads.recovered).toBe(1);
});

test("after too many deaths the cache goes on in memory and reports it", async () => {
  const cache = await open<string>({
    memory: "2mb",
    disk: { path: scratchDirectory(), capacity: "2mb" },
  });
  const errors: string[] = [];
  cache.on("error", ({ error }) => errors.push(error.code));
  await setAll(cache, names("key", 200));
  for (let death = 0; death < 6; death++) {
    await janitorAtWork(cache);
    await endJanitor(cache);
  }
  await until(() => errors.includes("ERR_WORKER"));
  const keys = names("more", 3000);
  for (const key of keys) expect(cache.set(key, textOf(key, 1, 1000))).toBe("stored");
  expect((await present(cache, keys)).length).toBeGreaterThan(300);
  expect(cache.delete("more-2999")).toBe(true);
  expect(await closeFails(cache)).toMatch(/\d+ entries that were not on disk are lost/);
});

test("a janitor that ends while the disk is resized is followed in that", async () => {
  const path = scratchDirectory();
  const disk = { path, capacity: { now: "8mb", most: "8mb" }, preload: false as const };
  const cache = await open<string>({ memory: "1mb", disk });
  const ledger = new Ledger();
  // Four deaths: after six within a minute there is no other janitor.
  for (let round = 0; round < 2; round++) {
    for (let number = 0; number < 3000; number++) {
      ledger.write(cache, `key-${number}`);
      if (number % 50 === 0) await cache.flush();
    }
    for (const capacity of ["3mb", "8mb"]) {
      const change = cache.resize({ disk: capacity });
      // The moment of the death varies; nothing waits for it.
      await sleep(round * 17);
      await endJanitor(cache);
      const { now } = (await change).disk!;
      expect(cache.stats().disk).toMatchObject({ state: "up", limitBytes: now });
      expect(bytesIn(path)).toBeLessThanOrEqual(now);
      expect(await ledger.check(cache)).toBeGreaterThan(1000);
    }
  }
  const copy = scratchDirectory();
  await copyAsKilled(path, copy);
  const { cache: killed } = await openDisk(copy, { capacity: "8mb" });
  expect(await ledger.check(killed)).toBeGreaterThan(1000);
});
