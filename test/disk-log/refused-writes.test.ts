// A disk that refuses writes for a while: what a flush reports then, and that nothing deleted comes
// back afterwards.

import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as at from "../../dist/src/kernel/layout.js";
import { openCache } from "../../dist/src/mod.js";
import { afterKill, freshPath, open, refuseWrites, setUpCaches } from "./killed.js";

setUpCaches();

test("every flush rejects while the disk refuses writes", async () => {
  const cache = await open(freshPath());
  const allow = refuseWrites(cache);
  cache.set("k", 1);
  await expect(cache.flush()).rejects.toMatchObject({ code: "ERR_DISK_IO" });
  await expect(cache.flush({ fsync: true })).rejects.toMatchObject({ code: "ERR_DISK_IO" });
  allow();
});

test("a disk tier with nothing to write stays down while the disk refuses", async () => {
  const path = freshPath();
  const cache = await open(path);
  cache.set("k", "older");
  await cache.flush();
  const ups: string[] = [];
  cache.on("tier-up", ({ tier }) => ups.push(tier));
  const allow = refuseWrites(cache);
  cache.delete("k");
  const words = new Int32Array(cache.handle().worker.memory.buffer);
  // The janitor tries the disk again and fails.
  const { diskErrors } = cache.stats();
  await expect
    .poll(() => cache.stats().diskErrors, { timeout: 12_000 })
    .toBeGreaterThan(diskErrors);
  expect(ups).toEqual([]);
  expect(Atomics.load(words, at.controlDiskUp / 4)).toBe(0);
  allow();
  await expect.poll(() => ups, { timeout: 12_000 }).toEqual(["disk"]);
  const next = await afterKill(path);
  expect(await next.get("k")).toBeUndefined();
});

test("a file that cannot be opened for a tombstone brings nothing back", async () => {
  const path = freshPath();
  const cache = await open(path);
  cache.set("gone", "older");
  cache.set("kept", "value");
  await cache.flush();
  const ups: string[] = [];
  cache.on("tier-up", ({ tier }) => ups.push(tier));
  const names = readdirSync(path).filter((name) => name.startsWith("segment-"));
  for (const name of names) renameSync(join(path, name), join(path, `away-${name}`));
  // This thread has opened no file before.
  cache.delete("gone");
  for (const name of names) renameSync(join(path, `away-${name}`), join(path, name));
  // The janitor tries again in some seconds: a kill before that leaves a file without tombstone.
  const early = await afterKill(path);
  expect(early.recovery?.kind).toBe("cold");
  expect(await early.get("gone")).toBeUndefined();
  await expect.poll(() => ups, { timeout: 12_000 }).toEqual(["disk"]);
  await cache.flush();
  const late = await afterKill(path);
  expect(late.recovery?.kind).toBe("scan");
  expect([await late.get("gone"), await late.get("kept")]).toEqual([undefined, "value"]);
});

test("a clear that its thread did not write to disk is written by the janitor", async () => {
  const path = freshPath();
  const cache = await open(path);
  cache.set("k", "older");
  await cache.flush();
  // As a thread that dies between the two halves of a clear leaves it: only the epoch is raised.
  const words = new BigUint64Array(cache.handle().worker.memory.buffer);
  const epoch = Atomics.add(words, at.controlSequence / 8, 1n) + 1n;
  Atomics.store(words, at.controlClearEpoch / 8, epoch);
  await cache.flush();
  const next = await afterKill(path);
  expect(await next.get("k")).toBeUndefined();
});

test("a codec's name that UTF-8 cannot express is refused", async () => {
  const codec = { name: "half \ud800", encode: () => new Uint8Array(1), decode: () => 1 };
  await expect(openCache({ codec })).rejects.toThrow("codec.name");
});

test("every flush with fsync resolves, however many overlap", async () => {
  const cache = await open(freshPath());
  const flushes: Promise<void>[] = [];
  for (let round = 0; round < 100; round++) {
    cache.set(`k${round}`, round);
    flushes.push(cache.flush({ fsync: round % 3 === 0 }));
    if (round % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await expect(Promise.all(flushes)).resolves.toHaveLength(100);
});
