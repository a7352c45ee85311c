// Atomic updates: what the function makes of the value is stored only if the entry is still the one
// that it saw.

import { Worker } from "node:worker_threads";

import { describe, expect, test } from "vitest";

import { updateAttemptsMax } from "../../dist/src/entries/writing/entry-updater.js";
import { ManualClock, type Namespace } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

const add = (count: number): number => count + 1;

describe("an update", () => {
  test("stores, deletes or finds nothing", async () => {
    const cache = await open<number>();
    expect(cache.update("k", add)).toBe("absent");
    expect(cache.has("k")).toBe(false);
    cache.set("k", 1);
    expect(cache.update("k", add)).toBe("stored");
    expect(cache.getSync("k")).toBe(2);
    expect(cache.update("k", () => undefined)).toBe("deleted");
    expect(cache.has("k")).toBe(false);
    const { deletes } = cache.stats();
    expect(deletes).toBe(1);
  });

  test("stores `absent` where nothing is, and does not call the function", async () => {
    const cache = await open<number>();
    let calls = 0;
    const counted = (count: number): number => {
      calls += 1;
      return count + 1;
    };
    expect(cache.update("k", counted, { absent: 10 })).toBe("stored");
    expect([cache.getSync("k"), calls]).toEqual([10, 0]);
    expect(cache.update("k", counted, { absent: 10 })).toBe("stored");
    expect([cache.getSync("k"), calls]).toEqual([11, 1]);
  });

  test("takes an expired value, a remembered nothing and a cleared one for absent", async () => {
    const clock = new ManualClock();
    const cache = await open<number>({ clock });
    cache.set("k", 1, { ttl: 10, staleFor: 100 });
    clock.advance(11);
    expect(cache.update("k", add)).toBe("absent");
    expect(cache.update("k", add, { absent: 7 })).toBe("stored");
    expect(cache.getSync("k")).toBe(7);
    await cache.fetch("none", () => undefined, { negativeTtl: "1m" });
    expect(cache.update("none", add)).toBe("absent");
    expect(cache.update("none", add, { absent: 8 })).toBe("stored");
    expect(await cache.fetch("none", () => 0)).toBe(8);
    cache.set("tagged", 1, { tags: ["t"] });
    cache.deleteByTag("t");
    expect(cache.update("tagged", add, { absent: 9 })).toBe("stored");
    cache.clear();
    expect(cache.update("k", add, { absent: 1 })).toBe("stored");
    expect(cache.getSync("k")).toBe(1);
  });

  test("keeps what is left of the ttl, and the tags and the revision", async () => {
    const clock = new ManualClock();
    const cache = await open<number>({ clock });
    cache.set("k", 1, { ttl: 100, staleFor: 50, tags: ["t"], revision: 5 });
    const before = await cache.getEntry("k");
    clock.advance(40);
    cache.update("k", add);
    const after = await cache.getEntry("k");
    expect(after).toMatchObject({
      value: 2,
      expiresAt: before?.expiresAt,
      staleUntil: before?.staleUntil,
      tags: ["t"],
    });
    expect(cache.set("k", 0, { revision: 4 })).toBe("outdated");
    cache.deleteByTag("t");
    expect(cache.has("k")).toBe(false);
    cache.set("forever", 1);
    cache.update("forever", add);
    expect((await cache.getEntry("forever"))?.expiresAt).toBe(Infinity);
  });

  test("changes them if it is told to", async () => {
    const clock = new ManualClock();
    const cache = await open<number>({ clock, ttl: 1000 });
    cache.set("k", 1, { staleFor: 50, tags: ["t"] });
    clock.advance(10);
    cache.update("k", add, { ttl: 200, tags: ["u"] });
    const now = clock.now();
    const first = await cache.getEntry("k");
    expect(first).toMatchObject({ expiresAt: now + 200, staleUntil: now + 250, tags: ["u"] });
    cache.update("k", add, { staleFor: 70 });
    expect((await cache.getEntry("k"))?.staleUntil).toBe(now + 270);
    cache.update("new", add, { absent: 1 });
    expect((await cache.getEntry("new"))?.expiresAt).toBe(now + 1000);
  });

  test("gives the function an object of its own", async () => {
    const cache = await open<{ list: number[] }>();
    cache.set("k", { list: [1] });
    for (let hit = 0; hit < 8; hit++) cache.getSync("k");
    const held = cache.getSync("k");
    expect(
      cache.update("k", (value) => {
        value.list.push(2);
        return value;
      }),
    ).toBe("stored");
    expect(held).toEqual({ list: [1] });
    expect(cache.getSync("k")).toEqual({ list: [1, 2] });
    // What is thrown leaves everything as it was.
    expect(() =>
      cache.update("k", (value) => {
        value.list.push(3);
        throw new Error("on purpose");
      }),
    ).toThrow("on purpose");
    expect(cache.getSync("k")).toEqual({ list: [1, 2] });
  });

  test.each(["set", "delete", "update", "clear"] as const)(
    "computes anew after a %s that came meanwhile",
    async (method) => {
      const cache = await open<number>();
      cache.set("k", 1);
      const seen: number[] = [];
      const outcome = cache.update("k", (count) => {
        seen.push(count);
        if (seen.length === 1) {
          if (method === "set") cache.set("k", 10);
          else if (method === "delete") cache.delete("k");
          else if (method === "clear") cache.clear();
          else cache.update("k", () => 20);
        }
        return count + 1;
      });
      const [after] = [{ set: 11, update: 21, delete: undefined, clear: undefined }[method]];
      expect(cache.getSync("k")).toBe(after);
      expect(outcome).toBe(after === undefined ? "absent" : "stored");
    },
  );

  test("deletes only what the function saw", async () => {
    const cache = await open<number>();
    cache.set("k", 1);
    let calls = 0;
    const outcome = cache.update("k", (count) => {
      calls += 1;
      if (calls === 1) cache.set("k", 10);
      return count === 1 ? undefined : count;
    });
    expect([outcome, calls, cache.getSync("k")]).toEqual(["stored", 2, 10]);
  });

  test("gives up where another write always comes first", async () => {
    const cache = await open<number>();
    cache.set("k", 0);
    let calls = 0;
    const outcome = cache.update("k", () => {
      cache.set("k", ++calls);
      return -1;
    });
    expect([outcome, calls]).toEqual(["contended", updateAttemptsMax]);
    expect(cache.getSync("k")).toBe(updateAttemptsMax);
  });

  test("of what is too large the entry is gone, unless it is another by now", async () => {
    const cache = await open<string>();
    cache.set("k", "small");
    const huge = "x".repeat(2 ** 20);
    let calls = 0;
    expect(
      cache.update("k", (text) => {
        if (calls++ === 0) cache.set("k", "other");
        return text === "small" ? huge : `${text} kept`;
      }),
    ).toBe("stored");
    expect(cache.getSync("k")).toBe("other kept");
    expect(cache.update("k", () => huge)).toBe("too-large");
    expect(cache.has("k")).toBe(false);
  });

  test("supersedes a load under way", async () => {
    const cache = await open<number>();
    let finish: (value: number) => void = () => undefined;
    const loading = cache.fetch("k", () => new Promise<number>((resolve) => (finish = resolve)));
    await new Promise(setImmediate);
    expect(cache.update("k", add, { absent: 5 })).toBe("stored");
    finish(1);
    expect(await loading).toBe(1);
    expect(cache.getSync("k")).toBe(5);
  });

  test("works on values in chunks", async () => {
    const cache = await open<string>({ memory: "4mb" });
    cache.set("k", "x".repeat(200_000), { tags: ["t"] });
    expect(cache.update("k", (text) => `${text}y`)).toBe("stored");
    expect(cache.getSync("k")).toBe(`${"x".repeat(200_000)}y`);
    expect(cache.update("k", (text) => text.slice(-1))).toBe("stored");
    expect(cache.getSync("k")).toBe("y");
  });
});

