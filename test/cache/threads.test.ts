import { setEnvironmentData } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { attachCache, ManualClock } from "../../dist/src/mod.js";
import { attached, setUpThreads, Thread } from "./attached.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "./opened.js";

setUpCaches();
setUpThreads();

function nameOf(value: unknown): unknown {
  return (value as { readonly name?: string } | undefined)?.name;
}

describe("a handle", () => {
  test("travels by workerData, by postMessage and by the environment data", async () => {
    const cache = await open(diskAt(freshPath()));
    cache.set("k", { from: "opener" });
    setEnvironmentData("undercroft-test", cache.handle() as never);
    const posted = new Thread(undefined);
    await posted.call("attach", cache.handle());
    const all = [attached(cache), posted, new Thread({ environmentKey: "undercroft-test" })];
    setEnvironmentData("undercroft-test", undefined);
    for (const thread of all) {
      expect(await thread.call("getSync", "k")).toEqual({ from: "opener" });
      expect(await thread.call("get", "k")).toEqual({ from: "opener" });
      // A handle may be passed on.
      expect(await thread.call("handle")).toMatchObject({ kind: "undercroft-handle" });
    }
  });

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["another object", { kind: "undercroft-map-handle", version: 1 }],
    ["a number", 7],
  ])("that is none (%s) is a TypeError", (_name, handle) => {
    expect(() => attachCache(handle as never)).toThrow(TypeError);
    expect(() => attachCache(handle as never)).toThrow(
      /^Cannot attach to a cache: the handle is .*; it must be what cache\.handle\(\) returned$/,
    );
  });

  test("of another version, or that lost its memory, is told what to do", async () => {
    const cache = await open();
    const handle = cache.handle();
    const { attached } = cache.stats().threads;
    expect(() => attachCache({ ...handle, version: 2 } as never)).toThrow("has version 2; it must");
    const withoutModule = { ...handle, worker: { ...handle.worker, module: {} } };
    for (const lost of [JSON.parse(JSON.stringify(handle)), withoutModule]) {
      expect(() => attachCache(lost as never)).toThrow(TypeError);
      expect(() => attachCache(lost as never)).toThrow(
        "the handle has lost its shared memory, as it does in JSON and in another process; send " +
          "it to a thread of this process by postMessage, workerData or setEnvironmentData",
      );
    }
    expect(cache.stats().threads.attached).toBe(attached);
  });

  test("works only with the cache's codec", async () => {
    const plain = await open();
    const codec = {
      name: "numbers",
      encode: (value: number) => Uint8Array.of(value),
      decode: (bytes: Uint8Array) => bytes[0] as number,
    };
    const custom = await open<number>({ codec });
    custom.set("k", 5);
    expect(attachCache<number>(custom.handle(), { codec }).getSync("k")).toBe(5);
    const wrong: [unknown, unknown, RegExp][] = [
      [custom.handle(), {}, /options\.codec is undefined; .* named "numbers"/],
      [custom.handle(), { codec: { ...codec, name: "n" } }, /one named "n"; .* named "numbers"/],
      [custom.handle(), { codec: { name: "numbers" } }, /"numbers", with encode\(\) and decode/],
      [custom.handle(), { codec: null }, /options\.codec is null/],
      [plain.handle(), { codec }, /must be left out, as the cache was opened with codec "msgpack"/],
      [
        plain.handle(),
        { clock: {} },
        /option clock: there is no such option; allowed are codec, filter/,
      ],
      [plain.handle(), null, /option options: current value is null/],
    ];
    for (let round = 0; round < 20; round++) {
      for (const [handle, options, words] of wrong) {
        expect(() => attachCache(handle as never, options as never)).toThrow(words);
      }
    }
    // None of them took a thread id: there are 64, and the opener and its janitor have one each.
    const rest = Array.from({ length: 62 }, () => attachCache(plain.handle()));
    expect(rest).toHaveLength(62);
  });
});

