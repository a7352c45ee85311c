// Namespaces as users meet them: key spaces of their own, functions and defaults, one namespace for
// all threads and sessions, clears, versions, statistics and events.

import { describe, expect, test } from "vitest";
import { attachCache, entry, type NamespaceStats } from "../../dist/src/mod.js";
import { attached, setUpThreads } from "./attached.js";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();
setUpThreads();

interface User {
  readonly id: number;
}

const keyOf = ({ id }: User): string => `u${id}`;

test("one key in two namespaces, and in the cache, is three keys", async () => {
  const cache = await open();
  const [a, b] = [cache.namespace<string>("a"), cache.namespace<string>("b")];
  const spaces = [cache, a, b] as const;
  for (const [number, space] of spaces.entries()) space.set("k", `value ${number}`);
  for (let turn = 0; turn < 20; turn++) {
    expect(spaces.map((space) => space.getSync("k"))).toEqual(["value 0", "value 1", "value 2"]);
  }
  expect(a.delete("k")).toBe(true);
  expect(spaces.map((space) => space.has("k"))).toEqual([true, false, true]);
  const bytes = Buffer.from("k");
  expect([b.getSync(bytes), a.getSync(bytes)]).toEqual(["value 2", undefined]);
});

test("values in chunks and asynchronous sets stay in their namespace", async () => {
  const cache = await open({ memory: "8mb" });
  const [a, b] = [cache.namespace<string>("a"), cache.namespace<string>("b")];
  const large = (mark: string): string => mark.repeat(500_000);
  a.set("k", large("a"));
  b.set("k", large("b"));
  expect([a.getSync("k"), b.getSync("k")]).toEqual([large("a"), large("b")]);
  expect(await a.setAsync("j", "x".repeat(100_000))).toBe("stored");
  expect([a.getSync("j")?.length, b.has("j"), cache.has("j")]).toEqual([100_000, false, false]);
  a.delete("k");
  expect([a.has("k"), b.getSync("k")]).toEqual([false, large("b")]);
});

