// The handler of `cacheHandlers`, by the contract in Next's types and documentation.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { type Cache, openCache } from "../../dist/src/mod.js";
import { nextCacheHandler } from "../../dist/src/next/mod.js";

type Handler = ReturnType<typeof nextCacheHandler>;
type Entry = Awaited<Parameters<Handler["set"]>[1]>;
type Found = Awaited<ReturnType<Handler["get"]>>;

let cache: Cache;
let handler: Handler;
/** What the host's clock is ahead of the real one. */
let ahead = 0;

beforeEach(async () => {
  ahead = 0;
  const real = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => real() + ahead);
  cache = await openCache({ memory: "16mb" });
  handler = nextCacheHandler(cache);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await cache.close();
});

const now = (): number => performance.timeOrigin + performance.now();

function streamed(...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const bytes = chunks.map((chunk) => Buffer.from(chunk));
  return new ReadableStream({
    pull(controller) {
      const chunk = bytes.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(new Uint8Array(chunk));
    },
  });
}

const entryOf = (text: string, part: Partial<Entry> = {}): Entry => ({
  value: streamed(text),
  tags: [],
  stale: 30,
  timestamp: now(),
  expire: 3600,
  revalidate: 60,
  ...part,
});

const put = (key: string, text: string, part: Partial<Entry> = {}, to = handler): Promise<void> =>
  to.set(key, Promise.resolve(entryOf(text, part)));

async function textOf(found: Found): Promise<string | undefined> {
  return found && (await new Response(found.value).text());
}

const textFor = async (key: string, softTags: string[] = [], of = handler) =>
  textOf(await of.get(key, softTags));

describe("an entry", () => {
  test("comes back as it was given, with a stream of its own for each reader", async () => {
    const given = { tags: ["a", "b"], timestamp: now(), stale: 1, expire: 3000, revalidate: 2 };
    const value = streamed("hel", Buffer.alloc(200_000, "l"), "o");
    await handler.set("key", Promise.resolve({ ...given, value }));
    const [first, second] = await Promise.all([handler.get("key", []), handler.get("key", [])]);
    const { value: _, ...rest } = first as Entry;
    expect({ ...rest, timestamp: 0 }).toEqual({ ...given, timestamp: 0 });
    expect(rest.timestamp).toBeCloseTo(given.timestamp, 2);
    const text = `hel${"l".repeat(200_000)}o`;
    expect(await textOf(first)).toBe(text);
    expect(await textOf(second)).toBe(text);
    // A reader may do with its chunks and tags what it wants.
    const third = (await handler.get("key", [])) as Entry;
    third.tags.push("c");
    for await (const chunk of third.value) {
      expect(chunk.byteLength).toBeLessThanOrEqual(65_536);
      chunk.fill(0);
      structuredClone(chunk, { transfer: [chunk.buffer as ArrayBuffer] });
    }
    expect((await handler.get("key", []))?.tags).toEqual(["a", "b"]);
    expect(await textFor("key")).toBe(text);
  });

  test("is found under its key only, however long and odd that is", async () => {
    const keys = ["a", "", "#", "\ud800", "\ud801", "x".repeat(100_000), "x".repeat(100_001)];
    for (const key of keys) await put(key, `value of ${key.length} ${escape(key.slice(0, 9))}`);
    for (const key of keys) {
      expect(await textFor(key)).toBe(`value of ${key.length} ${escape(key.slice(0, 9))}`);
    }
    expect(await textFor("x".repeat(100_002))).toBeUndefined();
  });

  test("may be empty, past its revalidate time, or made before the handler", async () => {
    await put("empty", "");
    expect(await textFor("empty")).toBe("");
    await put("old", "old", { timestamp: now() - 100_000 });
    expect(await textFor("old")).toBe("old");
    expect((await handler.get("old", []))?.revalidate).toBe(60); // Next renews it
  });

  test("that may not be served again ends the one before it", async () => {
    await put("key", "old");
    await put("key", "new", { expire: 0 });
    expect(await textFor("key")).toBeUndefined();
    await put("key", "old");
    await put("key", "new", { timestamp: now() - 5000, expire: 4 });
    expect(await textFor("key")).toBe("old"); // the newer
    await put("key", "last");
    expect(await textFor("key")).toBe("last");
  });

  test("that is too large is a miss, and so is what it replaces", async () => {
    await put("key", "old");
    await handler.set(
      "key",
      Promise.resolve(entryOf("", { value: streamed(Buffer.alloc(12 * 1024 * 1024)) })),
    );
    expect(await textFor("key")).toBeUndefined();
    expect(cache.stats().sets.tooLarge).toBe(1);
  });

  test("leaves room after its expire time", async () => {
    await put("key", "short", { expire: 0.02 });
    await expect.poll(() => textFor("key")).toBeUndefined();
  });
});

