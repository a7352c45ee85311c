// The cache of LangGraph's tasks, by the contract of its BaseCache.
import { rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";

import { BaseCache, checkpoint } from "../../dist/examples/langchain-host.js";
import { taskCache } from "../../dist/src/langchain/mod.js";
import { type Cache, ManualClock, openCache } from "../../dist/src/mod.js";

const clock = new ManualClock();
let cache: Cache;
let tasks: BaseCache;

beforeEach(async () => {
  cache = await openCache({ clock, memory: "8mb", ttl: "1h" });
  tasks = taskCache(cache.namespace("tasks"), checkpoint);
});
afterEach(() => cache.close());

type FullKey = [namespace: string[], key: string];
const [a, b, other]: FullKey[] = [
  [["graph", "node"], "a"],
  [["graph", "node"], "b"],
  [["graph"], "a"],
] as [FullKey, FullKey, FullKey];

const valuesOf = async (keys: FullKey[]): Promise<unknown[]> =>
  (await tasks.get(keys)).map(({ value }) => value);

test("what is found comes with its key, in order; what is not is left out", async () => {
  expect(tasks).toBeInstanceOf(BaseCache);
  expect(await tasks.get([a, b])).toEqual([]);
  await tasks.set([
    { key: b, value: { at: new Date(5), n: 1n } },
    { key: other, value: undefined },
  ]);
  expect(await tasks.get([a, b, other])).toEqual([
    { key: b, value: { at: new Date(5), n: 1n } },
    { key: other, value: undefined },
  ]);
  expect(await tasks.get([])).toEqual([]);
});

test("namespaces are told apart, however they are cut", async () => {
  const keys: FullKey[] = [
    [["a", "b"], "c"],
    [["a,b"], "c"],
    [["a"], "b,c"],
    [[], "c"],
  ];
  await tasks.set(keys.map((key, value) => ({ key, value })));
  expect(await valuesOf(keys)).toEqual([0, 1, 2, 3]);
});

test("ttl is seconds; without one it is the cache's", async () => {
  await tasks.set([
    { key: a, value: 1, ttl: 60 },
    { key: b, value: 2 },
  ]);
  clock.advance(59_999);
  expect(await valuesOf([a, b])).toEqual([1, 2]);
  clock.advance(1);
  expect(await valuesOf([a, b])).toEqual([2]);
  clock.advance(3_540_000);
  expect(await valuesOf([a, b])).toEqual([]);
  await tasks.set([{ key: a, value: 3, ttl: 7200 }]);
  clock.advance(7_199_999); // the generations of namespaces have no ttl
  expect(await valuesOf([a])).toEqual([3]);
});

test("a ttl that is over stores nothing, and ends what was there", async () => {
  for (const ttl of [0, -1]) {
    await tasks.set([{ key: a, value: 1 }]);
    await tasks.set([{ key: a, value: 2, ttl }]);
    expect(await valuesOf([a])).toEqual([]);
  }
});

test("clear ends one namespace, or all, and nothing else in the cache", async () => {
  const whole = taskCache(cache, checkpoint);
  cache.set("mine", 1);
  const all = [a, b, other];
  const fill = (): Promise<void> => whole.set(all.map((key) => ({ key, value: key[1] })));
  await fill();
  await whole.clear([["graph", "node"]]);
  expect((await whole.get(all)).map(({ key }) => key)).toEqual([other]);
  await fill();
  expect(await whole.get(all)).toHaveLength(3);
  await whole.clear([]);
  expect(await whole.get(all)).toEqual([]);
  expect(cache.getSync("mine")).toBe(1);
  await fill();
  expect(await whole.get(all)).toHaveLength(3);
});

test("what is being stored when its namespace is cleared is not found", async () => {
  await tasks.set([{ key: b, value: 0 }]);
  const slow = taskCache(cache.namespace("tasks"), checkpoint);
  let dump!: (typed: [string, Uint8Array]) => void;
  const dumped = new Promise<[string, Uint8Array]>((resolve) => {
    dump = resolve;
  });
  const { serde } = slow;
  slow.serde = { ...serde, dumpsTyped: () => dumped };
  const setting = slow.set([{ key: a, value: "old" }]);
  await tasks.clear([["graph", "node"]]);
  await tasks.set([{ key: b, value: "new" }]);
  dump(await serde.dumpsTyped("old"));
  await setting;
  expect(await valuesOf([a, b])).toEqual(["new"]);
});

test("bytes that the serializer gives out are the caller's own", async () => {
  for (const value of [Uint8Array.of(1, 2), Buffer.from([1, 2])]) {
    await tasks.set([{ key: a, value }]);
    for (let call = 0; call < 3; call++) {
      const [bytes] = (await valuesOf([a])) as Uint8Array[];
      expect(bytes).toEqual(value);
      expect(Buffer.isBuffer(bytes)).toBe(Buffer.isBuffer(value));
      bytes?.fill(9);
    }
  }
});

test("many that store into a new namespace at once all find what they stored", async () => {
  const keys = Array.from({ length: 100 }, (_, index): FullKey => [["new"], String(index)]);
  await Promise.all(keys.map((key) => tasks.set([{ key, value: key[1] }])));
  expect(await valuesOf(keys)).toEqual(keys.map(([, key]) => key));
});

test("threads have the same namespaces, and what one clears is gone in all", async () => {
  await tasks.set([{ key: a, value: "opener" }]);
  const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const worker = new Worker(
    `import { parentPort, workerData } from "node:worker_threads";
    const { attachCache } = await import(${url("../../dist/src/mod.js")});
    const { taskCache } = await import(${url("../../dist/src/langchain/mod.js")});
    const { checkpoint } = await import(${url("../../dist/examples/langchain-host.js")});
    const cache = await attachCache(workerData);
    const tasks = taskCache(cache.namespace("tasks"), checkpoint);
    const found = await tasks.get([[["graph", "node"], "a"]]);
    await tasks.clear([["graph", "node"]]);
    await tasks.set([{ key: [["graph", "node"], "b"], value: "worker" }]);
    parentPort.postMessage(found);
    await cache.close();`,
    { eval: true, workerData: cache.handle() },
  );
  const found = await new Promise((resolve, reject) => {
    worker.once("message", resolve).once("error", reject);
  });
  await new Promise((resolve) => worker.once("exit", resolve));
  expect(found).toEqual([{ key: a, value: "opener" }]);
  expect(await valuesOf([a, b])).toEqual(["worker"]);
});

test("a restart keeps what was stored, and what was cleared stays cleared", async () => {
  const path = mkdtempSync(join(tmpdir(), "undercroft-tasks-"));
  try {
    const disk = { path, capacity: "16mb" } as const;
    const first = await openCache({ memory: "8mb", disk });
    const before = taskCache(first, checkpoint);
    await before.set([a, b, other].map((key) => ({ key, value: key[1] })));
    await before.clear([["graph"]]);
    await first.close();
    const second = await openCache({ memory: "8mb", disk: { ...disk, preload: false } });
    const after = taskCache(second, checkpoint);
    expect((await after.get([a, b, other])).map(({ key }) => key)).toEqual([a, b]);
    await after.set([{ key: other, value: 2 }]);
    expect(await after.get([a, b, other])).toHaveLength(3);
    await second.close();
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});

test("what is no cache and no module is refused", () => {
  expect(() => taskCache(null as never, checkpoint)).toThrow(/openCache/);
  for (const wrong of [{}, { BaseCache: class {} }, undefined]) {
    expect(() => taskCache(cache, wrong as never)).toThrow(/langgraph-checkpoint/);
  }
});
