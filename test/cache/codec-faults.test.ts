// A custom codec that cannot decode: told once, a miss for every read, and replaced by fetch.

import { describe, expect, test } from "vitest";
import {
  attachCache,
  type Cache,
  type CacheEventMap,
  type CacheOptions,
  type CustomCodec,
} from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

interface Doc {
  readonly version: number;
  readonly text?: string;
}

/** What the codec throws at a document of version 1. */
const oldVersion = new TypeError("version 2 expected");

/** Reads documents of version 2 only, as the next release of a service does. */
const codec: CustomCodec<Doc> = {
  name: "docs",
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => {
    const value = JSON.parse(Buffer.from(bytes).toString()) as Doc;
    if (value.version !== 2) throw oldVersion;
    return value;
  },
};

type Fault = CacheEventMap["error"];

/** A cache with that codec, and the `error` events that it has emitted. */
async function openDocs(options: CacheOptions<Doc> = {}): Promise<[Cache<Doc>, Fault[]]> {
  const cache = await open<Doc>({ codec, near: false, ...options });
  const faults: Fault[] = [];
  cache.on("error", (event) => faults.push(event));
  return [cache, faults];
}

function faultTexts(faults: readonly Fault[]): string[] {
  return faults.map(({ error }) => `${error.code}: ${error.message}`);
}

const reads: [string, (cache: Cache<Doc>) => unknown][] = [
  ["getSync", (cache) => cache.getSync("k")],
  ["get", (cache) => cache.get("k")],
  ["getMany", async (cache) => (await cache.getMany(["k"])).get("k")],
  ["getEntry", (cache) => cache.getEntry("k")],
];

describe.each([
  ["memory", false],
  ["disk", true],
])("a value in %s that the codec cannot decode", (_name, isOnDisk) => {
  async function openWithOld(text = ""): Promise<[Cache<Doc>, Fault[]]> {
    const disk = isOnDisk ? diskAt(freshPath()) : {};
    const [cache, faults] = await openDocs(disk);
    cache.set("k", { version: 1, text });
    if (!isOnDisk) return [cache, faults];
    await cache.close();
    return openDocs(disk);
  }

  const onDisk = reads.filter(([name]) => name !== "getSync");
  test.each(isOnDisk ? onDisk : reads)("is told once by %s, and a miss", async (_read, read) => {
    const [cache, faults] = await openWithOld();
    expect(cache.has("k")).toBe(true);
    expect(await read(cache)).toBe(undefined);
    expect(faultTexts(faults)).toEqual([
      'ERR_CODEC: Cannot decode the value of key "k": the codec "docs" threw ' +
        "TypeError: version 2 expected; its entry is dropped",
    ]);
    expect(faults[0]?.key).toBe("k");
    expect(faults[0]?.error.cause).toBe(oldVersion);
    expect(cache.has("k")).toBe(false);
    for (const [, again] of reads) expect(await again(cache)).toBe(undefined);
    expect(faults.length).toBe(1);
    const { codecErrors, corruptRecords, memory } = cache.stats();
    expect([codecErrors, corruptRecords, memory.entries]).toEqual([1, 0, 0]);
  });

  test("is loaded anew by fetch, once", async () => {
    const [cache, faults] = await openWithOld();
    let loads = 0;
    const load = (): Doc => ({ version: 2, text: `load ${++loads}` });
    for (let call = 0; call < 3; call++) {
      expect(await cache.fetch("k", load)).toEqual({ version: 2, text: "load 1" });
    }
    expect(faults.length).toBe(1);
    expect(cache.getSync("k")).toEqual({ version: 2, text: "load 1" });
  });

  test("is loaded once for concurrent fetches", async () => {
    const [cache, faults] = await openWithOld();
    const load = async (): Promise<Doc> => ({ version: 2 });
    const fetched = await Promise.all([1, 2, 3].map(() => cache.fetch("k", load)));
    expect(fetched).toEqual([{ version: 2 }, { version: 2 }, { version: 2 }]);
    expect([cache.stats().loads, faults.length]).toEqual([1, 1]);
  });

  test("in chunks is told once and dropped", async () => {
    const [cache, faults] = await openWithOld("x".repeat(50_000));
    expect(await cache.get("k")).toBe(undefined);
    expect(await cache.get("k")).toBe(undefined);
    expect([cache.has("k"), faults.length]).toEqual([false, 1]);
  });
});

