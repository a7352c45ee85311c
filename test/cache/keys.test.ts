import { describe, expect, test } from "vitest";
import type { Cache } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

const keyBytesMax = 65_536;

/** Every method that takes a key. */
function keyCalls(cache: Cache, key: string): (() => unknown)[] {
  return [
    () => cache.getSync(key),
    () => cache.get(key),
    () => cache.get(key, { signal: new AbortController().signal }),
    () => cache.getMany([key]),
    () => cache.getEntry(key),
    () => cache.has(key),
    () => cache.set(key, 1),
    () => cache.setMany([[key, 1]]),
    () => cache.setAsync(key, 1),
    () => cache.delete(key),
    () => cache.deleteMany([key]),
    () => cache.fetch(key, () => 1),
    () => cache.fetch(key, () => 1, { forceRefresh: true }),
    () => cache.wrap(() => 1, { key: () => key })(),
  ];
}

describe("an invalid key", () => {
  test.each([
    ["the empty string", "", 'current value is ""'],
    ["a number", 5, "current value is 5"],
    ["an object", {}, "current value is an object"],
    ["null", null, "current value is null"],
    ["nothing", undefined, "current value is undefined"],
    ["a symbol", Symbol("s"), "current value is Symbol(s)"],
    ["an array", ["a"], "current value is an array of 1"],
    ["a DataView", new DataView(new ArrayBuffer(4)), "current value is an instance of DataView"],
    ["wider integers", new Uint16Array(2), "current value is an instance of Uint16Array"],
    ["no bytes", new Uint8Array(0), "current value is an instance of Uint8Array"],
    ["a lone high surrogate", "a\ud800", "lone surrogate"],
    ["a lone low surrogate in a long key", `${"a".repeat(900)}\udc00`, "lone surrogate"],
    ["a lone surrogate in a very long key", `${"a".repeat(9000)}\udc00`, "lone surrogate"],
  ])("%s is a TypeError of every method", async (_name, key, words) => {
    const cache = await open();
    for (const call of keyCalls(cache, key as string)) {
      const error = await errorOf(call);
      expect(`${call.toString()}: ${error.name}`).toBe(`${call.toString()}: TypeError`);
      expect(`${call.toString()}: ${error.message}`).toContain("Cannot use key: ");
      expect(error.message).toContain(words);
    }
    expect(cache.stats().sets.stored).toBe(0);
  });

  test("one byte too many is a RangeError of every method", async () => {
    const cache = await open();
    const euros = "€".repeat(21_845); // 65,535 bytes
    for (const key of ["k".repeat(keyBytesMax + 1), `${euros}aa`, new Uint8Array(65_537)]) {
      for (const call of keyCalls(cache, key as string)) {
        const error = await errorOf(call);
        expect(`${call.toString()}: ${error.name}`).toBe(`${call.toString()}: RangeError`);
        expect(error.message).toContain("65537 bytes; it must have at most 65536");
      }
    }
  });

  test("is refused even while another key is fetched", async () => {
    const cache = await open();
    let resolve: (value: number) => void = () => {};
    const loaded = new Promise<number>((settle) => {
      resolve = settle;
    });
    const fetched = cache.fetch("k", () => loaded);
    for (const call of keyCalls(cache, 5 as never)) {
      expect((await errorOf(call)).message).toContain("Cannot use key: current value is 5");
    }
    resolve(1);
    expect(await fetched).toBe(1);
  });
});

