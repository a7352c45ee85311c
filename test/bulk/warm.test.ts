// warm: what is stored, what is counted, and that it waits rather than lose entries.

import { describe, expect, test } from "vitest";
import { entry, type UndercroftError, type WarmOutcome } from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches } from "../cache/opened.js";
import { never } from "../fetch/loads.js";
import { names, openDisk, scratchDirectory, textOf } from "../disk-log/scratch-cache.js";

setUpCaches();

const none: WarmOutcome = { loaded: 0, present: 0, failed: 0, refused: 0 };

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function* slowly<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await Promise.resolve();
    yield item;
  }
}

describe("pairs", () => {
  test.each<[string, (pairs: [string, number][]) => never]>([
    ["an array", (pairs) => pairs as never],
    ["a Map", (pairs) => new Map(pairs) as never],
    ["an async iterable", (pairs) => slowly(pairs) as never],
  ])("of %s are set", async (_name, sourceOf) => {
    const cache = await open<number>();
    const pairs = names("key", 300).map((key, index): [string, number] => [key, index]);
    cache.set("key-7", -1);
    const outcome = await cache.warm(sourceOf(pairs), { ttl: "1h", tags: ["t"] });
    expect(outcome).toEqual({ ...none, loaded: 300 });
    for (const [key, value] of pairs) expect(cache.getSync(key)).toBe(value);
    const kept = await cache.getEntry("key-1");
    expect(kept?.tags).toEqual(["t"]);
    expect((kept?.expiresAt ?? 0) - (kept?.createdAt ?? 0)).toBe(3_600_000);
  });

  test("may be the entries of another cache, and say how long they live", async () => {
    const [from, to] = [await open<string>(), await open<string>()];
    from.set("a", "A");
    expect(await to.warm(from.entries())).toEqual({ ...none, loaded: 1 });
    expect(to.getSync("a")).toBe("A");
    await to.warm([["b", entry("B", { ttl: 1000 })]], { ttl: 5000 });
    const kept = await to.getEntry("b");
    expect([kept?.value, (kept?.expiresAt ?? 0) - (kept?.createdAt ?? 0)]).toEqual(["B", 1000]);
  });

  test("with ifAbsent leave alone what is there, and what is written meanwhile", async () => {
    const cache = await open<string>();
    cache.set("there", "old");
    const source = slowly<[string, string]>([
      ["there", "new"],
      ["absent", "new"],
    ]);
    expect(await cache.warm(source, { ifAbsent: true })).toEqual({
      ...none,
      loaded: 1,
      present: 1,
    });
    expect([cache.getSync("there"), cache.getSync("absent")]).toEqual(["old", "new"]);
  });

  test("that cannot be stored are counted and told", async () => {
    const cache = await open<unknown>();
    const told: UndercroftError[] = [];
    cache.on("error", ({ error }) => told.push(error));
    const outcome = await cache.warm([
      ["good", 1],
      ["bad", () => 1],
      ["large", "x".repeat(3_000_000)],
    ]);
    expect(outcome).toEqual({ ...none, loaded: 1, failed: 1, refused: 1 });
    expect(told.map(({ code }) => code)).toEqual(["ERR_LOADER"]);
    expect(told[0]?.message).toContain('"bad"');
  });
});

