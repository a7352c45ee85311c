// disk.whenLocked: a directory that another process has open is waited for, or taken over by a
// cache that began in memory; nothing that this one did meanwhile is undone by what it has.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type Cache,
  type CacheListeners,
  type CacheOptions,
  openCache,
} from "../../dist/src/mod.js";
import { errorOf, freshPath, memory, open, setUpCaches } from "./opened.js";
import { expectMost } from "./most-of.js";
import { Owner } from "./owner-process.js";

setUpCaches();

const diskOf = (path: string, whenLocked: NonNullable<CacheOptions["disk"]>["whenLocked"]) => ({
  disk: { path, capacity: "8mb", preload: false as const, whenLocked: whenLocked ?? "throw" },
});

/** Opens a cache in memory beside an owner; `up` resolves when it has taken the directory over. */
async function beside(
  path: string,
  options: CacheOptions = {},
): Promise<{ cache: Cache; up: Promise<void> }> {
  const cache = await open({ ...diskOf(path, "memory"), ...options });
  const up = new Promise<void>((resolve) => {
    cache.on("tier-up", () => resolve());
  });
  return { cache, up };
}

/** The cache that the directory gives to the next session. */
const reopened = (path: string, options: CacheOptions = {}) =>
  open({ ...diskOf(path, "throw"), ...options });

