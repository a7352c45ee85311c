// When a thread reads records on its own, and when it leaves that to libuv's pool.
import fs from "node:fs";
import { afterEach, expect, test } from "vitest";

import { useFileSystem } from "../../src/device/mod.js";
import { readsOfTurn, WarmReads } from "../../src/tiers/warm-reads.js";

const ext4 = 0xef53;
const nfs = 0x6969;

/** Warm reads of a directory on a file system of this type. */
function readsOn(type: number | undefined): WarmReads {
  const statfsSync = (() => {
    if (type === undefined) throw new Error("not allowed");
    return { type };
  }) as unknown as typeof fs.statfsSync;
  useFileSystem({ ...fs, statfsSync });
  return new WarmReads("/cache");
}

afterEach(() => useFileSystem(fs));

/** So many reads by the pool, each answered at once. */
function readByPool(reads: WarmReads, count: number): void {
  for (let read = 0; read < count; read++) reads.endPool(reads.beginPool());
}

function pass(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test.runIf(process.platform === "linux")("begin after fast reads by the pool", () => {
  const reads = readsOn(ext4);
  readByPool(reads, 3);
  expect(reads.mayRead(1024)).toBe(false);
  readByPool(reads, 1);
  expect(reads.mayRead(1024)).toBe(true);
  expect(reads.mayRead(64 * 1024)).toBe(true);
  expect(reads.mayRead(64 * 1024 + 1)).toBe(false);
});

test("never begin where a read may wait for a network, or nobody says", () => {
  for (const type of [nfs, 0, undefined]) {
    const reads = readsOn(type);
    readByPool(reads, 100);
    expect(reads.mayRead(1)).toBe(false);
  }
});

test.runIf(process.platform === "linux")("end with one that is slow, and begin later then", () => {
  const reads = readsOn(ext4);
  readByPool(reads, 4);
  for (const needed of [8, 16, 32]) {
    reads.noteOwn(5);
    expect(reads.mayRead(1)).toBe(false);
    readByPool(reads, needed - 1);
    expect(reads.mayRead(1)).toBe(false);
    readByPool(reads, 1);
    expect(reads.mayRead(1)).toBe(true);
  }
  // Fast ones make up for it.
  for (let read = 0; read < 3 * 256; read++) reads.noteOwn(0.001);
  reads.noteOwn(5);
  readByPool(reads, 8);
  expect(reads.mayRead(1)).toBe(true);
});

test.runIf(process.platform === "linux")("wait while a read by the pool has no answer", () => {
  const reads = readsOn(ext4);
  readByPool(reads, 4);
  const read = reads.beginPool();
  pass(3);
  expect(reads.mayRead(1)).toBe(false);
  reads.endPool(read);
  // It was slow: the files are not warm.
  expect(reads.mayRead(1)).toBe(false);
  readByPool(reads, 4);
  expect(reads.mayRead(1)).toBe(true);
});

test("leave a turn to others after so many, and go on in order", async () => {
  const reads = readsOn(ext4);
  const done: number[] = [];
  const turns: Promise<void>[] = [];
  for (let read = 0; read < 3 * readsOfTurn; read++) {
    const turn = reads.turn();
    expect(turn === undefined).toBe(read < readsOfTurn);
    if (turn !== undefined) turns.push(turn.then(() => void done.push(read)));
  }
  const perTurn: number[] = [];
  while (done.length < 2 * readsOfTurn) {
    await new Promise((resolve) => setImmediate(resolve));
    perTurn.push(done.length);
  }
  await Promise.all(turns);
  expect(perTurn.filter((count) => count > 0)).toEqual([readsOfTurn, 2 * readsOfTurn]);
  expect(done).toEqual(Array.from({ length: 2 * readsOfTurn }, (_, read) => readsOfTurn + read));
  // The turns of the last ones are over, so another need not wait.
  await new Promise((resolve) => setImmediate(resolve));
  expect(reads.turn()).toBeUndefined();
});