describe("functions of a namespace", () => {
  test("key, tags and load are given what the caller names an entry by", async () => {
    const cache = await open();
    const asked: unknown[] = [];
    const users = cache.namespace<string, User>("users", {
      key: keyOf,
      tags: ({ id }) => [`user:${id}`],
      load: ({ key, tags }) => {
        asked.push(key, tags);
        return `user ${key.id}`;
      },
    });
    const seven = { id: 7 };
    expect(await users.fetch(seven)).toBe("user 7");
    expect(asked).toEqual([seven, ["user:7"]]);
    expect(asked[0]).toBe(seven);
    expect(await users.fetch({ id: 7 })).toBe("user 7");
    expect(asked).toHaveLength(2);
    users.set({ id: 8 }, "eight");
    users.set({ id: 9 }, "nine", { tags: ["own"] });
    expect((await users.getEntry({ id: 8 }))?.tags).toEqual(["user:8"]);
    expect((await users.getEntry({ id: 9 }))?.tags).toEqual(["own"]);
    const found = await users.getMany([seven, { id: 404 }]);
    expect([...found]).toEqual([[seven, "user 7"]]);
    cache.deleteByTag(["user:7", "user:9"]);
    expect([7, 8, 9].map((id) => users.has({ id }))).toEqual([false, true, true]);
    expect(users.deleteMany([{ id: 8 }, { id: 9 }, { id: 10 }])).toBe(2);
  });

  test("a loader of the call goes before the bound one; without either fetch rejects", async () => {
    const cache = await open();
    const bound = cache.namespace<number>("bound", { load: () => 1 });
    expect(await bound.fetch("a", () => 2)).toBe(2);
    expect(await bound.fetch("b", { ttl: "1m" })).toBe(1);
    expect(await bound.fetch("b", { forceRefresh: true })).toBe(1);
    const without = cache.namespace<number>("without");
    expect((await errorOf(() => without.fetch("a"))).message).toContain("option load");
    const wrapped = bound.wrap((id: number) => id * 2, { key: (id) => `n${id}` });
    expect([await wrapped(4), bound.getSync("n4"), cache.has("n4")]).toEqual([8, 8, false]);
  });

  test("loadMany loads what single fetches of one turn, fetchMany and warm miss", async () => {
    const cache = await open();
    const asked: number[][] = [];
    const users = cache.namespace<string, User>("users", {
      key: keyOf,
      loadMany: async ({ keys }) => {
        asked.push(keys.map(({ id }) => id));
        return keys.map((user) => [user, `user ${user.id}`] as const);
      },
    });
    users.set({ id: 1 }, "set");
    const each = [1, 2, 3, 2].map(async (id) => users.fetch({ id }));
    expect(await Promise.all(each)).toEqual(["set", "user 2", "user 3", "user 2"]);
    expect(await users.getOrFetch({ id: 4 })).toBe("user 4");
    const [three, five] = [{ id: 3 }, { id: 5 }];
    expect([...(await users.fetchMany([three, five])).values()]).toEqual(["user 3", "user 5"]);
    const outcome = await users.warm([five, { id: 6 }]);
    expect(outcome).toEqual({ loaded: 1, present: 1, failed: 0, refused: 0 });
    expect(asked).toEqual([[2, 3], [4], [5], [6]]);
  });

  test("revision orders its sets and loads, older ones are outdated", async () => {
    const cache = await open();
    type Block = { readonly revision: number };
    const blocks = cache.namespace<Block>("blocks", { revision: ({ revision }) => revision });
    expect([2, 1, 2, 3].map((revision) => blocks.set("k", { revision }))).toEqual([
      "stored",
      "outdated",
      "stored",
      "stored",
    ]);
    expect(await blocks.setAsync("k", { revision: 1 })).toBe("outdated");
    const load = (): Block => ({ revision: 2 });
    await blocks.fetch("k", load, { forceRefresh: true });
    expect(blocks.getSync("k")).toEqual({ revision: 3 });
    expect(() => blocks.set("k", { revision: -1 })).toThrow(TypeError);
  });

  test("tags of a loaded entry, and a loader's own, go before the namespace's", async () => {
    const cache = await open();
    const users = cache.namespace<string, User>("users", {
      key: keyOf,
      tags: ({ id }) => [`user:${id}`],
      load: () => entry("own", { tags: ["loaded"] }),
    });
    await users.fetch({ id: 1 });
    expect((await users.getEntry({ id: 1 }))?.tags).toEqual(["loaded"]);
  });

  test("ttl and the other defaults are the namespace's, else the cache's", async () => {
    const cache = await open({ ttl: "1h" });
    const short = cache.namespace<number>("short", { ttl: "1m", staleFor: "2m", tags: ["t"] });
    const same = cache.namespace<number>("same");
    short.set("a", 1);
    same.set("a", 1);
    const life = async (space: typeof short): Promise<readonly number[]> => {
      const { createdAt, expiresAt, staleUntil } = (await space.getEntry("a")) as never;
      return [expiresAt - createdAt, staleUntil - expiresAt];
    };
    expect(await life(short)).toEqual([60_000, 120_000]);
    expect(await life(same)).toEqual([3_600_000, 0]);
    expect((await short.getEntry("a"))?.tags).toEqual(["t"]);
  });

  test("a wrong key, option or name is told", async () => {
    const cache = await open();
    const users = cache.namespace<string, User>("users", { key: () => 5 as never });
    expect(() => users.getSync({ id: 1 })).toThrow(TypeError);
    expect(() => cache.namespace("x", { tll: 1 } as never)).toThrow("option tll");
    expect(() => cache.namespace("x", { key: "k" as never })).toThrow("option key");
    expect(() => cache.namespace("x", { disk: "1mb" })).toThrow("the cache has no disk");
    for (const name of ["", "x".repeat(65), "\ud800"]) {
      expect(() => cache.namespace(name)).toThrow(RangeError);
    }
    expect(() => cache.namespace(5 as never)).toThrow(TypeError);
  });
});

describe("one namespace for all", () => {
  test("the same name is the same object in a thread; other options are refused", async () => {
    const cache = await open();
    const options = { ttl: "1m" };
    const users = cache.namespace("users", options);
    expect(cache.namespace("users")).toBe(users);
    expect(cache.namespace("users", options)).toBe(users);
    expect(() => cache.namespace("users", { ttl: "1m" })).toThrow("this thread has it already");
  });

  test("threads share it, with functions of their own; shares and version must agree", async () => {
    const cache = await open();
    const users = cache.namespace<number>("users", { memory: 0.25, version: "1" });
    const other = attachCache(cache.handle());
    expect(() => other.namespace("users", { version: "2" })).toThrow('made with "1"');
    expect(() => other.namespace("users", { memory: 0.5 })).toThrow("option memory");
    const there = other.namespace<number, User>("users", { key: keyOf, memory: 0.25 });
    users.set("u7", 7);
    expect(there.getSync({ id: 7 })).toBe(7);
    there.clear();
    expect(users.has("u7")).toBe(false);
    await other.close();
  });

  test("a load under way in another thread is joined in its namespace only", async () => {
    const cache = await open();
    const thread = attached(cache as never);
    await thread.call("set", "k", "the cache's own");
    expect(await cache.namespace<string>("n").fetch("k", () => "loaded")).toBe("loaded");
    expect(cache.getSync("k")).toBe("the cache's own");
  });

  test("there may be 64; their shares may not exceed the cache", async () => {
    const cache = await open();
    for (let number = 0; number < 64; number++) cache.namespace(`n${number}`).set("k", number);
    for (let number = 0; number < 64; number++) {
      expect(cache.namespace(`n${number}`).getSync("k")).toBe(number);
    }
    expect(() => cache.namespace("one more")).toThrow("at most 64");
    const shared = await open();
    shared.namespace("a", { memory: 0.6 });
    expect(() => shared.namespace("b", { memory: 0.6 })).toThrow("at most 2097152");
    expect(shared.namespace("b", { memory: 0.4 }).stats().memory.shareBytes).toBe(838_860);
  });
});