describe.each([["memory"], ["disk"]])("threads share one cache (%s)", (tier) => {
  // Sets are not refused: these are about threads, which write faster than any disk.
  const disk = () => ({ ...diskAt(freshPath()).disk, whenBehind: "evict" as const });
  const options = () => (tier === "disk" ? { disk: disk() } : {});

  test("all see at once what one writes, deletes or clears", async () => {
    const cache = await open(options());
    const [one, two] = [attached(cache), attached(cache)];
    expect(await one.call("set", "k", { n: 1 }, { tags: ["t"], ttl: "1h" })).toBe("stored");
    expect(cache.getSync("k")).toEqual({ n: 1 });
    expect(await two.call("getSync", "k")).toEqual({ n: 1 });
    expect(await two.call("getEntry", "k")).toMatchObject({ source: "near", tags: ["t"] });
    cache.set("k", { n: 2 });
    // Both threads have the older value near.
    expect(await one.call("getSync", "k")).toEqual({ n: 2 });
    expect(await two.call("get", "k")).toEqual({ n: 2 });
    expect(await two.call("delete", "k")).toBe(true);
    expect(cache.getSync("k")).toBe(undefined);
    expect(await one.call("has", "k")).toBe(false);
    expect(await one.call("setAsync", "large", Buffer.alloc(100_000, 1))).toBe("stored");
    expect(await one.call("fetch", "large", null).catch(() => "refused")).toBe("refused");
    expect((cache.getSync("large") as Buffer).length).toBe(100_000);
    await one.call("clear");
    expect(cache.getSync("large")).toBe(undefined);
    expect(await two.call("getSync", "large")).toBe(undefined);
    // prettier-ignore
    expect(await two.call("setMany", [["a", 1], ["b", 2]])).toEqual(["stored", "stored"]);
    expect([...(await cache.getMany(["a", "b"])).values()]).toEqual([1, 2]);
    expect(await one.call("flush")).toBe(undefined);
  });

  test("a busy thread sees a write without a turn of its event loop", async () => {
    const cache = await open(options());
    cache.set("k", 1);
    const thread = attached(cache);
    expect(await thread.call("getSync", "k")).toBe(1);
    const seen = thread.call("readUntil", "k", 2);
    cache.set("k", 2);
    await seen;
  });

  test("ten threads write and read at once, and no key gets another's value", async () => {
    const cache = await open({ memory: "8mb", ...options() });
    const all = Array.from({ length: 10 }, () => attached(cache));
    const done = all.map((thread, index) => thread.call("writeUntilStopped", `t${index}`));
    await until(() => cache.stats().sets.stored > 20_000);
    await until(() => cache.set("stop", true) === "stored");
    for (const writes of await Promise.all(done)) expect(writes).toBeGreaterThan(0);
    expect(cache.stats().sets.stored).toBeGreaterThan(20_000);
    expect(cache.stats().memory.usedBytes).toBeLessThanOrEqual(cache.stats().memory.limitBytes);
  });

  test("a thread terminated in the middle of its work does not disturb the others", async () => {
    const cache = await open({ memory: "8mb", ...options() });
    const [victim, other] = [attached(cache), attached(cache)];
    const dying = victim.call("writeUntilStopped", "victim");
    const going = other.call("writeUntilStopped", "other");
    await until(() => cache.has("victim-50") && cache.has("other-50"));
    await victim.worker.terminate();
    expect(await dying).toBe("exited with 1");
    const before = cache.stats().sets.stored;
    await until(() => cache.stats().sets.stored > before + 1000);
    // What it wrote is there, unless it was evicted. Once a key is written again, only the new
    // value is read.
    expect(["victim", undefined]).toContain(nameOf(cache.getSync("victim-50")));
    for (let key = 0; key < 100; key++) {
      // It may have died with the lock of a bucket, whose keys are then refused, never read as
      // older values.
      const outcome = cache.set(`victim-${key}`, { name: "heir" });
      expect(["stored", "overloaded"]).toContain(outcome);
      expect(["heir", undefined]).toContain(nameOf(cache.getSync(`victim-${key}`)));
    }
    await until(() => cache.set("stop", true) === "stored");
    expect(await going).toBeGreaterThan(0);
    await cache.flush();
  });
});

describe("close of the opener", () => {
  test("ends the reads, writes and waits of a thread as closed, never with a hang", async () => {
    const cache = await open(diskAt(freshPath()));
    const [busy, idle] = [attached(cache), attached(cache)];
    expect(await idle.call("has", "k")).toBe(false);
    const writing = errorOf(() => busy.call("writeUntilStopped", "busy"));
    const fetching = errorOf(() => idle.call("fetchSlow", "slow"));
    await until(() => cache.has("busy-50"));
    await cache.close();
    expect((await writing).code).toBe("ERR_CACHE_CLOSED");
    const calls: [string, ...unknown[]][] = [
      ...["getSync", "get", "getEntry", "has", "delete"].map((method): [string, string] => [
        method,
        "k",
      ]),
      ["set", "k", 1],
      ["setAsync", "k", 1],
      ...["flush", "stats", "clear", "handle"].map((method): [string] => [method]),
    ];
    for (const [method, ...args] of calls) {
      const error = await errorOf(() => idle.call(method, ...args));
      expect([method, error.code]).toEqual([method, "ERR_CACHE_CLOSED"]);
    }
    // A loader that is under way belongs to the thread: it ends when the thread closes, or by
    // itself.
    expect(await idle.call("close")).toBe(undefined);
    expect((await fetching).code).toBe("ERR_CACHE_CLOSED");
  });

  test("while a thread attaches: it attaches or gets an error", async () => {
    const cache = await open();
    const thread = new Thread(undefined);
    const attaching = thread.call("attach", cache.handle()).then(
      () => "ERR_CACHE_CLOSED",
      (error: { readonly code: unknown }) => error.code,
    );
    await cache.close();
    expect(await attaching).toBe("ERR_CACHE_CLOSED");
    expect((await errorOf(() => thread.call("attach", cache.name))).message).toContain("handle");
  });
});

test("an injected clock is every thread's clock, as of the opener's last reading", async () => {
  const clock = new ManualClock();
  const cache = await open({ clock });
  const thread = attached(cache);
  await thread.call("set", "k", 1, { ttl: 100 });
  expect((await cache.getEntry("k"))?.expiresAt).toBe(clock.now() + 100);
  clock.advance(100);
  expect(cache.getSync("k")).toBe(undefined);
  expect(await thread.call("getSync", "k")).toBe(undefined);
});
