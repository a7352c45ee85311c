import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { type Key, keyIdOf, keyTooLong } from "../../dist/src/kernel/mod.js";
import { flagKeyBytes } from "../../dist/src/record/mod.js";
import { counterMemoryEntries } from "../../dist/src/stats/mod.js";
import {
  fill,
  find,
  MiB,
  type OpenedStore,
  openStore,
  openStores,
  plainFields,
  read,
  write,
} from "../memory/opened-store.js";

/** Lengths around every limit: words of the short loop, the scratch in characters and in bytes, the
 *  longest key. */
const lengths = [
  1, 2, 3, 4, 5, 7, 8, 19, 20, 21, 22, 64, 681, 682, 683, 684, 700, 1024, 2047, 2048,
];
const longLengths = [2049, 5000, 20_000];

describe("a string key is stored as its UTF-8", () => {
  test.each([
    ["ASCII", "k"],
    ["two bytes", "é"],
    ["three bytes", "漢"],
    ["four bytes", "𐍈"],
    ["controls", "\u0001"],
  ])("%s, of every length", (_name, character) => {
    const store = openStore();
    const counts = [...lengths, ...longLengths].map((length) =>
      Math.ceil(length / character.length),
    );
    const keys = [...new Set(counts)]
      .map((count) => character.repeat(count))
      .filter((key) => Buffer.byteLength(key) < 30_000);
    expect(keys.length).toBeGreaterThan(lengths.length / 2);
    for (const [number, key] of keys.entries())
      expect(write(store, key, `v${number}`)).toBe("stored");
    for (const [number, key] of keys.entries()) {
      expect(read(store, key)).toBe(`v${number}`);
      expect(store.record.key()).toBe(key);
    }
    for (const key of keys) expect(store.writer.remove(key)).toBe(true);
    for (const key of keys) expect(read(store, key)).toBe("(none)");
  });

  test("mixed characters at any position of a short key", () => {
    const store = openStore();
    const keys: string[] = [];
    for (let position = 0; position < 20; position++) {
      for (const character of ["\u007f", "\u0080", "\u00ff", "\u0100", "\u2028", "😀"]) {
        keys.push(`${"a".repeat(position)}${character}${"b".repeat(19 - position)}`);
      }
    }
    for (const [number, key] of keys.entries()) write(store, key, `v${number}`);
    for (const [number, key] of keys.entries()) expect(read(store, key)).toBe(`v${number}`);
  });

  test("a pair of surrogates is a character, a lone surrogate a TypeError", () => {
    const store = openStore();
    write(store, "\ud83d\ude00", "pair");
    expect(read(store, "😀")).toBe("pair");
    for (const lone of ["\ud83d", "\ude00", "a\ud83d", "\ud83dab", "\ude00\ud83d"]) {
      expect(() => store.keys.write(lone)).toThrow(TypeError);
      expect(() => store.keys.write(`${"x".repeat(1000)}${lone}`)).toThrow("lone surrogate");
    }
  });

  test("a replacement character is itself", () => {
    const store = openStore();
    write(store, "a\ufffd", "replacement");
    expect(read(store, "a\ufffd")).toBe("replacement");
  });
});

describe("a key of bytes", () => {
  test("of every length is stored unchanged and marked as bytes", () => {
    const store = openStore();
    for (const length of [...lengths, ...longLengths]) {
      const key = Uint8Array.from({ length }, (_, byte) => (byte * 7 + length) & 255);
      expect(write(store, key, `v${length}`)).toBe("stored");
      expect(read(store, key)).toBe(`v${length}`);
      expect(store.record.flags & flagKeyBytes).toBe(flagKeyBytes);
      expect(store.record.key()).toEqual(key);
    }
  });

  test("is the same key as a string of the same bytes", () => {
    const store = openStore();
    write(store, "user:7", "string");
    expect(read(store, Buffer.from("user:7"))).toBe("string");
    write(store, Buffer.from("user:7"), "bytes");
    expect(read(store, "user:7")).toBe("bytes");
    expect(store.record.key()).toEqual(Uint8Array.from(Buffer.from("user:7")));
  });

  test("may be a view into a larger buffer", () => {
    const store = openStore();
    const whole = Buffer.from("..user:7..");
    write(store, whole.subarray(2, 8), "view");
    expect(read(store, "user:7")).toBe("view");
  });
});