test("a dropped entry is dropped on disk too: no later session reads it", async () => {
  const disk = diskAt(freshPath());
  const [first] = await openDocs(disk);
  first.set("k", { version: 1 });
  await first.flush(); // in memory and on disk
  expect(first.getSync("k")).toBe(undefined);
  await first.close();
  const [second, faults] = await openDocs(disk);
  expect(second.has("k")).toBe(false);
  expect(await second.get("k")).toBe(undefined);
  expect(faults).toEqual([]);
});

test("a value that was deflated in the pool is told, not taken for damage", async () => {
  const [cache, faults] = await openDocs();
  await cache.setAsync("k", { version: 1, text: "x".repeat(20_000) });
  expect(await cache.get("k")).toBe(undefined);
  expect(faults.length).toBe(1);
  expect(cache.stats().corruptRecords).toBe(0);
});

test("a stale value that cannot be decoded is not served; fetch waits for the load", async () => {
  const now = { ms: 1_750_000_000_000 };
  const [cache, faults] = await openDocs({ clock: { now: () => now.ms } });
  cache.set("k", { version: 1 }, { ttl: 10, staleFor: "1h" });
  now.ms += 20;
  const stales: unknown[] = [];
  const load = ({ stale }: { stale: Doc | undefined }): Doc => {
    stales.push(stale);
    return { version: 2 };
  };
  expect(await cache.fetch("k", load)).toEqual({ version: 2 });
  expect([stales, faults.length]).toEqual([[undefined], 1]);
});

test("a key that is bytes is told by its bytes", async () => {
  const [cache, faults] = await openDocs();
  const key = Uint8Array.of(1, 255);
  cache.set(key, { version: 1 });
  expect(cache.getSync(key)).toBe(undefined);
  expect(faults[0]?.error.message).toContain("of key 0x01ff:");
  expect(faults[0]?.key).toEqual(key);
});

test("a value written while the older one was decoded stays", async () => {
  let isWriting = true;
  const cache: Cache<Doc> = await open<Doc>({
    near: false,
    codec: {
      ...codec,
      decode: (bytes) => {
        if (isWriting) {
          isWriting = false;
          cache.set("k", { version: 2 });
        }
        return codec.decode(bytes);
      },
    },
  });
  cache.set("k", { version: 1 });
  expect(cache.getSync("k")).toBe(undefined);
  expect(cache.getSync("k")).toEqual({ version: 2 });
});

test("a codec or listener that looks up another key does not mix the two up", async () => {
  const now = { ms: 1_750_000_000_000 };
  const cache: Cache<Doc> = await open<Doc>({
    near: false,
    clock: { now: () => now.ms },
    codec: {
      ...codec,
      decode: (bytes) => {
        if (Buffer.from(bytes).includes("look")) cache.getSync("other");
        return codec.decode(bytes);
      },
    },
  });
  cache.on("error", () => cache.getSync("other"));
  cache.set("other", { version: 2, text: "other" }, { ttl: 10, staleFor: "1h" });
  cache.set("k", { version: 1, text: "look" });
  now.ms += 20; // "other" is stale now
  expect(await cache.fetch("k", () => ({ version: 2, text: "k" }))).toEqual({
    version: 2,
    text: "k",
  });
});

test("a thread whose codec can decode the value is not disturbed by a miss elsewhere", async () => {
  const [cache, faults] = await openDocs();
  const both: CustomCodec<Doc> = {
    ...codec,
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Doc,
  };
  const attached = attachCache<Doc>(cache.handle(), { codec: both });
  const told: Fault[] = [];
  attached.on("error", (event) => told.push(event));
  cache.set("k", { version: 1 });
  expect(attached.getSync("k")).toEqual({ version: 1 });
  expect(cache.getSync("k")).toBe(undefined);
  expect([faults.length, told.length]).toEqual([1, 0]);
  attached.set("k", { version: 1 });
  expect(attached.getSync("k")).toEqual({ version: 1 });
  await attached.close();
});

