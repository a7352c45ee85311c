// Loaders that wait for themselves: what is refused, in one thread and over several, and what only
// looks like it.

import { execFile } from "node:child_process";
import { tracingChannel } from "node:diagnostics_channel";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { describe, expect, onTestFinished, test } from "vitest";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** Resolves when a ring that began now has been refused: by then older rings are refused too. */
async function ringRefused(cache: Cache): Promise<void> {
  await cache.fetch("ring", () => cache.fetch("ring", never)).catch(() => undefined);
}

function never(): never {
  throw new Error("the loader is not to run");
}

async function expectCycle(fetched: Promise<unknown>, ...keys: string[]): Promise<void> {
  const error = await errorOf(() => fetched);
  expect(error.code).toBe("ERR_LOADER_CYCLE");
  for (const key of keys) expect(error.message).toContain(`"${key}"`);
}

/** A loader of `key` that waits for the loads of the next keys, and so on. */
function chain(cache: Cache, [next, ...others]: readonly string[]): () => Promise<unknown> {
  return async () => (next === undefined ? "end" : cache.fetch(next, chain(cache, others)));
}

describe("a loader that waits for itself", () => {
  test.each([
    ["its own key", ["a", "a"]],
    ["a ring of two", ["a", "b", "a"]],
    ["a ring of five", ["a", "b", "c", "d", "e", "a"]],
    ["a ring that does not begin at once", ["x", "a", "b", "a"]],
  ])("is refused: %s", async (_name, keys) => {
    const cache = await open();
    const ring = keys.slice(keys.indexOf(keys.at(-1) as string));
    await expectCycle(cache.fetch(keys[0] as string, chain(cache, keys.slice(1))), ...ring);
    expect(cache.stats().flights.cycles).toBe(1);
    // Nothing is left of it, once every loader has ended.
    await sleep(0);
    for (const key of keys) expect(await cache.fetch(key, () => "now")).toBe("now");
  });

  const ways: [string, (fetched: Promise<unknown>) => Promise<unknown>][] = [
    ["by await", async (fetched) => await fetched],
    ["by return", (fetched) => fetched],
    ["by then", (fetched) => fetched.then((value) => value)],
    [
      "by catch and await",
      async (fetched) => await fetched.catch((error: Error) => Promise.reject(error)),
    ],
    ["by finally", (fetched) => fetched.finally(() => undefined)],
    ["by Promise.all", (fetched) => Promise.all([fetched, sleep(1)])],
    ["by Promise.race", (fetched) => Promise.race([fetched, new Promise(() => undefined)])],
    [
      "by a promise of its own",
      (fetched) =>
        new Promise((resolve, reject) => {
          fetched.then(resolve, reject);
        }),
    ],
  ];
  test.each(ways)("is refused: %s", async (_name, wait) => {
    const cache = await open();
    await expectCycle(
      cache.fetch("a", () => wait(cache.fetch("a", never))),
      "a",
    );
  });

  test("is refused after a timer, in a callback, in wrap and with forceRefresh", async () => {
    const cache = await open();
    const later = async (): Promise<unknown> => {
      await sleep(5);
      return cache.fetch("later", never);
    };
    const callback = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        setTimeout(() => void cache.fetch("callback", never).then(resolve, reject), 5);
      });
    const wrapped: () => Promise<unknown> = cache.wrap(() => wrapped(), { key: () => "wrapped" });
    const force = (): Promise<unknown> => cache.fetch("force", force, { forceRefresh: true });
    const tags = (): Promise<unknown> => {
      cache.delete("deleted");
      return cache.fetch("deleted", tags);
    };
    await Promise.all([
      expectCycle(cache.fetch("later", later), "later"),
      expectCycle(cache.fetch("callback", callback), "callback"),
      expectCycle(wrapped(), "wrapped"),
      expectCycle(force(), "force"),
      expectCycle(cache.fetch("deleted", tags), "deleted"),
    ]);
  });

  test("is refused among loads that others began and loads that wait for several", async () => {
    const cache = await open();
    const both = (keys: readonly string[]) => async (): Promise<unknown> => {
      await sleep(5);
      return Promise.all(keys.map((key) => cache.fetch(key, never)));
    };
    const free = cache.fetch("free", async () => {
      await sleep(50);
      return 1;
    });
    const all = [
      cache.fetch("a", both(["free", "b"])),
      cache.fetch("b", both(["c", "free"])),
      cache.fetch("c", both(["free", "a"])),
    ];
    await Promise.all(all.map((one) => expectCycle(one)));
    expect(await free).toBe(1);
    expect(cache.stats().flights.cycles).toBe(1);
  });

  test("is refused while loads are traced", async () => {
    const channel = tracingChannel("undercroft:load");
    const subscriber = Object.fromEntries(
      ["start", "end", "asyncStart", "asyncEnd", "error"].map((name) => [name, () => undefined]),
    ) as unknown as Parameters<typeof channel.subscribe>[0];
    channel.subscribe(subscriber);
    onTestFinished(() => {
      channel.unsubscribe(subscriber);
    });
    const cache = await open();
    await expectCycle(
      cache.fetch("a", () => cache.fetch("b", () => cache.fetch("a", never))),
      "a",
      "b",
    );
  });

  test("may take the error for an answer", async () => {
    const cache = await open();
    const value = await cache.fetch("a", () => cache.fetch("a", never).catch(() => "alone"));
    expect([value, cache.getSync("a")]).toEqual(["alone", "alone"]);
  });

  test("is refused over two caches", async () => {
    const [one, two] = [await open({ name: "one" }), await open({ name: "two" })];
    await expectCycle(
      one.fetch("a", () => two.fetch("b", () => one.fetch("a", never))),
      "a",
      "b",
    );
  });
});

