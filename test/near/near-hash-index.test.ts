// The near hash index: whatever is added and removed, a key gets its own newest value or none. Then
// the same through a cache whose caller uses fresh key strings.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { NearHashIndex } from "../../dist/src/near/near-hash-index.js";
import { KeyWindow } from "../../dist/src/kernel/mod.js";
import { attachCache, type Cache, ManualClock } from "../../dist/src/mod.js";
import { openThread } from "../kernel/opened-kernel.js";
import { open, setUpCaches } from "../cache/opened.js";
import { KernelCalls } from "./kernel-calls.js";

setUpCaches();

/** The index with the key window that keys are written to, as one thread has them. */
class Desk {
  readonly #keys: KeyWindow;
  readonly clock = new ManualClock();
  readonly hashIndex: NearHashIndex;
  /** The numbers that the near cache would keep, by key. */
  readonly #numbers = new Map<string, number>();

  constructor(entriesMax: number) {
    const { kernel } = openThread();
    this.#keys = new KeyWindow(kernel);
    this.hashIndex = new NearHashIndex(this.#keys.words, entriesMax, this.clock);
  }

  hash(key: string): number {
    this.#keys.write(key);
    return this.#keys.hash;
  }

  find(key: string): unknown {
    const length = this.#keys.write(key);
    return this.hashIndex.find(this.#keys.hash, length, key);
  }

  add(key: string, value: unknown, expiresMs = Infinity, hash?: number): number {
    const length = this.#keys.write(key);
    const before = this.#numbers.get(key) ?? 0;
    const number = this.hashIndex.add(
      hash ?? this.#keys.hash,
      length,
      key,
      value,
      expiresMs,
      before,
    );
    this.#numbers.set(key, number);
    return number;
  }

  remove(key: string): void {
    this.hashIndex.remove(this.#numbers.get(key) ?? 0, key);
  }
}

/** Keys on both sides of each limit: a row, the loop that writes short keys, ASCII, and keys that
 *  have a hash. */
const keys = [
  "a",
  "ab",
  "abc",
  "abcd",
  "abcd\u0000",
  "é",
  "漢",
  "user:1:profile",
  "user:2:profile",
  ...[23, 24, 25, 27, 28, 29, 32, 255, 256].map((length) => "k".repeat(length)),
  ...[24, 28, 29, 100].map((length) => `${"k".repeat(length - 1)}l`),
  "é".repeat(14),
  "é".repeat(15),
];

describe("a key", () => {
  test("of every kind is found by its hash and gets its own value", () => {
    const desk = new Desk(64);
    for (const key of keys) expect(desk.add(key, key)).toBeGreaterThan(0);
    for (const key of keys) expect(desk.find(key)).toBe(key);
    for (const key of keys.slice(0, 10)) desk.remove(key);
    expect(keys.map((key) => desk.find(key))).toEqual(
      keys.map((key, index) => (index < 10 ? undefined : key)),
    );
  });

  test("of more than 256 bytes has no hash and is not added", () => {
    const desk = new Desk(8);
    const long = "k".repeat(257);
    expect(desk.hash(long)).toBe(0);
    expect(desk.add(long, 1)).toBe(0);
    expect(desk.find(long)).toBeUndefined();
    expect(desk.hashIndex.isEmpty).toBe(true);
  });

  test("has the same hash at each write, and shares it with few others", () => {
    const desk = new Desk(8);
    const many = Array.from({ length: 20_000 }, (_, index) => `user:${index}:profile`);
    const hashes = many.map((key) => desk.hash(key));
    desk.hash("x".repeat(300));
    expect(many.map((key) => desk.hash(["", key].join("")))).toEqual(hashes);
    expect(new Set(hashes).size).toBeGreaterThan(19_990);
    const groups = new Set(hashes.map((hash) => hash & 0x3fff));
    // 16,384 (1 - e^(-20,000 / 16,384)), of a hash whose low bits are random.
    expect(groups.size).toBeGreaterThan(11_000);
  });

  test("is told apart from others with the same hash", () => {
    const desk = new Desk(64);
    const hash = desk.hash("asked");
    for (const key of ["other", "askee", "aske", "k".repeat(40)])
      desk.add(key, key, Infinity, hash);
    expect(desk.find("asked")).toBeUndefined();
    desk.add("asked", "its own");
    expect(desk.find("asked")).toBe("its own");
  });
});

test("a value is returned until it expires", () => {
  const desk = new Desk(8);
  desk.add("k", 1, desk.clock.now() + 100);
  desk.clock.advance(99);
  expect(desk.find("k")).toBe(1);
  desk.clock.advance(1);
  expect(desk.find("k")).toBeUndefined();
  desk.add("k", 2);
  expect(desk.find("k")).toBe(2);
});

test("the index holds no more entries than the near cache, and a removed one makes room", () => {
  const desk = new Desk(4);
  for (const key of ["a", "b", "c", "d"]) expect(desk.add(key, key)).toBeGreaterThan(0);
  expect(desk.add("e", "e")).toBe(0);
  expect(desk.find("e")).toBeUndefined();
  desk.remove("b");
  expect(desk.add("e", "e")).toBeGreaterThan(0);
  expect(desk.find("e")).toBe("e");
});

test("after any adds, removals and clears a key has its newest value or none", () => {
  const step = fc.record({
    act: fc.oneof(
      { weight: 10, arbitrary: fc.constant("add" as const) },
      { weight: 5, arbitrary: fc.constant("remove" as const) },
      { weight: 20, arbitrary: fc.constant("find" as const) },
      { weight: 1, arbitrary: fc.constant("clear" as const) },
    ),
    key: fc.nat(39),
  });
  let found = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 200, maxLength: 300 }), (steps) => {
      // So small that keys replace each other.
      const desk = new Desk(24);
      const newest = new Map<string, number>();
      let value = 0;
      for (const { act, key: index } of steps) {
        const key = index % 3 === 0 ? `long key number ${index}`.padEnd(40, ".") : `key:${index}`;
        if (act === "add") {
          value += 1;
          if (desk.add(key, value) > 0) newest.set(key, value);
          else newest.delete(key);
        }
        if (act === "remove") {
          desk.remove(key);
          newest.delete(key);
        }
        if (act === "clear") {
          desk.hashIndex.clear();
          newest.clear();
          if (!desk.hashIndex.isEmpty) throw new Error("something is left after a clear");
        }
        const answer = desk.find(key);
        if (answer === undefined) continue;
        found += 1;
        if (answer !== newest.get(key)) throw new Error(`${key} has an older value`);
      }
    }),
    { numRuns: 100 },
  );
  expect(found).toBeGreaterThan(5000);
});