describe("clear", () => {
  test("of a namespace ends what it has and no more, near values too", async () => {
    const cache = await open();
    const [a, b] = [cache.namespace<number>("a"), cache.namespace<number>("b")];
    for (const space of [cache, a, b]) space.set("k", 1);
    for (let turn = 0; turn < 10; turn++) expect(a.getSync("k")).toBe(1);
    a.clear();
    expect([a.getSync("k"), b.getSync("k"), cache.getSync("k")]).toEqual([undefined, 1, 1]);
    expect(a.stats().memory).toMatchObject({ entries: 0, bytes: 0 });
    expect(cache.stats().memory.entries).toBe(2);
    a.set("k", 2);
    expect(a.getSync("k")).toBe(2);
    cache.clear();
    expect([a.has("k"), b.has("k"), cache.has("k")]).toEqual([false, false, false]);
  });

  test("supersedes loads of the namespace, and no other's", async () => {
    const cache = await open();
    const [a, b] = [cache.namespace<number>("a"), cache.namespace<number>("b")];
    const ends: (() => void)[] = [];
    const later = (value: number) => () =>
      new Promise<number>((resolve) => ends.push(() => resolve(value)));
    const loads = [a.fetch("k", later(1)), b.fetch("k", later(2))];
    while (ends.length < 2) await Promise.resolve();
    a.clear();
    for (const end of ends) end();
    expect(await Promise.all(loads)).toEqual([1, 2]);
    expect([a.has("k"), b.getSync("k")]).toEqual([false, 2]);
    expect(a.stats().fillsSuperseded).toBe(1);
  });
});

