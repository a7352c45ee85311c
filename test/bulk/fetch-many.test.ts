// fetchMany: one flight a key, one call of the loader for what nobody else loads.

import { Worker } from "node:worker_threads";
import { describe, expect, expectTypeOf, test } from "vitest";
import {
  attachCache,
  entry,
  type LoadManyContext,
  ManualClock,
  unchanged,
} from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches, until } from "../cache/opened.js";
import { Loads, never } from "../fetch/loads.js";
import { names, openDisk, scratchDirectory, setAll } from "../disk-log/scratch-cache.js";

setUpCaches();

/** A loader of many keys that answers each key's length, and the keys of its calls. */
function counting() {
  const calls: (readonly unknown[])[] = [];
  const load = async ({ keys }: LoadManyContext) => {
    calls.push(keys);
    return new Map(keys.map((key) => [key, String(key).length]));
  };
  return { calls, load };
}

describe("what is loaded", () => {
  test("one call loads what is missing, each key once", async () => {
    const cache = await open<number>();
    cache.set("here", 1);
    const { calls, load } = counting();
    const found = await cache.fetchMany(["b", "here", "ccc", "b"], load);
    expect(found).toEqual(
      new Map([
        ["b", 1],
        ["here", 1],
        ["ccc", 3],
      ]),
    );
    expect([...found.keys()]).toEqual(["b", "here", "ccc"]);
    expect(calls).toEqual([["b", "ccc"]]);
    expect(cache.getSync("ccc")).toBe(3);
    const { hits, misses, loads } = cache.stats();
    expect([hits.total + misses, loads]).toEqual([5, 2]);
  });

  test("what is left out has no value, and that is remembered", async () => {
    const cache = await open<string>();
    const calls: unknown[] = [];
    const load = ({ keys }: LoadManyContext): [string, string | undefined][] => {
      calls.push(keys);
      return [
        ["a", "A"],
        ["c", undefined],
        ["not asked for", "N"],
      ];
    };
    const options = { negativeTtl: "1h" };
    for (let turn = 0; turn < 2; turn++) {
      expect(await cache.fetchMany(["a", "b", "c"], load, options)).toEqual(new Map([["a", "A"]]));
    }
    expect(calls).toEqual([["a", "b", "c"]]);
    expect(cache.has("not asked for")).toBe(false);
  });

  test("a key that another fetch loads is not asked for, in any thread", async () => {
    const cache = await open<unknown>();
    const other = attachCache<unknown>(cache.handle());
    const loads = new Loads();
    const own = cache.fetch("own", loads.loader);
    const others = other.fetch("other's", loads.loader);
    await until(() => loads.count === 2);
    const { calls, load } = counting();
    const many = cache.fetchMany(["own", "new", "other's"], load);
    await until(() => calls.length === 1);
    loads.finish("O", 0);
    loads.finish("T", 1);
    expect(await many).toEqual(
      new Map<string, unknown>([
        ["own", "O"],
        ["new", 3],
        ["other's", "T"],
      ]),
    );
    expect(calls).toEqual([["new"]]);
    expect([await own, await others]).toEqual(["O", "T"]);
    await other.close();
  });

  test("another thread's fetch of a key waits for the call", async () => {
    const cache = await open<unknown>();
    const other = attachCache<unknown>(cache.handle());
    const loads = new Loads();
    const many = cache.fetchMany(["a", "b"], loads.loader as never);
    await until(() => loads.count === 1);
    const waiting = other.fetch("b", never);
    await until(() => cache.stats().flights.coalescedAcross === 1);
    loads.finish([["b", "B"]]);
    expect(await waiting).toBe("B");
    expect(await many).toEqual(new Map([["b", "B"]]));
    await other.close();
  });

  test("bytes are keys of their own kind, and copies", async () => {
    const cache = await open<string>();
    const bytes = new Uint8Array([0xff, 1]);
    const found = await cache.fetchMany([bytes, "b"], ({ keys }) =>
      keys.map((key) => [key, String(key)] as const),
    );
    expect(found.get(bytes)).toBe("255,1");
    expect(cache.getSync(new Uint8Array([0xff, 1]))).toBe("255,1");
  });

  test("more keys than flights are loaded and kept", async () => {
    const cache = await open<number>({ memory: "4mb" });
    const { calls, load } = counting();
    const keys = names("key", 3000);
    expect((await cache.fetchMany(keys, load)).size).toBe(3000);
    expect(calls.flat().map(String).toSorted()).toEqual(keys.toSorted());
    expect(calls.length).toBeLessThan(10);
    expect(cache.stats().fillsRefused).toBe(0);
    for (const key of keys) expect(cache.getSync(key)).toBe(key.length);
  });

  test("reads of the disk that find nothing fresh do not split the call", async () => {
    const clock = new ManualClock(1e12);
    const { cache } = await openDisk(scratchDirectory(), { eviction: "fifo", clock });
    const expiring = names("key", 300);
    await setAll(cache, expiring, { ttl: 3_600_000 });
    await setAll(cache, names("other", 900));
    const onDisk = expiring.filter((key) => cache.getSync(key) === undefined);
    expect(onDisk.length).toBeGreaterThan(100);
    clock.advance(3_600_001);
    const calls: number[] = [];
    const found = await cache.fetchMany([...names("absent", 20), ...onDisk], ({ keys }) => {
      calls.push(keys.length);
      return keys.map((key) => [key, "new"] as const);
    });
    expect(found.size).toBe(20 + onDisk.length);
    expect(calls).toEqual([20 + onDisk.length]);
  });

  test("an answer may say how long it lives", async () => {
    const cache = await open<string>();
    const both = await cache.fetchMany(
      ["a", "b"],
      () =>
        new Map([
          ["a", entry("A", { ttl: 1000, tags: ["t"] })],
          ["b", entry("B", { ttl: 5000 })],
        ]),
    );
    expectTypeOf(both).toEqualTypeOf<Map<string | Uint8Array, string>>();
    const [a, b] = [await cache.getEntry("a"), await cache.getEntry("b")];
    expect([a?.tags, (a?.expiresAt ?? 0) - (a?.createdAt ?? 0)]).toEqual([["t"], 1000]);
    expect((b?.expiresAt ?? 0) - (b?.createdAt ?? 0)).toBe(5000);
  });
});