describe("on disk", () => {
  async function reopened(value: string): Promise<Awaited<ReturnType<typeof open<string>>>> {
    const path = freshPath();
    const first = await open<string>({ ...diskAt(path), memory: "4mb" });
    first.set("k", value, { ttl: "1h", tags: ["t"] });
    await first.close();
    const cache = await open<string>({ ...diskAt(path), memory: "4mb" });
    expect(cache.getSync("k")).toBeUndefined();
    return cache;
  }

  test.each(["small", "x".repeat(200_000)])(
    "is absent, and updateAsync reads it",
    async (value) => {
      const cache = await reopened(value);
      expect(cache.update("k", (text) => `${text}!`, { absent: "nothing" })).toBe("absent");
      expect(await cache.updateAsync("k", (text) => `${text}!`)).toBe("stored");
      expect(cache.getSync("k")).toBe(`${value}!`);
      expect((await cache.getEntry("k"))?.tags).toEqual(["t"]);
      expect(await cache.updateAsync("k", () => undefined)).toBe("deleted");
      expect(await cache.get("k")).toBeUndefined();
    },
  );

  test("updates at once are all done", async () => {
    const cache = await reopened("");
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => cache.updateAsync("k", (text) => `${text}${n},`)),
    );
    expect(new Set(outcomes)).toEqual(new Set(["stored"]));
    const numbers = (await cache.get("k"))?.split(",").filter((text) => text !== "");
    expect(new Set(numbers).size).toBe(20);
  });

  test("updateAsync stores `absent` only where nothing is", async () => {
    const cache = await reopened("there");
    expect(await cache.updateAsync("k", (text) => text, { absent: "nothing" })).toBe("stored");
    expect(cache.getSync("k")).toBe("there");
    expect(await cache.updateAsync("other", (text) => text, { absent: "new" })).toBe("stored");
    expect(cache.getSync("other")).toBe("new");
  });
});