describe("a codec whose decode always throws", () => {
  const broken: CustomCodec<Doc> = {
    ...codec,
    decode: () => {
      throw oldVersion;
    },
  };

  test.each([
    ["shared", { mode: "shared" }, 1],
    ["frozen", { mode: "frozen" }, 5],
    ["copy", { mode: "copy" }, 5],
    ["off", false, 5],
  ] as const)("with near %s: fetch answers, tells once, never loops", async (_n, near, most) => {
    const [cache, faults] = await openDocs({ codec: broken, near });
    let loads = 0;
    for (let call = 0; call < 5; call++) {
      const fetched = await cache.fetch("k", () => ({ version: ++loads }));
      expect(fetched).toEqual({ version: loads });
    }
    expect(loads).toBe(most);
    expect(faultTexts(faults).filter((text) => text.includes("had just encoded it"))).toEqual([
      'ERR_CODEC: Cannot decode the value of key "k": the codec "docs" threw ' +
        "TypeError: version 2 expected; the codec had just encoded it",
    ]);
  });

  test("gives concurrent fetches what was loaded", async () => {
    const [cache] = await openDocs({ codec: broken });
    const load = async (): Promise<Doc> => ({ version: 7 });
    const fetched = await Promise.all([1, 2, 3].map(() => cache.fetch("k", load)));
    expect(fetched).toEqual([{ version: 7 }, { version: 7 }, { version: 7 }]);
  });
});

test.each<[string, () => unknown, string]>([
  ["undefined", () => undefined, "decode() returned undefined, which means a miss"],
  ["a promise", () => Promise.reject(new Error("late")), "decode() returned a promise"],
  ["a thrown text", throwing("no error"), 'threw "no error"'],
  ["a thrown nothing", throwing(undefined), "threw undefined"],
  ["an unreadable error", throwing(unreadable()), "threw an error without a readable message"],
])("decode that gives %s is told", async (_name, decode, words) => {
  const [cache, faults] = await openDocs({ codec: { ...codec, decode: decode as () => Doc } });
  cache.set("k", { version: 1 });
  expect(await cache.get("k")).toBe(undefined);
  expect(faults.length).toBe(1);
  expect(faults[0]?.error.message).toContain(words);
});

function throwing(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}

function unreadable(): Error {
  return Object.defineProperty(new Error("x"), "message", { get: throwing(new Error("again")) });
}

test("what encode throws is thrown as it is", async () => {
  const thrown = { not: "an error" };
  const [cache, faults] = await openDocs({ codec: { ...codec, encode: throwing(thrown) } });
  expect(() => cache.set("k", { version: 2 })).toThrow(expect.toSatisfy((e) => e === thrown));
  await expect(cache.setAsync("k", { version: 2 })).rejects.toBe(thrown);
  await expect(cache.fetch("k", () => ({ version: 2 }))).rejects.toBe(thrown);
  expect(faults).toEqual([]);
});

test("an encode that returns a promise is refused", async () => {
  const encode = (): never => Promise.reject(new Error("late")) as never;
  const [cache] = await openDocs({ codec: { ...codec, encode } });
  const error = await errorOf(() => cache.set("k", { version: 2 }));
  expect(error.message).toContain("an instance of Promise; it must give a Uint8Array");
});

test("a record of a built-in codec that does not decode counts as damage", async () => {
  const cache = await open({ near: false });
  const faults: unknown[] = [];
  cache.on("error", (event) => faults.push(event));
  cache.set("k", { a: 1 });
  // Overwrites the value's bytes in shared memory.
  const bytes = Buffer.from(cache.handle().worker.memory.buffer);
  const at = bytes.lastIndexOf("k") + 1;
  bytes.fill(0xc1, at, at + 4);
  expect(cache.getSync("k")).toBe(undefined);
  expect(faults).toEqual([]);
  const { codecErrors, corruptRecords } = cache.stats();
  expect([codecErrors, corruptRecords]).toEqual([0, 1]);
});
