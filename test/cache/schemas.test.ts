// The schema dictionary in whole caches: threads that add schemas at the same time, sessions of a
// directory that share them, and directories that lost some.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import type { Cache } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

/** A value with a schema that only values of this number have. */
function valueOf(schema: number, turn: number): unknown {
  return { [`field ${schema}`]: turn, list: [{ [`inner ${schema}`]: "x" }, { other: turn }] };
}

/** Sets values of schemas `from` to `to` - 1, often enough that each schema gets an id. */
function setSchemas(cache: Cache, from: number, to: number): void {
  for (let schema = from; schema < to; schema++) {
    for (let turn = 0; turn < 40; turn++) cache.set(`schema-${schema}`, valueOf(schema, turn));
  }
}

async function expectAll(cache: Cache, from: number, to: number): Promise<void> {
  for (let schema = from; schema < to; schema++) {
    expect(await cache.get(`schema-${schema}`)).toEqual(valueOf(schema, 39));
  }
}

test("threads that add schemas at the same time read each other's values exactly", async () => {
  const cache = await open({ near: false, memory: "8mb", ...diskAt(freshPath()) });
  const names = ["a", "b", "c"];
  const url = new URL("attached-thread.mjs", import.meta.url);
  const workers = names.map(() => new Worker(url, { workerData: { handle: cache.handle() } }));
  let running = workers.length;
  const ended = workers.map(async (worker, index) => {
    const answered = new Promise((resolve) => worker.once("message", resolve));
    worker.postMessage({ id: 1, method: "writeSchemas", args: [names[index], 60] });
    expect(await answered).toEqual({ id: 1, value: undefined });
    running -= 1;
  });
  let reads = 0;
  while (running > 0) {
    for (const name of names) {
      for (let schema = 0; schema < 60; schema++) {
        const value = cache.getSync(`${name}-${schema}`) as
          Record<string, { turn: number }> | undefined;
        if (value === undefined) continue;
        const turn = value[`${name} ${schema}`]?.turn;
        expect(value).toEqual({ [`${name} ${schema}`]: { turn, [`in ${schema}`]: name } });
        reads += 1;
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(ended);
  expect(reads).toBeGreaterThan(0);
  expect(cache.stats().corruptRecords).toBe(0);
  await Promise.all(workers.map((worker) => worker.terminate()));
});

test("the sessions of a directory share its schemas", async () => {
  const disk = diskAt(freshPath());
  for (let session = 0; session < 4; session++) {
    const cache = await open({ near: false, ...disk });
    await expectAll(cache, 0, session * 20);
    setSchemas(cache, session * 20, (session + 1) * 20);
    await expectAll(cache, 0, (session + 1) * 20);
    expect(cache.stats().corruptRecords).toBe(0);
    await cache.close();
  }
});

test("values of lost schemas are counted misses, never other values", async () => {
  const path = freshPath();
  const file = join(path, "undercroft.shapes");
  const first = await open({ near: false, ...diskAt(path) });
  setSchemas(first, 0, 30);
  await first.close();
  const whole = readFileSync(file);
  let misses = 0;
  // Slots, entries, and everything at once.
  for (const [from, to] of [
    [64, 80],
    [200, 201],
    [4160, 4170],
    [4400, 4700],
    [0, 32_768],
  ] as const) {
    writeFileSync(file, Buffer.from(whole).fill(0, from, to));
    const cache = await open({ near: false, ...diskAt(path) });
    // New schemas do not reuse the id of a lost one.
    setSchemas(cache, 100, 105);
    const values = await Promise.all(
      Array.from({ length: 30 }, (_, schema) => cache.get(`schema-${schema}`)),
    );
    const expected = values.map((value, schema) => value && valueOf(schema, 39));
    expect(values).toEqual(expected);
    const missed = values.filter((value) => value === undefined).length;
    await expectAll(cache, 100, 105);
    expect(cache.stats().corruptRecords).toBe(missed);
    misses += missed;
    await cache.close();
  }
  expect(misses).toBeGreaterThan(30);
});

/**
 * A session in a process of its own, which sets values of schemas 0 to 29, flushes them and is
 * killed.
 */
async function liveKilled(path: string): Promise<void> {
  const door = new URL("../../dist/src/mod.js", import.meta.url).href;
  const program = `
    import { openCache } from ${JSON.stringify(door)};
    ${valueOf.toString()}
    ${setSchemas.toString()}
    const disk = ${JSON.stringify(diskAt(path).disk)};
    const cache = await openCache({ memory: "2mb", near: false, disk });
    setSchemas(cache, 0, 30);
    await cache.flush();
    process.kill(process.pid, "SIGKILL");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: "inherit",
  });
  const [, signal] = (await once(child, "exit")) as [number | null, string | null];
  expect(signal).toBe("SIGKILL");
}

test("values that were flushed come back with their schemas after kill -9", async () => {
  const path = freshPath();
  await liveKilled(path);
  const cache = await open({ near: false, ...diskAt(path) });
  await expectAll(cache, 0, 30);
  setSchemas(cache, 30, 40);
  await expectAll(cache, 0, 40);
  expect(cache.stats().corruptRecords).toBe(0);
});

test("after kill -9 and the loss of the schema file, no id of a record is used again", async () => {
  const path = freshPath();
  await liveKilled(path);
  rmSync(join(path, "undercroft.shapes"));
  for (const schemas of [40, 80]) {
    const cache = await open({ near: false, ...diskAt(path) });
    setSchemas(cache, schemas, schemas + 20);
    for (let schema = 0; schema < 30; schema++) {
      expect(await cache.get(`schema-${schema}`)).toBe(undefined);
    }
    await expectAll(cache, schemas, schemas + 20);
    expect(cache.stats().corruptRecords).toBe(30);
    await cache.close();
  }
});

test("values set in the pool and by a loader add their schemas too", async () => {
  const cache = await open({ near: false, memory: "8mb" });
  const rows = Array.from({ length: 2000 }, (_, id) => ({ identifier: id, title: `row ${id}` }));
  for (let turn = 0; turn < 20; turn++) {
    cache.set(`warm-${turn}`, { identifier: turn, title: "warm" });
    await cache.setAsync("rows", rows);
    await cache.fetch(`loaded-${turn}`, () => ({ identifier: turn, title: "loaded" }));
  }
  expect(await cache.get("rows")).toEqual(rows);
  expect(await cache.get("loaded-19")).toEqual({ identifier: 19, title: "loaded" });
  const first = (await cache.getEntry("loaded-0"))?.size ?? 0;
  expect((await cache.getEntry("loaded-19"))?.size).toBeLessThan(first - 10);
});
