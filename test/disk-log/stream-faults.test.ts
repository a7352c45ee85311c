// Streams while something fails: the janitor dies, the directory takes no writes, its files cannot
// be opened.
import type { Worker } from "node:worker_threads";

import { afterAll, beforeAll, expect, test } from "vitest";

import { bytesOf, expectBytes, pieces } from "../cache/stream-bytes.js";
import { freshPath, open, refuseWrites, setUpCaches, until } from "./killed.js";

setUpCaches();

const large = 3_000_000;
const workers: Worker[] = [];
const notice = (worker: Worker): void => void workers.push(worker);

beforeAll(() => process.on("worker", notice));
afterAll(() => process.off("worker", notice));

async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  );
}

test("the janitor dies while a stream spills, and again: the next one goes on", async () => {
  const cache = await open(freshPath());
  const die = async (from: number): Promise<void> => {
    if (from !== 1_000_000 && from !== 2_000_000) return;
    const { workerRestarts } = cache.stats();
    await workers.at(-1)?.terminate();
    await until(() => cache.stats().workerRestarts > workerRestarts);
  };
  expect(await cache.setStream("a", pieces(1, large, 50_000, die))).toBe("stored");
  expect(cache.stats().workerRestarts).toBe(2);
  await expectBytes(await cache.getStream("a"), 1, 0, large);
  await cache.flush();
  await expectBytes(await cache.getStream("a", { start: 2_500_000 }), 1, 2_500_000, large);
});

test("a directory that takes no writes: only the value that needs it fails", async () => {
  const cache = await open(freshPath());
  cache.set("a", "old");
  expect(await cache.setStream("b", pieces(2, large))).toBe("stored");
  await cache.flush();
  const release = refuseWrites(cache);
  expect(await codeOf(cache.setStream("a", pieces(1, large, 50_000)))).toBe("ERR_DISK_IO");
  expect(await cache.get("a")).toBe("old");
  // What fits memory is stored there.
  expect(await cache.setStream("c", pieces(3, 100_000))).toBe("stored");
  await expectBytes(await cache.getStream("c"), 3, 0, 100_000);
  // What cannot be read fails, without a wrong byte, and is not given up.
  const got: Buffer[] = [];
  const failed = await codeOf(
    (async () => {
      for await (const piece of (await cache.getStream("b")) ?? []) got.push(piece as Buffer);
    })(),
  );
  const read = Buffer.concat(got);
  expect(read.equals(bytesOf(2, 0, read.length))).toBe(true);
  expect([undefined, "ERR_STREAM_LOST"]).toContain(failed);
  release();
  await until(() => cache.stats().disk?.state === "up");
  await expectBytes(await cache.getStream("b"), 2, 0, large);
  expect(await cache.setStream("a", pieces(4, large))).toBe("stored");
  await expectBytes(await cache.getStream("a"), 4, 0, large);
});