test("of updates in many threads none is lost", async () => {
  const cache = await open<number>({ memory: "4mb" });
  const [threads, rounds, keys] = [3, 4000, 3];
  const url = new URL("updating-thread.mjs", import.meta.url);
  const ended = Array.from({ length: threads }, () => {
    const worker = new Worker(url, { workerData: { handle: cache.handle(), rounds, keys } });
    return new Promise<{ done: number; outcomes: string[] }>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
  });
  let own = 0;
  for (let round = 0; round < rounds; round++) {
    expect(cache.update(`k${round % keys}`, add, { absent: 1 })).toBe("stored");
    own += 1;
    if (round % 100 === 0) await new Promise(setImmediate);
  }
  const reports = await Promise.all(ended);
  for (const { outcomes } of reports) expect(outcomes).toEqual(["stored"]);
  const kept = Array.from({ length: keys }, (_, key) => cache.getSync(`k${key}`) ?? 0);
  const made = reports.reduce((sum, { done }) => sum + done, own);
  expect(kept.reduce((sum, count) => sum + count, 0)).toBe(made);
});

test("what is no function or no option is refused", async () => {
  const cache = await open<number>();
  cache.set("k", 1);
  const call = (...args: unknown[]): unknown =>
    cache.update(...(args as Parameters<typeof cache.update>));
  expect((await errorOf(() => call("k"))).message).toMatch(/"k".*undefined.*must be a function/);
  expect((await errorOf(() => call("k", add, { ttl: 0 }))).message).toContain("ttl");
  expect((await errorOf(() => call("k", add, { revision: 1 }))).message).toMatch(/no such option/);
  expect(await errorOf(() => call(7, add))).toBeInstanceOf(TypeError);
  const promise = await errorOf(() => call("k", async () => 1));
  expect(promise.message).toMatch(/returned a promise/);
  expect(cache.getSync("k")).toBe(1);
  expect(await errorOf(() => cache.updateAsync("k", 1 as never))).toBeInstanceOf(TypeError);
});

test("the function may change its value in every mode of the near cache", async () => {
  for (const mode of ["shared", "frozen", "copy"] as const) {
    const cache = await open<{ lines: string[] }>({ near: { mode }, ...diskAt(freshPath()) });
    const first = { lines: ["a"] };
    cache.set("k", first);
    expect(cache.getSync("k")).toEqual({ lines: ["a"] });
    const before = cache.getSync("k");
    const push = (value: { lines: string[] }) => {
      value.lines.push("b");
      return value;
    };
    expect(cache.update("k", push)).toBe("stored");
    expect(await cache.updateAsync("k", push)).toBe("stored");
    expect(cache.getSync("k")).toEqual({ lines: ["a", "b", "b"] });
    expect([first, before]).toEqual([{ lines: ["a"] }, { lines: ["a"] }]);
    expect(Object.isFrozen(cache.getSync("k")?.lines)).toBe(mode === "frozen");
  }
});

test("`absent` has the revision of what still counts, and of nothing that is over", async () => {
  const clock = new ManualClock();
  const cache = await open<number>({ clock });
  cache.set("over", 1, { revision: 7, ttl: 1000 });
  cache.set("stale", 1, { revision: 7, ttl: 1000, staleFor: 9000 });
  clock.advance(2000);
  for (const key of ["over", "stale"]) {
    expect(cache.update(key, (n) => n + 1, { absent: 5 })).toBe("stored");
  }
  expect(cache.set("over", 2, { revision: 4 })).toBe("stored");
  expect(cache.set("stale", 2, { revision: 4 })).toBe("outdated");
});

describe("after the clear of a namespace, of what is on disk only", () => {
  async function cleared(keys: readonly string[]): Promise<Namespace<number>> {
    const path = freshPath();
    const first = await open<number>(diskAt(path));
    for (const key of keys) first.namespace<number>("n").set(key, 1, { revision: 9 });
    await first.close();
    const cache = await open<number>(diskAt(path));
    const namespace = cache.namespace<number>("n");
    namespace.clear();
    return namespace;
  }

  test("updates find no entry, and store", async () => {
    const namespace = await cleared(["a", "b", "c"]);
    expect(namespace.update("a", add)).toBe("absent");
    expect(namespace.update("a", add, { absent: 5 })).toBe("stored");
    expect(await namespace.updateAsync("b", add, { absent: 6 })).toBe("stored");
    expect([namespace.getSync("a"), namespace.getSync("b")]).toEqual([5, 6]);
  });

  test("an older revision is stored, and a delete finds nothing", async () => {
    const namespace = await cleared(["a", "b", "c"]);
    expect(namespace.set("a", 2, { revision: 1 })).toBe("stored");
    expect(namespace.getSync("a")).toBe(2);
    expect(namespace.delete("b", { revision: 1 })).toBe(false);
    expect(namespace.delete("c")).toBe(false);
  });
});
