import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { attachCache, type Cache, UndercroftError } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, held, open, setUpCaches, until } from "./opened.js";

setUpCaches();

/** Every method, with arguments that an open cache accepts; empty lists too. */
function calls(cache: Cache): Record<"sync" | "async", (() => unknown)[]> {
  return {
    sync: [
      () => cache.getSync("k"),
      () => cache.getSync("near"),
      () => cache.has("k"),
      () => cache.set("k", 1),
      () => cache.setMany([["k", 1]]),
      () => cache.setMany([]),
      () => cache.delete("k"),
      () => cache.deleteMany(["k"]),
      () => cache.deleteMany([]),
      () => cache.clear(),
      () => cache.wrap(() => 1, { key: () => "k" }),
      () => cache.stats(),
      () => cache.handle(),
      () => cache.on("evict", () => {}),
      () => attachCache(cache.handle()),
    ],
    async: [
      () => cache.get("k"),
      () => cache.get("near"),
      () => cache.get("k", {}),
      () => cache.get("k", { signal: new AbortController().signal }),
      () => cache.getMany(["k"]),
      () => cache.getMany([]),
      () => cache.getEntry("near"),
      () => cache.setAsync("k", 1),
      () => cache.fetch("near", () => 1),
      () => cache.fetch("k", () => 1, { forceRefresh: true }),
      () => cache.flush(),
      () => cache.flush({ fsync: true }),
    ],
  };
}

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error(`${call.toString()} did not throw`);
}

async function expectClosed(cache: Cache): Promise<void> {
  const { sync, async } = calls(cache);
  for (const call of sync) {
    // Synchronous methods throw; they return no promise.
    const error = thrownBy(call);
    expect(error).toBeInstanceOf(UndercroftError);
    const { code } = error as UndercroftError;
    expect(`${call.toString()}: ${code}`).toBe(`${call.toString()}: ERR_CACHE_CLOSED`);
  }
  for (const call of async) {
    // Asynchronous methods reject; they never throw.
    const promise = call() as Promise<unknown>;
    expect(promise).toBeInstanceOf(Promise);
    const error = await errorOf(() => promise);
    expect(`${call.toString()}: ${error.code}`).toBe(`${call.toString()}: ERR_CACHE_CLOSED`);
    expect(error.message).toBe('Cannot use cache "shop": it is closed');
  }
}

describe.each([["memory"], ["disk"]])("after close (%s)", (tier) => {
  const options = () => ({ name: "shop", ...(tier === "disk" ? diskAt(freshPath()) : {}) });

  test("every method fails with ERR_CACHE_CLOSED", async () => {
    const cache = await open(options());
    cache.set("near", 1);
    cache.getSync("near");
    const wrapped = cache.wrap(() => 1, { key: () => "k" });
    await cache.close();
    await expectClosed(cache);
    expect((await errorOf(() => wrapped())).code).toBe("ERR_CACHE_CLOSED");
    expect(cache.name).toBe("shop");
    cache.off("evict", () => {});
  });

  test("methods fail from the moment that close is called", async () => {
    const cache = await open(options());
    cache.set("near", 1);
    const closed = cache.close();
    expect(() => cache.getSync("near")).toThrow(UndercroftError);
    await expectClosed(cache);
    await closed;
  });

  test("closing again does nothing, at once, later and by await using", async () => {
    const cache = await open(options());
    const first = cache.close();
    expect(cache.close()).toBe(first);
    await first;
    await cache.close();
    await cache[Symbol.asyncDispose]();
    await expectClosed(cache);
  });

  test("operations under way end with their value or as closed", async () => {
    const cache = await open(options());
    cache.set("k", "v");
    await cache.flush();
    let aborted: unknown = "not begun";
    const loading = cache.fetch("slow", ({ signal }) => {
      aborted = "not aborted";
      signal.addEventListener("abort", () => {
        aborted = signal.reason;
      });
      return new Promise<never>(() => {});
    });
    await until(() => aborted !== "not begun");
    const pending = [
      loading,
      cache.get("none"),
      cache.getMany(["k", "none"]),
      cache.setAsync("large", "x".repeat(200_000)),
      cache.flush(),
    ];
    const closed = cache.close();
    const settled = await Promise.allSettled(pending);
    expect(settled[0]).toMatchObject({ reason: { code: "ERR_CACHE_CLOSED" } });
    expect(aborted).toMatchObject({ code: "ERR_CACHE_CLOSED" });
    const codes = settled.map((result) =>
      result.status === "rejected" ? (result.reason as UndercroftError).code : "ERR_CACHE_CLOSED",
    );
    expect(new Set(codes)).toEqual(new Set(["ERR_CACHE_CLOSED"]));
    await closed;
  });

  test("no thread and no descriptor is left", async () => {
    // The first one loads modules that stay.
    await (await open(options())).close();
    const before = held();
    const cache = await open(options());
    await cache.setAsync("k", "x".repeat(100_000));
    expect(held().threads).toBeGreaterThan(before.threads - (process.platform === "linux" ? 0 : 1));
    await cache.close();
    await until(() => held().threads <= before.threads);
    await until(() => held().descriptors <= before.descriptors);
  });
});

test("await using closes the cache", async () => {
  const path = freshPath();
  let kept: Cache;
  {
    await using cache = await open(diskAt(path));
    cache.set("k", 1);
    kept = cache;
  }
  expect(() => kept.getSync("k")).toThrow(UndercroftError);
  expect(existsSync(path)).toBe(true);
  const again = await open(diskAt(path));
  expect(await again.get("k")).toBe(1);
});

test("an event listener may close the cache", async () => {
  const cache = await open(diskAt(freshPath()));
  let closed: Promise<void> | undefined;
  cache.on("recovered", () => {
    closed = cache.close();
  });
  await until(() => closed !== undefined);
  await closed;
  await expectClosedQuietly(cache);
});

async function expectClosedQuietly(cache: Cache): Promise<void> {
  expect((await errorOf(() => cache.get("k"))).code).toBe("ERR_CACHE_CLOSED");
}

describe("attached caches", () => {
  test("close without closing the opener", async () => {
    const opener = await open({ name: "shop" });
    const attached = attachCache(opener.handle());
    attached.set("k", 1);
    await attached.close();
    await attached.close();
    await expectClosed(attached);
    expect(opener.getSync("k")).toBe(1);
  });

  test("are closed with the opener", async () => {
    const opener = await open({ name: "shop", ...diskAt(freshPath()) });
    const handle = opener.handle();
    const attached = attachCache(handle);
    attached.set("near", 1);
    attached.getSync("near");
    const flushing = attached.flush();
    await Promise.allSettled([flushing, opener.close()]);
    await expectClosed(attached);
    await attached.close();
    expect(() => attachCache(handle)).toThrow(UndercroftError);
    expect((await errorOf(() => attachCache(handle))).code).toBe("ERR_CACHE_CLOSED");
  });

  test("give their thread id back, so that a thread may attach any number of times", async () => {
    const opener = await open();
    for (let round = 0; round < 200; round++) {
      const attached = attachCache<number>(opener.handle());
      attached.set(`k${round}`, round);
      await attached.close();
    }
    expect(opener.getSync("k199")).toBe(199);
    const all = Array.from({ length: 63 }, () => attachCache(opener.handle()));
    expect((await errorOf(() => attachCache(opener.handle()))).code).toBe("ERR_TOO_MANY_THREADS");
    await Promise.all(all.map((attached) => attached.close()));
    attachCache(opener.handle()).set("k", 1);
    expect(opener.getSync("k")).toBe(1);
  });
});