describe("what fails", () => {
  test("an error reaches all that wait for its keys, and nothing else", async () => {
    const cache = await open<string>();
    const failure = new Error("no source");
    const loads = new Loads();
    const many = cache.fetchMany(["a", "b"], loads.loader as never);
    await until(() => loads.count === 1);
    const joined = cache.fetch("b", never);
    const apart = cache.fetch("c", () => "C");
    loads.fail(failure);
    expect(await errorOf(() => many)).toBe(failure);
    expect(await errorOf(() => joined)).toBe(failure);
    expect(await apart).toBe("C");
    expect(await cache.fetchMany(["a"], () => [["a", "A"]])).toEqual(new Map([["a", "A"]]));
  });

  test("a value that cannot be stored fails its own key only", async () => {
    const cache = await open<unknown>();
    const loads = new Loads();
    const many = cache.fetchMany(["bad", "good"], loads.loader as never);
    await until(() => loads.count === 1);
    const good = cache.fetch("good", never);
    loads.finish([
      ["bad", () => 1],
      ["good", 1],
    ]);
    expect((await errorOf(() => many)).message).toContain('"bad"');
    expect(await good).toBe(1);
    expect(cache.getSync("good")).toBe(1);
  });

  test.each([
    ["undefined", undefined],
    ["a string", "ab"],
    ["an object", { a: 1 }],
    ["items that are no pairs", ["a"]],
    ["a key that is none", [[7, 1]]],
  ])("a loader that gives %s is told what it must give", async (_name, answer) => {
    const cache = await open<unknown>();
    const error = await errorOf(() => cache.fetchMany(["a"], (() => answer) as never));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toMatch(/must (give|be)/);
  });

  test("wrong calls are refused", async () => {
    const cache = await open<string>();
    const refused = [
      () => cache.fetchMany("a" as never, never),
      () => cache.fetchMany(["a"], undefined as never),
      () => cache.fetchMany(["a", ""], never),
      () => cache.fetchMany(["a"], never, { ttl: 0 }),
    ];
    for (const call of refused) {
      expect((await errorOf(call)).message).toMatch(/^Cannot (use|fetch)/);
    }
  });

  test("the loader's signal aborts when nobody wants any of its keys any more", async () => {
    const cache = await open<unknown>();
    const loads = new Loads();
    const controller = new AbortController();
    const { signal } = controller;
    const many = cache.fetchMany(["a", "b"], loads.loader as never, { signal });
    await until(() => loads.count === 1);
    const leaving = new AbortController();
    const joined = cache.fetch("b", never, { signal: leaving.signal });
    const [loading] = loads.signals as [AbortSignal];
    controller.abort(new Error("enough"));
    expect((await errorOf(() => many)).message).toBe("enough");
    expect(loading.aborted).toBe(false);
    leaving.abort(new Error("left"));
    expect((await errorOf(() => joined)).message).toBe("left");
    expect(loading.aborted).toBe(true);
    expect(loading.reason).toBe(leaving.signal.reason);
  });
});