describe("a cache whose caller uses fresh key strings", () => {
  /** A cache, and what shows whether its gets ask the kernel. */
  async function openFast(): Promise<{ cache: Cache<number>; calls: KernelCalls }> {
    const cache = await open<number>({ eviction: "s3-fifo" });
    return { cache, calls: new KernelCalls(cache) };
  }

  /** The value, and whether it was found without the kernel. */
  function ask(
    { cache, calls }: { cache: Cache<number>; calls: KernelCalls },
    number: number,
  ): { value: number | undefined; isFast: boolean } {
    const { value, isAsked } = calls.during(() => cache.getSync(`user:${number}:profile`));
    return { value, isFast: value !== undefined && !isAsked };
  }

  const numbers = Array.from({ length: 100 }, (_, number) => number);

  test("finds values without the kernel from the fourth get until a write", async () => {
    const opened = await openFast();
    const { cache } = opened;
    const countFast = (): number => numbers.filter((number) => ask(opened, number).isFast).length;
    for (const number of numbers) cache.set(`user:${number}:profile`, number);
    for (let get = 0; get < 3; get++) expect(countFast()).toBe(0);
    // Sampled keys enter no index, and those whose records the janitor has moved leave it.
    expect(countFast()).toBeGreaterThan(85);
    const other = attachCache<number>(cache.handle());
    for (const number of numbers) {
      const writer = number % 2 === 0 ? cache : other;
      writer.set(`user:${number}:profile`, number + 1000);
      expect(ask(opened, number)).toEqual({ value: number + 1000, isFast: false });
    }
    cache.clear();
    expect(numbers.filter((number) => ask(opened, number).value !== undefined)).toEqual([]);
    await other.close();
  });

  test("counts hits that are found without the kernel", async () => {
    const opened = await openFast();
    opened.cache.set("user:1:profile", 1);
    for (let get = 0; get < 10; get++) ask(opened, 1);
    expect(opened.cache.stats().hits).toMatchObject({ near: 9, memory: 1 });
  });
});