const keysOf = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}`);

const found = async (cache: Pick<Cache, "get">, keys: readonly string[]) =>
  Promise.all(keys.map((key) => cache.get(key)));

describe("the option", () => {
  test.each([
    ["never", RangeError, /disk\.whenLocked.*"never".*"throw" or "memory".*\{ wait \}/],
    [5, TypeError, /disk\.whenLocked/],
    [{}, TypeError, /disk\.whenLocked\.wait/],
    [{ wait: -1 }, RangeError, /disk\.whenLocked\.wait/],
    [{ wait: "soon" }, RangeError, /disk\.whenLocked\.wait/],
    [{ wait: 5, other: 1 }, RangeError, /disk\.whenLocked.*other/],
  ])("%j is refused", async (whenLocked, kind, text) => {
    const disk = { path: freshPath(), whenLocked: whenLocked as "memory" };
    const error = await errorOf(() => openCache({ memory, disk }));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(text);
  });
});

test("a disk that another cache has keeps its capacity until it is taken over", async () => {
  const path = freshPath();
  const owner = await Owner.start(path);
  const capacity = { now: "8mb", most: "16mb" };
  const { cache, up } = await beside(path, {
    disk: { path, capacity, preload: false, whenLocked: "memory" },
  });
  const error = await errorOf(() => cache.resize({ disk: "16mb" }));
  expect(error).toMatchObject({ code: "ERR_DIRECTORY_LOCKED" });
  expect(error.message).toMatch(/another cache has.*it still takes 8388608/);
  await owner.close();
  await up;
  const sizes = { now: 16 * 2 ** 20, most: 16 * 2 ** 20 };
  expect((await cache.resize({ disk: "16mb" })).disk).toEqual(sizes);
  expect(cache.stats().disk?.limitBytes).toBe(16 * 2 ** 20);
});

describe("{ wait }", () => {
  test("opens the directory once it is free, warm", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    await owner.does({ step: "fill", keys: ["a"], value: "kept" });
    const opening = open(diskOf(path, { wait: "30s" }));
    await owner.close();
    const cache = await opening;
    expect(await cache.get("a")).toBe("kept");
    expect(cache.recovery?.kind).toBe("clean");
  });

  test("opens it after the owner was killed", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    await owner.does({ step: "fill", keys: ["a"], value: "kept" });
    const opening = open(diskOf(path, { wait: Infinity }));
    await owner.kill();
    expect(await (await opening).get("a")).toBe("kept");
  });

  test("rejects when the time is over, and holds nothing", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    const error = await errorOf(() => openCache({ memory, ...diskOf(path, { wait: 20 }) }));
    expect(error.code).toBe("ERR_DIRECTORY_LOCKED");
    await owner.close();
    await reopened(path);
  });
});

describe('"memory"', () => {
  test("begins in memory, says so, and refuses to flush", async () => {
    const path = freshPath();
    await Owner.start(path);
    const told: unknown[] = [];
    const on: CacheListeners = { "tier-down": ({ tier, error }) => told.push([tier, error]) };
    const cache = await open({ ...diskOf(path, "memory"), on });
    expect(told).toEqual([["disk", expect.objectContaining({ code: "ERR_DIRECTORY_LOCKED" })]]);
    expect(cache.recovery).toBeNull();
    expect(cache.set("a", 1)).toBe("stored");
    expect(await cache.get("a")).toBe(1);
    expect((await errorOf(() => cache.flush())).code).toBe("ERR_DIRECTORY_LOCKED");
    expect((await errorOf(() => cache.flush({ fsync: true }))).code).toBe("ERR_DIRECTORY_LOCKED");
  });

  test.each(["close", "kill"] as const)("takes over what the owner left by %s", async (end) => {
    const path = freshPath();
    const owner = await Owner.start(path);
    const keys = keysOf("k", 100);
    await owner.does({ step: "fill", keys, value: "theirs" });
    const { cache, up } = await beside(path);
    cache.set("mine", "new");
    await owner[end]();
    await up;
    expect(cache.recovery).toMatchObject({ kind: "scan", entries: 100 });
    expect(cache.recovery?.reason).toMatch(/^taken over from another cache: /);
    expect(await found(cache, keys)).toEqual(keys.map(() => "theirs"));
    expect(await cache.get("mine")).toBe("new");
    await cache.flush({ fsync: true });
    await cache.close();
    const again = await reopened(path);
    expect(again.recovery?.kind).toBe("clean");
    expect(await found(again, [...keys, "mine"])).toEqual([...keys.map(() => "theirs"), "new"]);
  });

  test("what it set and deleted meanwhile wins, now and after a restart", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    const [set, deleted, kept] = [keysOf("s", 50), keysOf("d", 50), keysOf("k", 50)];
    await owner.does({ step: "fill", keys: [...set, ...deleted, ...kept], value: "theirs" });
    const { cache, up } = await beside(path);
    for (const key of set) cache.set(key, "mine");
    for (const key of deleted) expect(cache.delete(key)).toBe(false);
    await owner.close();
    await up;
    const expected = [
      ...set.map(() => "mine"),
      ...deleted.map(() => undefined),
      ...kept.map(() => "theirs"),
    ];
    const all = [...set, ...deleted, ...kept];
    const values = await found(cache, all);
    expectMost(values, expected);
    await cache.close();
    expect(await found(await reopened(path), all)).toEqual(values);
  });

  test("what left memory again meanwhile is a miss, not the older value", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    const keys = keysOf("k", 300);
    await owner.does({ step: "fill", keys, value: "theirs" });
    const { cache, up } = await beside(path, { eviction: "fifo" });
    for (const key of keys) cache.set(key, "mine");
    for (const key of keysOf("other", 4000)) cache.set(key, "x".repeat(1000));
    expect(keys.some((key) => cache.getSync(key) === undefined)).toBe(true);
    await owner.close();
    await up;
    expect(new Set(await found(cache, keys)).has("theirs")).toBe(false);
  });

  test("a clear and invalidated tags void what the directory has", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    const [tagged, other] = [keysOf("t", 20), keysOf("o", 20)];
    await owner.does({ step: "fill", keys: tagged, value: 1, set: { tags: ["red"] } });
    await owner.does({ step: "fill", keys: other, value: 1, set: { tags: ["blue"] } });
    const { cache, up } = await beside(path);
    cache.set("mine", 2, { tags: ["red"] });
    cache.deleteByTag("red");
    cache.set("mine", 3, { tags: ["red"] });
    await owner.close();
    await up;
    const keys = [...tagged, ...other, "mine"];
    const expected = [...tagged.map(() => undefined), ...other.map(() => 1), 3];
    expect(await found(cache, keys)).toEqual(expected);
    await cache.close();
    const again = await reopened(path);
    expect(await found(again, keys)).toEqual(expected);
    await again.close();

    const second = await Owner.start(path);
    const { cache: cleared, up: upAgain } = await beside(path);
    cleared.clear();
    cleared.set("mine", 4);
    await second.close();
    await upAgain;
    expect(await found(cleared, keys)).toEqual(
      [...tagged, ...other].map(() => undefined).concat([4] as never),
    );
    await cleared.close();
    const last = await reopened(path);
    expect(await found(last, [...other, "mine"])).toEqual([...other.map(() => undefined), 4]);
  });

  test("tags that the owner invalidated stay so", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    await owner.does({ step: "fill", keys: ["a"], value: 1, set: { tags: ["red"] } });
    const { cache, up } = await beside(path);
    await owner.does({ step: "deleteByTag", tag: "red" });
    await owner.does({ step: "fill", keys: ["b"], value: 2, set: { tags: ["red"] } });
    await owner.kill();
    await up;
    expect(await found(cache, ["a", "b"])).toEqual([undefined, 2]);
  });

  test("the newest revision wins, whoever wrote it", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    await owner.does({
      step: "fill",
      keys: ["newer", "dead", "back"],
      value: 9,
      set: { revision: 9 },
    });
    await owner.does({ step: "fill", keys: ["older", "plain"], value: 3, set: { revision: 3 } });
    const { cache, up } = await beside(path);
    expect(cache.set("newer", 5, { revision: 5 })).toBe("stored");
    cache.delete("dead", { revision: 10 });
    cache.delete("back", { revision: 8 });
    expect(cache.set("older", 5, { revision: 5 })).toBe("stored");
    expect(cache.set("plain", 1)).toBe("stored");
    await owner.close();
    await up;
    const keys = ["newer", "dead", "back", "older", "plain"];
    const expected = [9, undefined, 9, 5, 1];
    expect(await found(cache, keys)).toEqual(expected);
    expect(cache.set("older", 4, { revision: 4 })).toBe("outdated");
    expect(cache.set("dead", 9, { revision: 9 })).toBe("outdated");
    await cache.close();
    const again = await reopened(path);
    expect(await found(again, keys)).toEqual(expected);
    expect(again.set("newer", 7, { revision: 7 })).toBe("outdated");
  });

  test("namespaces agree by name, and one that both made apart is not mixed up", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    await owner.does({ step: "fill", keys: ["a", "b"], value: 1, space: "both" });
    await owner.does({ step: "fill", keys: ["a"], value: 1, space: "cleared" });
    const { cache, up } = await beside(path);
    cache.namespace("both").set("b", 2);
    cache.namespace("cleared").clear();
    // Each of the two gives the next id to another name.
    cache.namespace("here").set("a", "here");
    await owner.does({ step: "fill", keys: ["a", "c"], value: "there", space: "there" });
    await owner.does({ step: "fill", keys: ["a", "c"], value: "theirs", space: "here" });
    await owner.close();
    await up;
    const read = async (from: Cache) => [
      ...(await found(from.namespace("both"), ["a", "b"])),
      ...(await found(from.namespace("cleared"), ["a"])),
      ...(await found(from.namespace("here"), ["a", "c"])),
      ...(await found(from.namespace("there"), ["a", "c"])),
    ];
    const expected = [1, 2, undefined, "here", undefined, undefined, undefined];
    expect(await read(cache)).toEqual(expected);
    await cache.close();
    expect(await read(await reopened(path))).toEqual(expected);
  });

  test("objects of the owner's schemas are read as they were written", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    const { cache, up } = await beside(path);
    for (let n = 0; n < 200; n++) cache.set(`p${n}`, { other: n, fields: "x" });
    await owner.does({ step: "objects", count: 30 });
    await owner.close();
    await up;
    for (let n = 0; n < 30; n++) {
      expect(await cache.get(`p${n}`)).toEqual({ other: n, fields: "x" });
    }
    const theirs = Array.from({ length: 30 }, (_, n) => ({ id: n, name: `name ${n}`, round: 39 }));
    expectMost(await found(cache, keysOf("o", 30)), theirs);
  });

  test("another version's directory starts cold", async () => {
    const path = freshPath();
    const owner = await Owner.start(path, { version: "one" });
    await owner.does({ step: "fill", keys: ["a"], value: 1 });
    const { cache, up } = await beside(path, { version: "two" });
    cache.set("b", 2);
    await owner.close();
    await up;
    expect(cache.recovery?.kind).toBe("cold");
    expect(await found(cache, ["a", "b"])).toEqual([undefined, 2]);
    await cache.close();
    expect(await found(await reopened(path, { version: "two" }), ["a", "b"])).toEqual([
      undefined,
      2,
    ]);
  });

  test("attached threads read and write the directory after the take-over", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    await owner.does({ step: "fill", keys: ["a", "b"], value: "theirs" });
    const { cache, up } = await beside(path);
    const source = `
      const { parentPort, workerData } = require("node:worker_threads");
      import(workerData.entry).then(({ attachCache }) => {
        const cache = attachCache(workerData.handle);
        parentPort.on("message", async () => {
          const found = await cache.get("a");
          const deleted = cache.delete("b");
          cache.deleteByTag("red");
          await cache.close();
          parentPort.postMessage([found, deleted]);
          parentPort.close();
        });
        parentPort.postMessage("attached");
      });`;
    const entry = new URL("../../dist/src/mod.js", import.meta.url).href;
    const workerData = { entry, handle: cache.handle() };
    const worker = new Worker(source, { eval: true, workerData });
    onTestFinished(() => void worker.terminate());
    await once(worker, "message");
    await owner.close();
    await up;
    worker.postMessage("go");
    expect(await once(worker, "message")).toEqual([["theirs", true]]);
    expect(await cache.get("b")).toBeUndefined();
  });

  test("writes during the scan win as well", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    const keys = keysOf("k", 3000);
    await owner.does({ step: "fill", keys, value: "theirs" });
    const { cache, up } = await beside(path, { near: false });
    let isUp = false;
    void up.then(() => (isUp = true));
    await owner.kill();
    // One key after the other is deleted, from before the scan until after it.
    const deleted: string[] = [];
    for (const key of keys) {
      if (deleted.length > 1000 && isUp) break;
      cache.delete(key);
      deleted.push(key);
      if (deleted.length % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (deleted.length === 1000) await up;
    }
    await up;
    expect((await found(cache, deleted)).filter((value) => value !== undefined)).toEqual([]);
    await cache.close();
    const again = await reopened(path);
    expect((await found(again, deleted)).filter((value) => value !== undefined)).toEqual([]);
    expect((await found(again, keys)).filter((value) => value === "theirs").length).toBeGreaterThan(
      1000,
    );
  });

  test("closes while it waits, and leaves the owner's directory alone", async () => {
    const path = freshPath();
    const owner = await Owner.start(path);
    await owner.does({ step: "fill", keys: ["a"], value: 1 });
    const { cache } = await beside(path);
    cache.set("a", 2);
    cache.clear();
    await cache.close();
    await owner.close();
    expect(await (await reopened(path)).get("a")).toBe(1);
  });

  test("does not keep the process alive", async () => {
    const path = freshPath();
    await Owner.start(path);
    const entry = new URL("../../dist/src/mod.js", import.meta.url).href;
    const program = `
      const { openCache } = await import(${JSON.stringify(entry)});
      const disk = { path: ${JSON.stringify(path)}, capacity: "8mb", whenLocked: "memory" };
      await openCache({ memory: "2mb", disk });
      process.disconnect();`;
    const url = `data:text/javascript,${encodeURIComponent(program)}`;
    const child = fork(fileURLToPath(new URL("import.mjs", import.meta.url)), [url], {
      execArgv: [],
    });
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