describe("a loader of many keys that waits for itself", () => {
  test.each(["a", "b", "c"])("is refused: it fetches its key %s", async (key) => {
    const cache = await open<unknown>();
    const many = cache.fetchMany(["a", "b", "c"], async () => {
      await cache.fetch(key, never);
      return [];
    });
    const error = await errorOf(() => many);
    expect(error.code).toBe("ERR_LOADER_CYCLE");
    expect(error.message).toContain(`"${key}"`);
  });

  test("is refused when the ring goes over other loads and threads", async () => {
    const cache = await open<unknown>();
    const other = attachCache<unknown>(cache.handle());
    const many = cache.fetchMany(["a", "b"], async () => {
      const far = await other.fetch("x", () => cache.fetch("b", never));
      return [["a", far] as const];
    });
    expect((await errorOf(() => many)).code).toBe("ERR_LOADER_CYCLE");
    // Nothing is left of it.
    expect(await other.fetch("b", () => "now")).toBe("now");
    await other.close();
  });

  test("is refused when another real thread waits for one of its keys", async () => {
    const cache = await open<unknown>();
    const board = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { handle: cache.handle(), key: "x", next: "b", board, threads: 2 };
    const file = new URL("../fetch/cycle-thread.mjs", import.meta.url);
    const worker = new Worker(file, { workerData });
    const answer = new Promise((resolve, reject) => {
      worker.once("message", resolve).once("error", reject);
    });
    // Begins once the thread loads "x".
    await until(() => Atomics.load(board, 0) === 1);
    const many = cache.fetchMany(["a", "b"], async () => {
      Atomics.add(board, 0, 1);
      await cache.fetch("x", never);
      return [];
    });
    expect((await errorOf(() => many)).code).toBe("ERR_LOADER_CYCLE");
    expect(await answer).toMatchObject({ code: "ERR_LOADER_CYCLE", after: "now" });
    await worker.terminate();
  });

  test("is not, if it waits for other keys only", async () => {
    const cache = await open<unknown>();
    const many = await cache.fetchMany(["a", "b"], async ({ keys }) => {
      const base = await cache.fetchMany(["c", "d"], (inner) =>
        inner.keys.map((key) => [key, `${String(key)}!`] as const),
      );
      return keys.map((key) => [key, [...base.values()].join("")] as const);
    });
    expect([...many.values()]).toEqual(["c!d!", "c!d!"]);
  });
});

describe("in a namespace", () => {
  test("loaders are given what callers name entries by, and answer by it", async () => {
    const cache = await open();
    const users = cache.namespace<string, { readonly id: number }>("users", {
      key: ({ id }) => `u${id}`,
      tags: ({ id }) => [`user:${id}`],
    });
    cache.set("u1", "not a user");
    users.set({ id: 2 }, "Ada");
    const wanted = [{ id: 1 }, { id: 2 }, { id: 3 }];
    const calls: unknown[] = [];
    const found = await users.fetchMany(wanted, ({ keys }) => {
      calls.push(keys);
      return keys.map((key) => [{ id: key.id }, `user ${key.id}`] as const);
    });
    expect(calls).toEqual([[{ id: 1 }, { id: 3 }]]);
    expect([...found]).toEqual([
      [wanted[0], "user 1"],
      [wanted[1], "Ada"],
      [wanted[2], "user 3"],
    ]);
    cache.deleteByTag("user:3");
    expect([...(await users.getMany(wanted)).values()]).toEqual(["user 1", "Ada"]);
    expect(cache.getSync("u1")).toBe("not a user");
  });

  test("its own loader loads what no call brings one for", async () => {
    const cache = await open();
    const users = cache.namespace<string, number>("users", {
      key: (id) => `u${id}`,
      load: ({ key }) => `user ${key}`,
    });
    expect(await users.fetchMany([1, 2])).toEqual(
      new Map([
        [1, "user 1"],
        [2, "user 2"],
      ]),
    );
    expect(await users.warm([2, 3])).toEqual({ loaded: 1, present: 1, failed: 0, refused: 0 });
    const bare = cache.namespace<string, string>("bare");
    expect(await errorOf(() => bare.fetchMany(["a"]))).toBeInstanceOf(TypeError);
  });
});

test("values that are not valid are loaded anew, and an unchanged one is renewed", async () => {
  const cache = await open<{ readonly version: number }>();
  for (const key of ["a", "b", "c"]) cache.set(key, { version: key === "c" ? 2 : 1 });
  const calls: unknown[] = [];
  const found = await cache.fetchMany(
    ["a", "b", "c"],
    ({ keys }) => {
      calls.push(keys);
      return [
        ["a", { version: 2 }],
        ["b", { version: 2 }],
      ];
    },
    { isValid: ({ version }) => version === 2 },
  );
  expect(calls).toEqual([["a", "b"]]);
  expect([...found.values()]).toEqual([{ version: 2 }, { version: 2 }, { version: 2 }]);
  const renewed = await cache.fetchMany(["a"], () => [["a", unchanged]], { forceRefresh: true });
  expect(renewed).toEqual(new Map([["a", { version: 2 }]]));
});
