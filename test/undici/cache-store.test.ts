// The store by itself, by the contract of undici's stores: what is found, what a delete ends, what
// is refused.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import { type Cache, ManualClock, openCache } from "../../dist/src/mod.js";
import { UndiciCacheStore } from "../../dist/src/undici/mod.js";

type Key = Parameters<UndiciCacheStore["get"]>[0];
type Value = Parameters<UndiciCacheStore["createWriteStream"]>[1];
type Found = Awaited<ReturnType<UndiciCacheStore["get"]>>;

let cache: Cache;
let store: UndiciCacheStore;

beforeEach(async () => {
  cache = await openCache({ memory: "16mb" });
  store = new UndiciCacheStore(cache);
});
afterEach(async () => {
  vi.useRealTimers();
  await cache.close();
});

const keyOf = (part: Partial<Key> = {}): Key => ({
  origin: "http://a.example",
  method: "GET",
  path: "/",
  headers: {},
  ...part,
});

const valueOf = (part: Partial<Value> = {}): Value => ({
  statusCode: 200,
  statusMessage: "OK",
  headers: { "content-type": "text/plain", via: ["a", "b"] },
  cacheControlDirectives: { "max-age": 60 },
  cachedAt: Date.now(),
  staleAt: Date.now() + 60_000,
  deleteAt: Date.now() + 120_000,
  ...part,
});

/** Stores a response as the interceptor does, which looks for it without waiting. */
function put(key: Key, body: string | Uint8Array, value = valueOf(), to = store): void {
  const stream = to.createWriteStream(key, value);
  stream?.write(body);
  stream?.end();
}

function bodyOf(found: Found): string | undefined {
  return found && Buffer.concat([...(found.body as Iterable<Buffer>)]).toString();
}

/** The body that is answered at once. */
function bodyNow(key: Key): string | undefined {
  const found = store.get(key);
  expect(found).not.toBeInstanceOf(Promise);
  return bodyOf(found as Found);
}

describe("what is stored", () => {
  test("is found at once, with all that the host gave, and told apart by URL and method", () => {
    const value = valueOf({ etag: '"1"', vary: { accept: null } });
    put(keyOf(), "hello", value);
    const { body: _, ...found } = store.get(keyOf()) as NonNullable<Found>;
    expect(found).toEqual(value);
    expect(bodyNow(keyOf())).toBe("hello");
    for (const part of [{ method: "HEAD" }, { path: "/b" }, { origin: "http://b.example" }]) {
      expect(store.get(keyOf(part))).toBeUndefined();
    }
    put(keyOf({ origin: "http://a.example/", path: "b" }), "1");
    expect(store.get(keyOf({ path: "/b" }))).toBeUndefined();
  });

  test("is a response for each variant, the newest of one first", () => {
    const asks = (language: string | string[]): Key => keyOf({ headers: { language } });
    const vary = (language: string | string[] | null): Value => valueOf({ vary: { language } });
    put(asks("de"), "hallo", vary("de"));
    put(asks("en"), "hello", vary("en"));
    put(asks(["en", "de"]), "both", vary(["en", "de"]));
    put(keyOf(), "none", vary(null));
    const all = [asks("de"), asks("en"), asks(["en", "de"]), keyOf()];
    expect(all.map(bodyNow)).toEqual(["hallo", "hello", "both", "none"]);
    expect(bodyNow(asks("fr"))).toBeUndefined();
    expect(bodyNow(asks(["de", "en"]))).toBeUndefined();
    put(asks("de"), "servus", vary("de"));
    expect(all.map(bodyNow)).toEqual(["servus", "hello", "both", "none"]);
    expect(cache.stats().memory.entries).toBe(5); // an index, and what is named by it
  });

  test("is at most 32 responses of a URL", () => {
    const asks = (id: number): Key => keyOf({ headers: { id: String(id) } });
    for (let id = 0; id < 40; id++) {
      put(asks(id), String(id), valueOf({ vary: { id: String(id) } }));
    }
    expect(bodyNow(asks(7))).toBeUndefined();
    expect(bodyNow(asks(8))).toBe("8");
    expect(bodyNow(asks(39))).toBe("39");
    expect(cache.stats().memory.entries).toBe(33);
  });

  test("comes in pieces of the reader's own, and its headers too", () => {
    const body = Buffer.alloc(200_000, "a");
    put(keyOf(), body);
    body.fill("b");
    for (let call = 0; call < 3; call++) {
      const found = store.get(keyOf()) as NonNullable<Found>;
      const chunks = [...(found.body as Iterable<Buffer>)];
      expect(chunks.map(({ length }) => length)).toEqual([65_536, 65_536, 65_536, 3392]);
      expect(Buffer.concat(chunks).equals(Buffer.alloc(200_000, "a"))).toBe(true);
      for (const chunk of chunks)
        structuredClone(chunk, { transfer: [chunk.buffer as ArrayBuffer] });
      found.headers["content-type"] = "changed";
    }
    expect((store.get(keyOf()) as NonNullable<Found>).headers["content-type"]).toBe("text/plain");
  });

  test("may have no body, and a URL of any length", () => {
    const long = keyOf({ path: `/${"x".repeat(100_000)}\ud800` });
    store.createWriteStream(long, valueOf())?.end();
    expect(bodyNow(long)).toBe("");
    expect(store.get(keyOf({ path: `/${"x".repeat(100_000)}` }))).toBeUndefined();
  });
});