describe("keys with a loader", () => {
  test("are loaded where they are absent", async () => {
    const cache = await open<string>();
    cache.set("there", "T");
    const told: UndercroftError[] = [];
    cache.on("error", ({ error }) => told.push(error));
    const failure = new Error("no source");
    const load = ({ key }: { readonly key: unknown }): string | undefined => {
      if (key === "bad") throw failure;
      return key === "none" ? undefined : `${String(key)}!`;
    };
    const outcome = await cache.warm(["a", "there", "bad", "none", "b"], { load });
    expect(outcome).toEqual({ loaded: 2, present: 1, failed: 2, refused: 0 });
    expect([cache.getSync("a"), cache.getSync("there")]).toEqual(["a!", "T"]);
    expect(told.map(({ code, cause }) => [code, cause])).toEqual([["ERR_LOADER", failure]]);
  });

  test("are loaded anew without ifAbsent, and waited for where they are stale", async () => {
    const cache = await open<string>();
    cache.set("there", "old");
    const load = (): string => "new";
    expect(await cache.warm(["there"], { load, ifAbsent: false })).toEqual({ ...none, loaded: 1 });
    expect(cache.getSync("there")).toBe("new");
    cache.set("stale", "old", { ttl: 1, staleFor: "1h" });
    await expect.poll(() => cache.getSync("stale")).toBe(undefined);
    expect(await cache.warm(["stale"], { load })).toEqual({ ...none, loaded: 1 });
    expect(cache.getSync("stale")).toBe("new");
  });

  test("are loaded a hundred in a call, and no more calls at once than asked for", async () => {
    const cache = await open<number>({ memory: "4mb" });
    cache.set("key-5", 5);
    let [underWay, most] = [0, 0];
    const sizes: number[] = [];
    const outcome = await cache.warm(slowly(names("key", 1050)), {
      concurrency: 3,
      loadMany: async ({ keys }) => {
        sizes.push(keys.length);
        underWay += 1;
        most = Math.max(most, underWay);
        // Until three are under way, and then for as many turns as a fourth would need.
        while (underWay < 3 && sizes.length < 9) await turn();
        for (let n = 0; n < 20; n++) await turn();
        underWay -= 1;
        return keys.map((key) => [key, 1] as const);
      },
    });
    expect(outcome).toEqual({ ...none, loaded: 1049, present: 1 });
    expect(sizes.toSorted((left, right) => left - right)).toEqual([
      50,
      99,
      ...Array.from({ length: 9 }, () => 100),
    ]);
    expect(most).toBe(3);
  });

  test("tell of a failed call once", async () => {
    const cache = await open<number>();
    const told: unknown[] = [];
    cache.on("error", (event) => told.push(event.error.cause));
    const failure = new Error("no source");
    const loadMany = (): never => {
      throw failure;
    };
    const outcome = await cache.warm(names("key", 30), { loadMany });
    expect(outcome).toEqual({ ...none, failed: 30 });
    expect(told).toEqual([failure]);
  });
});

describe("no entry is lost", () => {
  test.each([
    ["set", {}],
    ["stored if absent", { ifAbsent: true }],
    ["loaded", { load: ({ key }: { readonly key: unknown }) => textOf(String(key), 1, 2000) }],
  ])("if they come faster than the disk takes them: %s", async (_name, options) => {
    const { cache } = await openDisk(scratchDirectory(), { capacity: "64mb" });
    const keys = names("key", 10_000);
    function* source(): Generator<never> {
      for (const key of keys)
        yield ("load" in options ? key : [key, textOf(key, 1, 2000)]) as never;
    }
    const outcome = await cache.warm(source(), options as never);
    expect(outcome).toEqual({ ...none, loaded: keys.length });
    await cache.flush();
    const { admissions, sets } = cache.stats();
    expect([admissions.refusedQueue, sets.overloaded]).toEqual([0, 0]);
    const found = await cache.getMany(keys);
    // Two keys of one class cannot both be on disk: one in some thousands.
    expect(found.size).toBeGreaterThan(keys.length * 0.998);
  });
});