describe("a set under way", () => {
  test("is waited for by a get of its key, and by no other", async () => {
    let give: (entry: Entry) => void = () => {};
    const ended = handler.set("key", new Promise((resolve) => (give = resolve)));
    await put("other", "there");
    const asked = textFor("key");
    expect(await textFor("other")).toBe("there");
    give(entryOf("late"));
    expect(await asked).toBe("late");
    await ended;
  });

  test("that fails lets the get go on, and what was there before is there", async () => {
    await put("key", "before");
    const failing = handler.set("key", Promise.reject(new Error("no entry")));
    const asked = textFor("key");
    await failing;
    expect(await asked).toBe("before");
    const broken = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.from("half")),
      pull: (controller) => controller.error(new Error("broken off")),
    });
    await put("key", "", { value: broken });
    expect(await textFor("key")).toBe("before");
  });

  test("that began earlier and ends later does not replace a newer value", async () => {
    let give: (entry: Entry) => void = () => {};
    const old = entryOf("old", { timestamp: now() - 1000 });
    const slow = handler.set("key", new Promise((resolve) => (give = resolve)));
    await put("key", "new");
    give(old);
    await slow;
    expect(await textFor("key")).toBe("new");
  });
});

describe("tags", () => {
  test("that are invalidated end what is older and has one of them, and nothing else", async () => {
    await put("a", "a", { tags: ["one", "two"] });
    await put("b", "b", { tags: ["three"] });
    await handler.updateTags(["two", "unknown"]);
    expect(await textFor("a")).toBeUndefined();
    expect(await textFor("b")).toBe("b");
    await put("a", "again", { tags: ["one", "two"] });
    expect(await textFor("a")).toBe("again");
  });

  test("may be many, long and odd", async () => {
    const tags = Array.from({ length: 300 }, (_, index) => `${"t".repeat(index * 10)}${index}`);
    tags.push("", "__proto__", "\ud800", "#");
    await put("key", "there", { tags });
    expect((await handler.get("key", []))?.tags).toEqual(tags);
    for (const tag of ["__proto__", "\ud800", "", tags[299] ?? ""]) {
      await put("key", "there", { tags });
      await handler.updateTags([tag]);
      expect(await textFor("key")).toBeUndefined();
    }
  });

  test("that are invalidated while a value is made keep it out", async () => {
    let give: (entry: Entry) => void = () => {};
    const entry = entryOf("made of old data", { tags: ["tag"] });
    const ended = handler.set("key", new Promise((resolve) => (give = resolve)));
    await handler.updateTags(["tag"]);
    give(entry);
    await ended;
    expect(await textFor("key")).toBeUndefined();
  });

  test("with a duration make stale, and then end", async () => {
    await put("key", "old", { tags: ["tag"], expire: 1e6 });
    await handler.updateTags(["tag"], { expire: 60 });
    const found = (await handler.get("key", [])) as Entry;
    expect(found.revalidate).toBe(-1);
    expect(await textOf(found)).toBe("old");
    ahead += 59_000;
    expect((await handler.get("key", []))?.revalidate).toBe(-1);
    ahead += 1000;
    expect(await textFor("key")).toBeUndefined();
    await put("key", "new", { tags: ["tag"] });
    expect((await handler.get("key", []))?.revalidate).toBe(60);
  });

  test("without an end of that duration stay stale; with 0 seconds they end at once", async () => {
    await put("key", "old", { tags: ["tag"], expire: 1e9 });
    await handler.updateTags(["tag"], {});
    ahead += 1e9;
    expect((await handler.get("key", []))?.revalidate).toBe(-1);
    await handler.updateTags(["tag"], { expire: 0 });
    expect(await textFor("key")).toBeUndefined();
  });

  test("an invalidation at once is not undone by a later one with a duration", async () => {
    await put("key", "old", { tags: ["tag"] });
    await handler.updateTags(["tag"]);
    await handler.updateTags(["tag"], { expire: 3600 });
    expect(await textFor("key")).toBeUndefined();
  });

  test("of the path (soft) count without being the entry's, stale ones too", async () => {
    expect(await handler.getExpiration(["_N_T_/page"])).toBe(Infinity); // get looks at them
    await handler.refreshTags();
    await put("key", "old");
    await handler.updateTags(["_N_T_/page"], { expire: 3600 });
    expect((await handler.get("key", ["_N_T_/layout", "_N_T_/page"]))?.revalidate).toBe(-1);
    expect((await handler.get("key", ["_N_T_/layout"]))?.revalidate).toBe(60);
    await handler.updateTags(["_N_T_/page"]);
    expect(await textFor("key", ["_N_T_/page"])).toBeUndefined();
    expect(await textFor("key", ["_N_T_/other"])).toBe("old");
  });

  test("are those of all handlers over a space, and of no other space", async () => {
    const other = nextCacheHandler(cache);
    const apart = nextCacheHandler(cache.namespace("apart"));
    await put("key", "one", { tags: ["tag"] });
    await put("key", "apart", { tags: ["tag"] }, apart);
    expect(await textFor("key", [], other)).toBe("one");
    await other.updateTags(["tag"]);
    expect(await textFor("key")).toBeUndefined();
    expect(await textFor("key", [], apart)).toBe("apart");
  });

  test("that another thread invalidates end the entries of all", async () => {
    await put("key", "hello", { tags: ["tag"] });
    const thread = new URL("next-thread.mjs", import.meta.url);
    const worker = new Worker(thread, { workerData: cache.handle() });
    expect(await once(worker, "message")).toEqual(["hello"]);
    expect(await textFor("key")).toBeUndefined();
    await once(worker, "exit");
    await put("key", "again", { tags: ["tag"] });
    expect(await textFor("key")).toBe("again");
  });
});