describe("the longest keys", () => {
  test("of 64 KiB are stored if a segment can hold them", () => {
    const store = openStore({ memoryBytes: 64 * MiB });
    for (const key of ["k".repeat(65_536), "漢".repeat(21_845), new Uint8Array(65_536).fill(9)]) {
      expect(write(store, key, "value")).toBe("stored");
      expect(read(store, key)).toBe("value");
      expect(store.record.key()).toEqual(key);
    }
  });

  test("beyond 64 KiB are a RangeError", () => {
    const store = openStore({ memoryBytes: 64 * MiB });
    expect(() => store.keys.write("k".repeat(65_537))).toThrow(RangeError);
    expect(() => store.keys.write("漢".repeat(21_846))).toThrow("65538 bytes");
    expect(() => store.keys.write(new Uint8Array(65_537))).toThrow(RangeError);
  });

  test("that no segment can hold are never found and never stored", () => {
    const store = openStore();
    expect(store.kernel.geometry.segmentBytes).toBe(32 * 1024);
    const key = "k".repeat(40_000);
    expect(store.keys.write(key)).toBe(keyTooLong);
    expect(find(store, key)).toBe("none");
    expect(store.writer.remove(key)).toBe(false);
    expect(write(store, key, "v")).toBe("too-large");
  });

  test("take no segment, and are found when none is free", () => {
    const store = openStore();
    const key = "k".repeat(3000);
    const free = (): number => store.kernel.verbs.freeSegments(1000);
    const before = free();
    expect(read(store, key)).toBe("(none)");
    expect(free()).toBe(before);
    write(store, key, "value");
    fill(store);
    expect(free()).toBe(0);
    expect(read(store, key)).toBe("value");
    expect(store.writer.remove(key)).toBe(true);
    expect(read(store, key)).toBe("(none)");
  });

  test("of two threads are in pages of their own", () => {
    const [one, two] = openStores(2) as [OpenedStore, OpenedStore];
    const [first, second] = ["a".repeat(30_000), "b".repeat(30_000)];
    write(one, first, "1");
    write(two, second, "2");
    one.keys.write(first);
    two.keys.write(second);
    expect(one.reader.findWritten(false)).toBe("memory");
    expect(one.record.key()).toBe(first);
    expect(Math.abs(one.keys.at - two.keys.at)).toBeGreaterThanOrEqual(at.pageSize);
  });
});

test.each([
  ["an empty string", ""],
  ["no bytes", new Uint8Array(0)],
  ["a number", 7],
  ["an object", {}],
  ["undefined", undefined],
])("%s is a TypeError", (_name, key) => {
  const store = openStore();
  expect(() => store.keys.write(key as string)).toThrow(TypeError);
});

test("the window stays inside its thread's scratch", () => {
  const store = openStore();
  const { block } = store.kernel;
  store.keys.write("k".repeat(682));
  expect(store.keys.at).toBe(block + at.threadKeyScratch);
  store.keys.write(new Uint8Array(at.keyScratchSize).fill(1));
  expect(store.keys.at).toBe(block + at.threadKeyScratch);
  store.keys.write(new Uint8Array(at.keyScratchSize + 1).fill(1));
  expect(store.keys.at).toBeGreaterThanOrEqual(store.kernel.geometry.totalBytes);
});

describe("a key that is taken", () => {
  test.each<[string, Key]>([
    ["a short string", "user:7"],
    ["a string of many bytes", "é".repeat(400)],
    ["bytes", Uint8Array.of(0, 255, 128, 7)],
    ["a long string", "k".repeat(5000)],
    ["long bytes", new Uint8Array(20_000).fill(9)],
  ])("(%s) is the same for every later call, whatever was written meanwhile", (_name, key) => {
    const store = openStore();
    const { verbs, results } = store.kernel;
    const length = store.keys.write(key);
    verbs.hashKey(store.keys.at, length);
    const hash = [results.hashLow, results.hashHigh];
    store.keys.write(key);
    const taken = store.keys.take(key);
    expect([taken.hashLow, taken.hashHigh]).toEqual(hash);
    expect(taken.toKey()).toEqual(key);
    expect(taken.id).toBe(keyIdOf(key));
    expect([taken.isHashed, taken.isBytes]).toEqual([true, typeof key !== "string"]);
    expect(store.writer.write(taken, Buffer.from("value"), plainFields)).toBe("stored");
    for (const meanwhile of ["another", "k".repeat(4000)]) {
      store.keys.write(meanwhile);
      expect(store.reader.findHashed(taken, false)).toBe("memory");
      expect(store.record.key()).toEqual(key);
    }
    expect(read(store, key)).toBe("value");
    store.keys.write("another");
    expect(store.writer.remove(taken)).toBe(true);
    expect(read(store, key)).toBe("(none)");
  });

  test("is removed when no segment is free", () => {
    const store = openStore();
    const key = "k".repeat(3000);
    write(store, key, "old");
    fill(store);
    store.keys.write(key);
    const taken = store.keys.take(key);
    expect([taken.isHashed, taken.toKey()]).toEqual([true, key]);
    store.keys.write("another");
    expect(store.writer.remove(taken)).toBe(true);
    expect(store.kernel.total(counterMemoryEntries)).toBe(0);
  });

  test("has no hash if no segment can hold it", () => {
    const store = openStore();
    const key = "k".repeat(40_000);
    store.keys.write(key);
    const taken = store.keys.take(key);
    expect([taken.isHashed, taken.toKey()]).toEqual([false, key]);
    expect(store.writer.remove(taken)).toBe(false);
  });
});