describe("how it goes", () => {
  test("progress is told while it runs and at the end", async () => {
    const cache = await open<number>();
    const told: WarmOutcome[] = [];
    const pairs = names("key", 1000).map((key) => [key, 1] as const);
    await cache.warm(pairs, { onProgress: (progress) => told.push(progress) });
    expect(told.length).toBeGreaterThan(10);
    expect(told.at(-1)).toEqual({ ...none, loaded: 1000 });
    const loaded = told.map((progress) => progress.loaded);
    expect(loaded).toEqual(loaded.toSorted((left, right) => left - right));
  });

  test("other work runs meanwhile", async () => {
    const cache = await open<number>({ memory: "8mb" });
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await cache.warm(names("key", 5000).map((key) => [key, 1] as const));
    isOver = true;
    expect(turns).toBeGreaterThan(50);
  });

  test("a signal ends it, and its source", async () => {
    const cache = await open<number>();
    const controller = new AbortController();
    let isReturned = false;
    async function* endless(): AsyncGenerator<[string, number]> {
      try {
        for (let n = 0; ; n++) {
          if (n === 500) controller.abort(new Error("enough"));
          yield [`key-${n}`, n];
        }
      } finally {
        isReturned = true;
      }
    }
    const warming = cache.warm(endless(), { signal: controller.signal });
    expect((await errorOf(() => warming)).message).toBe("enough");
    expect(cache.getSync("key-100")).toBe(100);
    await expect.poll(() => isReturned).toBe(true);
  });

  test("a source that throws, or gives something else, ends it", async () => {
    const cache = await open<number>();
    const failure = new Error("broken");
    function* broken(): Generator<[string, number]> {
      yield ["a", 1];
      throw failure;
    }
    expect(await errorOf(() => cache.warm(broken()))).toBe(failure);
    expect(cache.getSync("a")).toBe(1);
    const wrong = [["b", 1], "c"] as [string, number][];
    const error = await errorOf(() => cache.warm(wrong));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain('item 1 is "c"');
    expect(cache.getSync("b")).toBe(1);
  });

  test("it ends with the cache", async () => {
    const cache = await open<number>();
    async function* closing(): AsyncGenerator<[string, number]> {
      yield ["a", 1];
      await cache.close();
      yield ["b", 1];
    }
    expect((await errorOf(() => cache.warm(closing()))).code).toBe("ERR_CACHE_CLOSED");
  });

  test.each([
    ["source", 7, {}],
    ["source", "key", {}],
    ["source", { a: 1 }, {}],
    ["concurrency", [], { concurrency: 0 }],
    ["concurrency", [], { concurrency: 1.5 }],
    ["ifAbsent", [], { ifAbsent: 1 }],
    ["load", [], { load: 1 }],
    ["loadMany", [], { load: never, loadMany: never }],
    ["forceRefresh", [], { forceRefresh: true }],
    ["ttl", [], { ttl: 0 }],
  ])("a wrong %s is refused: %j %j", async (name, source, options) => {
    const cache = await open<number>();
    expect((await errorOf(() => cache.warm(source as never, options as never))).message).toContain(
      name,
    );
  });
});

describe("in a namespace with a loader of its own", () => {
  test.each(["load", "loadMany"] as const)("pairs are set, keys go to %s", async (kind) => {
    const cache = await open<string>();
    const loaders = {
      load: { load: ({ key }: { readonly key: number }) => `loaded ${key}` },
      loadMany: {
        loadMany: ({ keys }: { readonly keys: readonly number[] }) =>
          keys.map((key) => [key, `loaded ${key}`] as const),
      },
    };
    const space = cache.namespace<string, number>("n", {
      key: (id) => `k${id}`,
      ...loaders[kind],
    });
    space.set(1, "old");
    space.set(2, "old");
    expect(await space.warm([[1, "given"], 2, 3])).toEqual({ ...none, loaded: 2, present: 1 });
    expect([1, 2, 3].map((id) => space.getSync(id))).toEqual(["given", "old", "loaded 3"]);
    const absent = await space.warm(new Map([[3, "x"]]).set(4, "given"), { ifAbsent: true });
    expect(absent).toEqual({ ...none, loaded: 1, present: 1 });
    expect([3, 4].map((id) => space.getSync(id))).toEqual(["loaded 3", "given"]);
    expect(await space.warm([2], { ifAbsent: false })).toEqual({ ...none, loaded: 1 });
    expect(space.getSync(2)).toBe("loaded 2");
  });

  test("a loader that the call gives takes arrays of two for keys", async () => {
    const cache = await open<string>();
    const space = cache.namespace<string, readonly [string, number]>("n", {
      key: ([kind, id]) => `${kind}:${id}`,
      load: () => "bound",
    });
    const load = ({ key: [kind] }: { readonly key: readonly [string, number] }): string => kind;
    expect(await space.warm([["agent", 7]], { load })).toEqual({ ...none, loaded: 1 });
    expect(space.getSync(["agent", 7])).toBe("agent");
  });
});