describe("a key of 64 KiB", () => {
  test("works like any other", async () => {
    const cache = await open({ memory: "64mb", ...diskAt(freshPath(), "16mb") });
    const text = "k".repeat(keyBytesMax);
    const wide = `${"€".repeat(21_845)}a`;
    const bytes = new Uint8Array(keyBytesMax).fill(255);
    for (const key of [text, wide, bytes]) {
      expect(cache.getSync(key)).toBe(undefined);
      expect(cache.set(key, { a: 1 })).toBe("stored");
      expect(cache.getSync(key)).toEqual({ a: 1 });
      expect(cache.has(key)).toBe(true);
      expect((await cache.getEntry(key))?.size).toBeGreaterThan(keyBytesMax);
      expect(await cache.fetch(key, () => ({ a: 2 }))).toEqual({ a: 1 });
      expect(await cache.setAsync(key, { a: 3 })).toBe("stored");
      expect(await cache.get(key)).toEqual({ a: 3 });
    }
    // Another key of the same length that differs in its last byte only.
    expect(cache.getSync(`${"k".repeat(keyBytesMax - 1)}l`)).toBe(undefined);
    for (const key of [text, wide, bytes]) {
      expect(cache.delete(key)).toBe(true);
      expect(cache.delete(key)).toBe(false);
      expect(await cache.get(key)).toBe(undefined);
    }
  });

  test("that no segment of a small cache could hold is refused as too large", async () => {
    const cache = await open({ memory: "1mb" });
    const key = "k".repeat(keyBytesMax);
    expect(cache.set(key, 1)).toBe("too-large");
    expect(await cache.setAsync(key, 1)).toBe("too-large");
    expect(cache.getSync(key)).toBe(undefined);
    expect(await cache.get(key)).toBe(undefined);
    expect(cache.has(key)).toBe(false);
    expect(cache.delete(key)).toBe(false);
    expect(await cache.fetch(key, () => ({ a: 1 }))).toEqual({ a: 1 });
  });

  test("can always be deleted, however full the memory is", async () => {
    const cache = await open();
    const keys = Array.from({ length: 200 }, (_, number) => `${number}-`.padEnd(20_000, "k"));
    for (const key of keys) {
      cache.set(key, 1);
      expect(cache.getSync(key)).not.toBe(0);
    }
    for (const key of keys) {
      cache.delete(key);
      expect(cache.getSync(key)).toBe(undefined);
    }
  });
});

describe("keys are the same", () => {
  test("as a string and as its UTF-8", async () => {
    const cache = await open(diskAt(freshPath()));
    for (const text of ["a", "ключ", "👍 and more than twenty characters", "é".repeat(2000)]) {
      const bytes = new TextEncoder().encode(text);
      cache.set(text, "by string");
      expect(cache.getSync(bytes)).toBe("by string");
      expect(cache.getSync(Buffer.from(bytes))).toBe("by string");
      cache.set(bytes, "by bytes");
      expect(cache.getSync(text)).toBe("by bytes");
      expect(await cache.fetch(text, () => "loaded")).toBe("by bytes");
      expect(cache.delete(text)).toBe(true);
      expect(cache.has(bytes)).toBe(false);
    }
    expect(cache.stats().memory.entries).toBe(0);
  });

  test("only byte for byte: no normalising, no trimming, no case", async () => {
    const cache = await open();
    const keys = ["é", "e\u0301", "É", " é", "é ", "é\0", "\0", "__proto__", "constructor"];
    for (const [index, key] of keys.entries()) cache.set(key, index);
    expect(keys.map((key) => cache.getSync(key))).toEqual(keys.map((_, index) => index));
  });

  test("that are bytes and no UTF-8", async () => {
    const cache = await open();
    const keys = [[255], [255, 254], [0xc3], [0xed, 0xa0, 0x80]].map((bytes) =>
      Uint8Array.from(bytes),
    );
    for (const [index, key] of keys.entries()) cache.set(key, index);
    expect(keys.map((key) => cache.getSync(key))).toEqual([0, 1, 2, 3]);
    expect(cache.getSync("\ufffd")).toBe(undefined);
  });

  test("that are views are copied at the call", async () => {
    const cache = await open();
    const whole = Buffer.from("xxkeyxx");
    cache.set(whole.subarray(2, 5), 1);
    whole.fill(0);
    expect(cache.getSync("key")).toBe(1);
    const shared = new Uint8Array(new SharedArrayBuffer(3));
    shared.set(Buffer.from("key"));
    expect(cache.getSync(shared)).toBe(1);
  });
});

test("getMany() answers under the keys it was given, each once", async () => {
  const cache = await open(diskAt(freshPath()));
  const bytes = Buffer.from("b");
  cache.setMany([
    ["a", 1],
    ["b", 2],
    ["null", null],
  ]);
  const found = await cache.getMany(["a", bytes, "none", "a", "null"]);
  expect([...found]).toEqual([
    ["a", 1],
    [bytes, 2],
    ["null", null],
  ]);
  expect(await cache.getMany([])).toEqual(new Map());
});
