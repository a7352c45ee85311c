import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import type { Cache } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches, until } from "./opened.js";

setUpCaches();

const large = (mark: string): string => `${mark} `.repeat(50_000);

describe.each([["memory"], ["disk"]])("setAsync() (%s)", (tier) => {
  const openOne = <V = unknown>(): Promise<Cache<V>> =>
    open<V>({ memory: "8mb", ...(tier === "disk" ? diskAt(freshPath(), "16mb") : {}) });

  test("removes the older value at once and shows the new one when it resolves", async () => {
    const cache = await openOne<string>();
    cache.set("k", "older");
    expect(cache.getSync("k")).toBe("older");
    await cache.flush();
    const stored = cache.setAsync("k", large("new"), { ttl: "1h", tags: ["t"] });
    expect(cache.getSync("k")).toBe(undefined);
    expect(cache.has("k")).toBe(false);
    expect(await stored).toBe("stored");
    expect(cache.getSync("k")).toBe(large("new"));
    const entry = await cache.getEntry("k");
    expect(entry).toMatchObject({ tags: ["t"] });
    expect(entry!.expiresAt - entry!.createdAt).toBe(3_600_000);
  });

  test("waits for room rather than be refused or push out what was stored", async () => {
    const cache = await open<Uint8Array>({
      memory: "1mb",
      ...(tier === "disk" ? diskAt(freshPath(), "32mb") : {}),
    });
    const keys = Array.from({ length: 250 }, (_, key) => `key-${key}`);
    const outcomes = await Promise.all(keys.map((key) => cache.setAsync(key, randomBytes(7_000))));
    expect(outcomes.filter((outcome) => outcome !== "stored")).toEqual([]);
    if (tier === "memory") return;
    await cache.flush();
    expect((await cache.getMany(keys)).size).toBe(keys.length);
  });

  test("loses to a set that comes meanwhile", async () => {
    const cache = await openOne<string>();
    const first = cache.setAsync("k", large("slow"));
    cache.set("k", "newer");
    expect(cache.getSync("k")).toBe("newer");
    expect(await first).toBe("stored");
    expect(cache.getSync("k")).toBe("newer");
    expect(await cache.get("k")).toBe("newer");
    expect(cache.stats().fillsSuperseded).toBe(1);
  });

  test("loses to a delete that comes meanwhile, even if there was nothing to delete", async () => {
    const cache = await openOne<string>();
    const first = cache.setAsync("k", large("slow"));
    expect(cache.delete("k")).toBe(false);
    await first;
    expect(await cache.get("k")).toBe(undefined);
  });

  test("loses to a clear that comes meanwhile, and later sets stay", async () => {
    const cache = await openOne<string>();
    const first = cache.setAsync("k", large("slow"));
    const other = cache.setAsync("l", large("slow"));
    cache.clear();
    const later = cache.setAsync("k", large("later"));
    await Promise.all([first, other, later]);
    expect(await cache.get("k")).toBe(large("later"));
    expect(await cache.get("l")).toBe(undefined);
  });

  test("the last call of several wins, whichever ends last", async () => {
    const cache = await openOne<string>();
    for (let round = 0; round < 10; round++) {
      // The first takes the longest.
      const sizes = [400_000, 50_000, 10, 20_000];
      const all = sizes.map((size, index) => cache.setAsync("k", `${index}`.padEnd(size, ".")));
      await Promise.all(all);
      expect(cache.getSync("k")?.slice(0, 2)).toBe("3.");
    }
  });

  test("is not superseded by a write of another key", async () => {
    const cache = await openOne<string>();
    const stored = cache.setAsync("k", large("k"));
    for (let key = 0; key < 1000; key++) cache.set(`other-${key}`, "value");
    await stored;
    expect(cache.getSync("k")).toBe(large("k"));
    expect(cache.stats().fillsSuperseded).toBe(0);
  });

  test("does not overwrite what a fetch loads meanwhile", async () => {
    const cache = await openOne<string>();
    const stored = cache.setAsync("k", large("set"));
    const fetched = await cache.fetch("k", () => "loaded");
    await stored;
    // Whichever came first, what fetch returned and what is stored are whole values of the key.
    expect(["loaded", large("set")]).toContain(fetched);
    expect(["loaded", large("set")]).toContain(cache.getSync("k"));
  });

  test("stores large strings, buffers and trees whole", async () => {
    const cache = await openOne();
    const values: Record<string, unknown> = {
      text: large("text"),
      wide: "шире ".repeat(60_000),
      noise: randomBytes(700_000),
      zeros: new Uint8Array(700_000),
      tree: Array.from({ length: 5000 }, (_, id) => ({
        id,
        tags: new Set([id]),
        at: new Date(id),
      })),
      tiny: 1,
    };
    const pairs = Object.entries(values);
    const expected = structuredClone(values);
    const outcomes = await Promise.all(pairs.map(([key, value]) => cache.setAsync(key, value)));
    expect(outcomes).toEqual(pairs.map(() => "stored"));
    for (const [key, value] of Object.entries({ ...expected, noise: values["noise"] })) {
      expect([key, isDeepStrictEqual(cache.getSync(key), value)]).toEqual([key, true]);
    }
  });

  test("compresses only values that become smaller", async () => {
    const cache = await openOne();
    await cache.setAsync("text", "a".repeat(1_000_000));
    await cache.setAsync("noise", randomBytes(1_000_000));
    await cache.setAsync("short", "a".repeat(1000));
    expect((await cache.getEntry("text"))!.size).toBeLessThan(20_000);
    expect((await cache.getEntry("noise"))!.size).toBeGreaterThanOrEqual(1_000_000);
    expect((await cache.getEntry("short"))!.size).toBeGreaterThanOrEqual(1000);
    // Many times the memory in text, all of which is still there.
    const keys = Array.from({ length: 40 }, (_, key) => `text-${key}`);
    for (const key of keys) await cache.setAsync(key, key.padEnd(1_000_000, "a"));
    for (const key of keys) expect((cache.getSync(key) as string).length).toBe(1_000_000);
  });

  test("transfers bytes that fill their buffer, and copies all others", async () => {
    const cache = await openOne<Uint8Array>();
    const whole = Uint8Array.from(randomBytes(100_000));
    const same = Uint8Array.from(whole);
    const part = new Uint8Array(200_000).fill(3).subarray(0, 100_000);
    const buffer = Buffer.alloc(100_000, 4);
    const shared = new Uint8Array(new SharedArrayBuffer(100_000)).fill(5);
    const stored = Promise.all([
      cache.setAsync("whole", whole),
      cache.setAsync("part", part),
      cache.setAsync("buffer", buffer),
      cache.setAsync("shared", shared),
    ]);
    expect([whole.length, part.length, buffer.length]).toEqual([0, 100_000, 100_000]);
    buffer.fill(0);
    shared.fill(0);
    expect(await stored).toEqual(["stored", "stored", "stored", "stored"]);
    const read = (key: string): Buffer => Buffer.from(cache.getSync(key)!);
    expect(read("whole").equals(same)).toBe(true);
    expect(read("part").equals(part)).toBe(true);
    expect(read("buffer").equals(Buffer.alloc(100_000, 4))).toBe(true);
    expect(read("shared").equals(Buffer.alloc(100_000, 5))).toBe(true);
    // A buffer that cannot be transferred is copied.
    const wasm = new Uint8Array(
      new WebAssembly.Memory({ initial: 1, maximum: 1, shared: false }).buffer,
    ).fill(6);
    expect(await cache.setAsync("wasm", wasm)).toBe("stored");
    expect([wasm.length, cache.getSync("wasm")!.length]).toEqual([65_536, 65_536]);
  });

  test("does not transfer a codec's scratch buffer", async () => {
    const scratch = new Uint8Array(100);
    const codec = {
      name: "scratch",
      encode: (value: number) => scratch.fill(value),
      decode: (bytes: Uint8Array) => bytes[99] as number,
    };
    const cache = await open<number>({ codec, near: false });
    const stored = [1, 2, 3].map((value) => cache.setAsync(`k${value}`, value));
    expect(await Promise.all(stored)).toEqual(["stored", "stored", "stored"]);
    expect([1, 2, 3].map((value) => cache.getSync(`k${value}`))).toEqual([1, 2, 3]);
  });
});