describe("loaders of several threads that wait for each other", () => {
  /** Caches of one memory, each of which counts as a thread. */
  async function openThree(): Promise<readonly [Cache, Cache, Cache]> {
    const cache = await open();
    return [cache, attachCache(cache.handle()), attachCache(cache.handle())];
  }

  test("are refused: a loader that fetches its own key by another attachment", async () => {
    const [one, two] = await openThree();
    await expectCycle(
      one.fetch("a", () => two.fetch("a", never)),
      "a",
    );
  });

  test("are refused: a ring of three", async () => {
    const caches = await openThree();
    const keys = ["a", "b", "c"];
    const all = caches.map((cache, index) =>
      cache.fetch(keys[index] as string, async () => {
        await sleep(5);
        return cache.fetch(keys[(index + 1) % 3] as string, never);
      }),
    );
    await Promise.all(all.map((one) => expectCycle(one, "a", "b", "c")));
  });

  test.each([1, 3])("are refused in %i real threads, and the threads go on", async (others) => {
    const cache = await open();
    const keys = Array.from({ length: others + 1 }, (_, key) => `k${key}`);
    const board = new Int32Array(new SharedArrayBuffer(4));
    const workers = keys.slice(1).map((key, index) => {
      const next = keys[(index + 2) % keys.length];
      const workerData = { handle: cache.handle(), key, next, board, threads: keys.length };
      return new Worker(new URL("cycle-thread.mjs", import.meta.url), { workerData });
    });
    const answers = workers.map((worker) => {
      return new Promise((resolve, reject) => {
        worker.once("message", resolve).once("error", reject);
      });
    });
    const own = cache.fetch("k0", async () => {
      Atomics.add(board, 0, 1);
      // Every loader runs before one of them fetches.
      while (Atomics.load(board, 0) < keys.length) await sleep(5);
      return Promise.all([sleep(5), cache.fetch("k1", never)]);
    });
    await expectCycle(own, ...keys);
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatchObject({ code: "ERR_LOADER_CYCLE", after: "now" });
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});

describe("what only looks like a ring is not refused:", () => {
  test("a fetch that a loader starts and does not wait for, however long both take", async () => {
    const cache = await open();
    const started: Promise<unknown>[] = [];
    const load = async (): Promise<number> => {
      started.push(cache.fetch("b", async () => Number(await cache.fetch("a", never)) + 1));
      // Its own key: this fetch joins the load that runs.
      started.push(cache.fetch("a", never));
      void cache.fetch("b", never).catch(() => undefined);
      await ringRefused(cache);
      return 1;
    };
    expect(await cache.fetch("a", load)).toBe(1);
    expect(await Promise.all(started)).toEqual([2, 1]);
    expect(cache.stats().flights.cycles).toBe(1); // that of ringRefused()
  });

  test("a task that a loader starts, if the load does not take long", async () => {
    const cache = await open();
    let task: Promise<unknown> = Promise.resolve();
    const warm = async (): Promise<number> =>
      Number(await cache.fetch("b", async () => Number(await cache.fetch("a", never)) + 1));
    const loaded = cache.fetch("a", async () => {
      task = warm();
      await sleep(20);
      return 1;
    });
    expect([await loaded, await task]).toEqual([1, 2]);
  });

  test("a fetch of the key after its own load has ended", async () => {
    const cache = await open();
    let later: Promise<unknown> = Promise.resolve();
    let loads = 0;
    const load = async (): Promise<number> => {
      loads += 1;
      if (loads === 1) {
        later = sleep(20).then(() => cache.fetch("a", load, { forceRefresh: true }));
      }
      await Promise.resolve();
      return loads;
    };
    expect(await cache.fetch("a", load)).toBe(1);
    expect(await later).toBe(2);
    expect(cache.getSync("a")).toBe(2);
  });

  test("a forced fetch of its own key that a loader starts: it loads after this load", async () => {
    const cache = await open();
    const order: string[] = [];
    let forced: Promise<unknown> = Promise.resolve();
    const loaded = cache.fetch("a", async () => {
      forced = cache.fetch("a", () => order.push("forced"), { forceRefresh: true });
      await sleep(20);
      order.push("first");
      return 0;
    });
    expect([await loaded, await forced]).toEqual([0, 2]);
    expect(order).toEqual(["first", "forced"]);
    expect(cache.getSync("a")).toBe(2);
  });

  test("a stale value that is served while it is loaded anew", async () => {
    const clock = new ManualClock();
    const cache = await open({ clock });
    cache.set("a", "old", { ttl: 10, staleFor: "1h" });
    clock.advance(11);
    const load = async (): Promise<unknown> => {
      // Served at once: the load that runs is its refresh.
      const old = await cache.fetch("a", never, { staleFor: "1h" });
      await ringRefused(cache);
      return `${String(old)}, new`;
    };
    expect(await cache.fetch("a", load, { staleFor: "1h" })).toBe("old");
    await until(() => cache.getSync("a") === "old, new");
    expect(cache.stats().flights.cycles).toBe(1); // that of ringRefused()
  });

  test("loads that wait for one load for long, and ways that meet", async () => {
    const cache = await open();
    const end = async (): Promise<number> => {
      await ringRefused(cache);
      return 1;
    };
    const sum =
      (...keys: string[]) =>
      async (): Promise<number> => {
        const values = await Promise.all(keys.map((key) => cache.fetch(key, end)));
        return values.reduce<number>((total, value) => total + Number(value), 0);
      };
    const left = cache.fetch("left", sum("x", "y"));
    const right = cache.fetch("right", sum("y", "x"));
    expect(await cache.fetch("top", () => Promise.all([left, right]))).toEqual([2, 2]);
  });

  test("a wait that ends by its own signal", async () => {
    const cache = await open();
    const loaded = await cache.fetch("a", async () => {
      const inner = cache.fetch("a", never, { signal: AbortSignal.timeout(20) });
      return inner.catch((error: Error) => error.name);
    });
    expect(loaded).toBe("TimeoutError");
  });
});

describe("what is paid for it", () => {
  /** What a process prints that runs `script` with an open cache. */
  async function printedBy(script: string): Promise<string> {
    const door = JSON.stringify(new URL("../../dist/src/mod.js", import.meta.url).href);
    const text = `
      import { executionAsyncId } from "node:async_hooks";
      import { openCache } from ${door};
      const cache = await openCache({ memory: "1mb" });
      const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      ${script}`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", text],
      { timeout: 30_000 },
    );
    return stdout.trim();
  }

  test("no promise is tracked once no loader runs", async () => {
    // A promise that hooks see has an id where it goes on.
    const script = `
      await cache.fetch("a", async () => sleep(1));
      await Promise.all([1, 2, 3].map((key) => cache.fetch("k" + key, async () => sleep(key))));
      await cache.fetch("sync", () => 1);
      await cache.fetch("fails", () => { throw new Error("no"); }).catch(() => 0);
      await null;
      console.log(executionAsyncId());
      await cache.close();`;
    expect(await printedBy(script)).toBe("0");
  });

  test("a process with nothing else to do lives until its ring is refused", async () => {
    const script = `
      const error = await cache.fetch("a", () => cache.fetch("a", () => 1)).catch((e) => e);
      console.log(error.code);
      await cache.close();`;
    expect(await printedBy(script)).toBe("ERR_LOADER_CYCLE");
  });
});