describe("a large body", () => {
  const bytes = 20 << 20;
  const pieces = function* (length = bytes): Generator<Buffer> {
    for (let from = 0; from < length; from += 65_536) {
      yield Buffer.alloc(Math.min(65_536, length - from), from >>> 16);
    }
  };
  const hashOf = async (body: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<string> => {
    const hash = createHash("sha256");
    for await (const piece of body) hash.update(piece);
    return hash.digest("hex");
  };
  /** A store that streams, over a cache whose memory is smaller than the body. */
  async function streaming(): Promise<{ store: UndiciCacheStore; disk: Cache }> {
    const path = mkdtempSync(join(tmpdir(), "undercroft-undici-"));
    const disk = await openCache({ memory: "4mb", disk: { path, capacity: "128mb" } });
    onTestFinished(async () => {
      await disk.close();
      rmSync(path, { recursive: true, force: true });
    });
    return { store: new UndiciCacheStore(disk, { maxEntrySize: "64mb" }), disk };
  }
  async function receive(to: UndiciCacheStore, body: Iterable<Buffer>): Promise<void> {
    const stream = to.createWriteStream(keyOf(), valueOf());
    await pipeline(Readable.from(body, { objectMode: false }), stream as Writable);
  }

  test("is stored and read as a stream, any number of times", async () => {
    const { store: to } = await streaming();
    await receive(to, pieces());
    const wanted = await hashOf(pieces());
    for (let call = 0; call < 2; call++) {
      const found = await to.get(keyOf());
      expect(found?.body).toBeInstanceOf(Readable);
      expect(await hashOf(found?.body ?? [])).toBe(wanted);
    }
  });

  test("goes with its response: by delete, by a newer one", async () => {
    const { store: to, disk } = await streaming();
    await receive(to, pieces());
    to.delete(keyOf());
    expect(await to.get(keyOf())).toBeUndefined();
    await receive(to, pieces());
    await receive(to, pieces(1 << 20));
    const found = await to.get(keyOf());
    expect(await hashOf(found?.body ?? [])).toBe(await hashOf(pieces(1 << 20)));
    // Who reads the older one meanwhile gets all of it: its body goes later.
    const reading = await to.get(keyOf());
    await receive(to, pieces(2 << 20));
    expect(await hashOf(reading?.body ?? [])).toBe(await hashOf(pieces(1 << 20)));
    const kinds: unknown[] = [];
    for await (const key of disk.keys()) kinds.push(String(key).split(":")[0]);
    expect(kinds.filter((kind) => kind === "response")).toHaveLength(1);
  });

  test("that is broken off, too large or refused is not stored", async () => {
    const { store: to, disk } = await streaming();
    const broken = to.createWriteStream(keyOf(), valueOf());
    for (const piece of pieces(5 << 20))
      if (broken?.write(piece) === false) await once(broken, "drain");
    broken?.destroy();
    await expect(receive(to, pieces(70 << 20))).rejects.toThrow(/closed|premature/i);
    expect(to.oversized).toBe(1);
    // In memory alone there is no room for it.
    const small = new UndiciCacheStore(cache, { maxEntrySize: "64mb" });
    await receive(small, pieces());
    for (const each of [to, small]) expect(await each.get(keyOf())).toBeUndefined();
    const left = (): number => disk.stats().memory.entries + (disk.stats().disk?.entries ?? 0);
    await expect.poll(left).toBe(0);
    expect(cache.stats().memory.entries).toBe(0);
  });
});

describe("time", () => {
  test("is the host's: stale is found until deleteAt, by a fake clock too", () => {
    vi.useFakeTimers();
    put(keyOf(), "hello", valueOf({ staleAt: Date.now() + 1000, deleteAt: Date.now() + 5000 }));
    vi.setSystemTime(Date.now() + 4999);
    expect(bodyNow(keyOf())).toBe("hello");
    vi.setSystemTime(Date.now() + 1);
    expect(store.get(keyOf())).toBeUndefined();
  });

  test("a response that is over is not stored", () => {
    for (const deleteAt of [Date.now(), 0, NaN]) {
      expect(store.createWriteStream(keyOf(), valueOf({ deleteAt }))).toBeUndefined();
    }
    vi.useFakeTimers();
    const stream = store.createWriteStream(keyOf(), valueOf({ deleteAt: Date.now() + 10 }));
    vi.setSystemTime(Date.now() + 10);
    stream?.end("late");
    expect(cache.stats().memory.entries).toBe(0);
  });

  test("a response that lives for long does not end with one that does not", async () => {
    vi.useFakeTimers();
    const clock = new ManualClock(Date.now());
    await cache.close();
    cache = await openCache({ memory: "16mb", clock });
    store = new UndiciCacheStore(cache);
    const asks = (id: string): Key => keyOf({ headers: { id } });
    const vary = (id: string, ms: number): Value =>
      valueOf({ vary: { id }, deleteAt: Date.now() + ms });
    put(asks("long"), "long", vary("long", 3_600_000));
    put(asks("short"), "short", vary("short", 1000));
    clock.advance(1000);
    vi.setSystemTime(clock.now());
    expect([bodyNow(asks("long")), bodyNow(asks("short"))]).toEqual(["long", undefined]);
  });
});

describe("delete", () => {
  test("ends all methods and variants of a URL, and no other URL", () => {
    put(keyOf(), "get", valueOf({ vary: { a: null } }));
    put(keyOf({ headers: { a: "1" } }), "variant", valueOf({ vary: { a: "1" } }));
    put(keyOf({ method: "HEAD" }), "head");
    put(keyOf({ path: "/b" }), "other");
    store.delete(keyOf({ method: "POST" }));
    expect(store.get(keyOf())).toBeUndefined();
    expect(store.get(keyOf({ headers: { a: "1" } }))).toBeUndefined();
    expect(store.get(keyOf({ method: "HEAD" }))).toBeUndefined();
    expect(bodyNow(keyOf({ path: "/b" }))).toBe("other");
    expect(cache.stats().memory.entries).toBe(3); // two indexes and a response
    put(keyOf(), "again");
    expect(bodyNow(keyOf())).toBe("again");
  });

  test("keeps out a response that was being received", () => {
    for (const before of ["nothing", "a response", "a deletion"]) {
      const key = keyOf({ path: `/${before}` });
      if (before !== "nothing") put(key, "first");
      if (before === "a deletion") store.delete(key);
      const stream = store.createWriteStream(key, valueOf());
      stream?.write("old");
      store.delete(key);
      stream?.end();
      expect(store.get(key)).toBeUndefined();
      put(key, "new");
      expect(bodyNow(key)).toBe("new");
    }
    expect(cache.stats().memory.entries).toBe(6);
  });
});

describe("what is not stored", () => {
  test("a body that the host breaks off", async () => {
    const stream = store.createWriteStream(keyOf(), valueOf());
    stream?.write("half");
    stream?.destroy();
    expect(store.get(keyOf())).toBeUndefined();
    const failed = store.createWriteStream(keyOf(), valueOf());
    failed?.on("error", () => undefined).destroy(new Error("reset"));
    expect(cache.stats().memory.entries).toBe(0);
  });

  test("a body of more than maxEntrySize: its stream closes and it is counted", async () => {
    const small = new UndiciCacheStore(cache, { maxEntrySize: 6 });
    put(keyOf(), "asd123", valueOf(), small);
    expect(bodyNow(keyOf())).toBe("asd123");
    const stream = small.createWriteStream(keyOf({ path: "/large" }), valueOf());
    const closed = once(stream as NonNullable<typeof stream>, "close");
    stream?.write("asd1234");
    await closed;
    expect([small.oversized, store.oversized]).toEqual([1, 0]);
    expect(small.get(keyOf({ path: "/large" }))).toBeUndefined();
  });

  test("a body that the cache cannot hold: the older response is still found", async () => {
    const large = new UndiciCacheStore(cache, { maxEntrySize: "64mb" });
    put(keyOf(), "old");
    put(keyOf(), Buffer.alloc(8 << 20), valueOf(), large);
    expect(bodyNow(keyOf())).toBe("old");
    await expect.poll(() => cache.stats().sets.tooLarge).toBe(1);
    expect(bodyNow(keyOf())).toBe("old");
  });

  test("wrong keys, caches and options are refused", () => {
    expect(() => store.get({ origin: "a" } as never)).toThrow(TypeError);
    expect(() => store.delete("a" as never)).toThrow(TypeError);
    expect(() => new UndiciCacheStore({} as never)).toThrow(/openCache/);
    expect(() => new UndiciCacheStore(cache, { maxEntrySize: 0 })).toThrow(RangeError);
    expect(() => new UndiciCacheStore(cache, { maxCount: 1 } as never)).toThrow(RangeError);
  });
});

test("threads have the same responses, and a delete in one holds in all", async () => {
  put(keyOf(), "opener");
  const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const worker = new Worker(
    `import { parentPort, workerData } from "node:worker_threads";
    const { attachCache } = await import(${url("../../dist/src/mod.js")});
    const { UndiciCacheStore } = await import(${url("../../dist/src/undici/mod.js")});
    const cache = await attachCache(workerData.handle);
    const store = new UndiciCacheStore(cache);
    const found = store.get(workerData.key);
    store.delete(workerData.key);
    parentPort.postMessage(Buffer.concat([...found.body]).toString());
    await cache.close();`,
    { eval: true, workerData: { handle: cache.handle(), key: keyOf() } },
  );
  const [found] = (await once(worker, "message")) as [string];
  await once(worker, "exit");
  expect(found).toBe("opener");
  expect(store.get(keyOf())).toBeUndefined();
});

test("what is on disk is a promise; a variant joins it, and a delete ends it at once", async () => {
  const path = mkdtempSync(join(tmpdir(), "undercroft-undici-"));
  const reopen = async (): Promise<void> => {
    await cache.close();
    const disk = { path, capacity: "16mb", preload: false } as const;
    cache = await openCache({ memory: "8mb", disk });
    store = new UndiciCacheStore(cache);
  };
  try {
    await reopen();
    const asks = (id: string): Key => keyOf({ headers: { id } });
    put(asks("1"), "one", valueOf({ vary: { id: "1" } }));
    await reopen();
    const found = store.get(asks("1"));
    expect(found).toBeInstanceOf(Promise);
    expect(bodyOf(await found)).toBe("one");
    await reopen();
    const stream = store.createWriteStream(asks("2"), valueOf({ vary: { id: "2" } }));
    const finished = once(stream as NonNullable<typeof stream>, "finish");
    stream?.end("two");
    await finished;
    expect(bodyOf(await store.get(asks("1")))).toBe("one");
    expect(bodyOf(await store.get(asks("2")))).toBe("two");
    await reopen();
    store.delete(asks("1"));
    expect(store.get(asks("1"))).toBeUndefined();
    await reopen();
    expect(await store.get(asks("2"))).toBeUndefined();
  } finally {
    await cache.close();
    rmSync(path, { recursive: true, force: true });
  }
});