test("setAsync() answers overloaded when the pool's queue is full", async () => {
  const cache = await open<string>({ memory: "32mb" });
  const keys = Array.from({ length: 600 }, (_, key) => `k${key}`);
  for (const key of keys) cache.set(key, "older");
  const outcomes = await Promise.all(keys.map((key) => cache.setAsync(key, key.padEnd(20_000))));
  const refused = keys.filter((_, index) => outcomes[index] === "overloaded");
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThanOrEqual(600 - 256);
  expect(new Set(outcomes)).toEqual(new Set(["stored", "overloaded"]));
  for (const [index, key] of keys.entries()) {
    const expected = outcomes[index] === "stored" ? key.padEnd(20_000) : undefined;
    expect(cache.getSync(key)).toBe(expected);
  }
  // No queue position stays taken: the next sets are stored.
  expect(await cache.setAsync("k0", "again")).toBe("stored");
  expect(cache.stats().sets.stored).toBe(600 + 600 - refused.length + 1);
});

test("what setAsync() stored is compressed on disk after a flush and comes back", async () => {
  const path = freshPath();
  const cache = await open<string>({ memory: "8mb", ...diskAt(path, "16mb") });
  const keys = Array.from({ length: 20 }, (_, key) => `k${key}`);
  await Promise.all(keys.map((key) => cache.setAsync(key, key.padEnd(500_000, "a"))));
  await cache.flush();
  const { disk } = cache.stats();
  expect(disk!.writeBytes).toBeLessThan(1_000_000);
  await cache.close();
  const again = await open<string>({ memory: "8mb", ...diskAt(path, "16mb") });
  for (const key of keys) {
    const entry = await again.getEntry(key);
    expect(entry).toMatchObject({ value: key.padEnd(500_000, "a"), source: "disk" });
  }
});

test("random values come back from disk in their chunks", async () => {
  const path = freshPath();
  const cache = await open<Buffer>({ memory: "8mb", ...diskAt(path, "32mb") });
  const values = Array.from({ length: 5 }, () => randomBytes(300_000));
  for (const [index, value] of values.entries()) {
    expect(index % 2 === 0 ? cache.set(`k${index}`, value) : "async").toBe(
      index % 2 === 0 ? "stored" : "async",
    );
    if (index % 2 === 1) await cache.setAsync(`k${index}`, Buffer.from(value));
  }
  await cache.close();
  const again = await open<Buffer>({ memory: "8mb", ...diskAt(path, "32mb") });
  expect(again.getSync("k0")).toBe(undefined);
  for (const [index, value] of values.entries()) {
    expect((await again.get(`k${index}`))?.equals(value)).toBe(true);
  }
  expect(again.delete("k0")).toBe(true);
  expect(await again.get("k0")).toBe(undefined);
  await until(() => again.stats().corruptRecords === 0);
});