describe("after a restart", () => {
  test("names keep their entries, and a clear is remembered", async () => {
    const path = freshPath();
    const first = await open(diskAt(path));
    // In another order than below: the name counts, not when it was asked for.
    for (const name of ["b", "a", "c"]) first.namespace(name).set("k", name);
    await first.flush();
    first.namespace("c").clear();
    await first.close();
    const second = await open(diskAt(path));
    const read = (name: string): Promise<unknown> => second.namespace(name).get("k");
    expect(await Promise.all(["c", "a", "b", "d"].map(read))).toEqual([
      undefined,
      "a",
      "b",
      undefined,
    ]);
    second.namespace("c").set("k", "new");
    await second.close();
    const third = await open(diskAt(path));
    expect(await third.namespace("c").get("k")).toBe("new");
  });

  test.each(["clear", "version"])("a %s just before the close leaves it clean", async (how) => {
    const path = freshPath();
    // The janitor may see the clear before the close or at it.
    for (let life = 0; life < 6; life++) {
      const cache = await open(diskAt(path));
      expect([cache.recovery?.kind, await cache.get("life")]).toEqual(
        life === 0 ? ["new", undefined] : ["clean", life - 1],
      );
      cache.set("life", life);
      const space = cache.namespace("a", how === "version" ? { version: `${life}` } : undefined);
      expect(await space.get(`k${life - 1}`)).toBe(how === "clear" && life > 0 ? life : undefined);
      if (how === "clear") space.clear();
      space.set(`k${life}`, life + 1);
      await cache.close();
    }
  });

  test("a namespace of another version has nothing; the others stay", async () => {
    const path = freshPath();
    const first = await open(diskAt(path));
    first.namespace("a", { version: "1" }).set("k", "old");
    first.namespace("b", { version: "1" }).set("k", "kept");
    await first.close();
    const second = await open(diskAt(path));
    const a = second.namespace("a", { version: "2" });
    expect([await a.get("k"), a.has("k")]).toEqual([undefined, false]);
    expect(await second.namespace("b", { version: "1" }).get("k")).toBe("kept");
    await second.close();
    const third = await open(diskAt(path));
    expect(await third.namespace("b").get("k")).toBeUndefined();
  });

  test("a name that the last session did not ask for gives its id to a new one", async () => {
    const path = freshPath();
    const kept = Array.from({ length: 63 }, (_, number) => `n${number}`);
    const session = async (names: readonly string[], value: string): Promise<unknown[]> => {
      const cache = await open({ ...diskAt(path), memory: "4mb" });
      const found: unknown[] = [];
      for (const name of names) found.push(await cache.namespace(name).get("k"));
      for (const name of names) cache.namespace(name).set("k", `${value} ${name}`);
      expect(() => cache.namespace("one more")).toThrow("those of the last session included");
      await cache.close();
      return found;
    };
    await session([...kept, "old"], "1");
    expect(await session(kept, "2")).toEqual(kept.map((name) => `1 ${name}`));
    // "new" has the id of "old", and nothing of what that stored.
    const third = await session(["new", ...kept], "3");
    expect(third).toEqual([undefined, ...kept.map((name) => `2 ${name}`)]);
    expect(await session(["new", ...kept], "4")).toEqual(
      ["new", ...kept].map((name) => `3 ${name}`),
    );
  });

  test("a cache of another version is empty, and says why", async () => {
    const path = freshPath();
    const first = await open({ ...diskAt(path), version: "one" });
    first.set("k", 1);
    first.namespace("a").set("k", 1);
    await first.close();
    const same = await open({ ...diskAt(path), version: "one" });
    expect([same.recovery?.kind, await same.get("k")]).toEqual(["clean", 1]);
    await same.close();
    const other = await open({ ...diskAt(path), version: "two" });
    expect(other.recovery).toMatchObject({ kind: "cold" });
    expect(other.recovery?.reason).toContain('under version "one"');
    expect([await other.get("k"), await other.namespace("a").get("k")]).toEqual([
      undefined,
      undefined,
    ]);
  });
});

test("statistics of the namespaces add up to the cache's", async () => {
  const cache = await open();
  const a = cache.namespace<number>("a", { load: () => 5 });
  const b = cache.namespace<number>("b");
  const before = cache.stats();
  for (const [turns, space] of [
    [3, cache],
    [5, a],
    [7, b],
  ] as const) {
    for (let turn = 0; turn < turns; turn++) {
      space.set(`k${turn}`, turn);
      space.getSync(`k${turn}`);
      space.getSync("absent");
    }
  }
  await a.fetch("loaded");
  b.delete("k0");
  const stats = cache.stats();
  expect(stats.namespaces.map(({ name }) => name)).toEqual(["", "a", "b"]);
  const sum = (read: (part: NamespaceStats) => number): number =>
    stats.namespaces.reduce((total, part) => total + read(part), 0);
  expect(sum((part) => part.requests)).toBe(stats.requests);
  expect(sum((part) => part.hits.total)).toBe(stats.hits.total);
  expect(sum((part) => part.sets.stored)).toBe(stats.sets.stored);
  expect(sum((part) => part.sets.bytes)).toBe(stats.sets.bytes);
  expect(sum((part) => part.memory.entries)).toBe(stats.memory.entries);
  expect(sum((part) => part.memory.bytes)).toBe(stats.memory.bytes);
  expect(a.stats()).toMatchObject({ name: "a", requests: 11, loads: 1, misses: 6, deletes: 0 });
  expect(b.stats()).toMatchObject({ requests: 14, deletes: 1, memory: { entries: 6 } });
  expect(stats.since(before).namespaces[1]).toMatchObject({ name: "a", requests: 11 });
});

test("events name the namespace", async () => {
  const cache = await open({ memory: "1mb" });
  const seen = new Set<string | undefined>();
  const errors: (string | undefined)[] = [];
  const evicted = new Promise<void>((resolve) => {
    cache.on("evict", ({ namespace }) => {
      seen.add(namespace);
      if (seen.size === 2) resolve();
    });
  });
  cache.on("error", ({ namespace }) => errors.push(namespace));
  const a = cache.namespace<string>("a");
  for (let number = 0; number < 4000; number++) {
    a.set(`k${number}`, "x".repeat(500));
    cache.set(`k${number}`, "x".repeat(500));
  }
  await evicted;
  expect(seen).toEqual(new Set([undefined, "a"]));
  expect(errors).toEqual([]);
});