describe("what the cache loses", () => {
  const keysOf = async (part: string): Promise<string[]> => {
    const keys: string[] = [];
    for await (const key of cache.keys()) if (String(key).includes(part)) keys.push(String(key));
    return keys;
  };

  test("of the marks of tags ends the entries that have such tags, and no other", async () => {
    await put("key", "old", { tags: ["tag"] });
    await put("plain", "plain");
    await handler.updateTags(["tag"]);
    const shards = await keysOf(":tags:");
    expect(shards).toHaveLength(32);
    cache.deleteMany(shards);
    expect(await textFor("key")).toBeUndefined();
    expect(await textFor("key")).toBeUndefined();
    expect(await textFor("plain")).toBe("plain");
    expect(await textFor("plain", ["tag"])).toBeUndefined();
    await put("key", "new", { tags: ["tag"] });
    expect(await textFor("key")).toBe("new");
  });

  test("of the beginning of time ends all, and what was begun before is not stored", async () => {
    await put("key", "old", { tags: ["tag"] });
    const begun = entryOf("begun before", { tags: ["tag"] });
    await handler.updateTags(["tag"]);
    cache.clear();
    expect(await textFor("key")).toBeUndefined();
    await handler.set("key", Promise.resolve(begun));
    expect(await textFor("key")).toBeUndefined();
    ahead += 5; // than the new beginning
    await put("key", "new", { tags: ["tag"] });
    expect(await textFor("key")).toBe("new");
  });

  test("in a cache that churns never brings back what was invalidated", async () => {
    const small = await openCache({ memory: "2mb" });
    const own = nextCacheHandler(small);
    let served = 0;
    for (let round = 0; round < 60; round++) {
      ahead += 5;
      await put("key", `${round}`, { tags: ["tag"] }, own);
      for (let i = 0; i < 40; i++) small.set(`churn ${round} ${i}`, Buffer.alloc(4000));
      const found = await textFor("key", ["_N_T_/layout"], own);
      if (found !== undefined) served += 1;
      expect([undefined, `${round}`]).toContain(found);
      await own.updateTags(["tag"]);
      expect(await textFor("key", [], own)).toBeUndefined();
    }
    expect(served).toBeGreaterThan(0);
    await small.close();
  });
});

test("nothing rejects, what is odd is a miss, and so is a closed cache", async () => {
  const warnings: Error[] = [];
  const listener = (warning: Error): void => void warnings.push(warning);
  process.on("warning", listener);
  await handler.set("key", Promise.reject(new Error("no entry")));
  await handler.set("key", Promise.resolve({} as Entry));
  await put("key", "a", { expire: NaN });
  expect(await textFor("key")).toBeUndefined();
  await put("key", "there");
  await cache.close();
  expect(await textFor("key")).toBeUndefined();
  await put("key", "there");
  await handler.updateTags(["tag"]);
  await new Promise(setImmediate);
  expect(warnings).toEqual([]);
  process.off("warning", listener);
});

test("what cannot be stored is told, once", async () => {
  const warned = once(process, "warning") as Promise<[Error]>;
  const odd = { tags: [Symbol("no tag")] as unknown as string[] };
  await put("key", "a", odd);
  await put("key", "a", odd);
  expect((await warned)[0].name).toBe("UndercroftAdapterWarning");
  expect(await textFor("key")).toBeUndefined();
});

test("another thing than a cache is refused", () => {
  expect(() => nextCacheHandler({} as never)).toThrow(/^Cannot make a cache handler for Next: /);
});
