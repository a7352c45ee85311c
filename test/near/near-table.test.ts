// The near table: whatever is added and removed, a key gets its own newest value or none. Then the
// same through a cache whose caller uses fresh key strings.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { NearKey } from "../../dist/src/near/near-rows.js";
import { NearTable } from "../../dist/src/near/near-table.js";
import { KeyWindow } from "../../dist/src/kernel/mod.js";
import { attachCache, type Cache } from "../../dist/src/mod.js";
import { openThread } from "../kernel/opened-kernel.js";
import { open, setUpCaches } from "../cache/opened.js";
import { KernelCalls } from "./kernel-calls.js";

setUpCaches();

/** The table with the key window that keys are written to, as one thread has them. */
class Desk {
  readonly #keys: KeyWindow;
  readonly table: NearTable;
  readonly #key = new NearKey();

  constructor(entriesMax: number, bytesMax = 1e9) {
    const { kernel } = openThread();
    this.#keys = new KeyWindow(kernel);
    this.table = new NearTable(this.#keys.words, entriesMax, bytesMax);
  }

  hash(key: string): number {
    this.#keys.write(key);
    return this.#keys.hash;
  }

  /** The hash by which the near cache knows a key. */
  #known(key: string): number {
    const hash = this.hash(key);
    return hash === 0 ? this.#keys.kernelHash() : hash;
  }

  /** The number of a key's entry, 0 for none. */
  numberOf(key: string, hash = this.#known(key)): number {
    const length = this.#keys.write(key);
    const position = this.table.find(hash, length, key);
    return position < 0 ? 0 : this.table.numberAt(position);
  }

  find(key: string): unknown {
    const hash = this.#known(key);
    const length = this.#keys.write(key);
    const position = this.table.find(hash, length, key);
    return position < 0 ? undefined : this.table.valueAt(position);
  }

  /** Adds a value as the near cache does; what has to leave for it is removed. */
  add(key: string, value: unknown, hash = this.#known(key), bytes = 10): number {
    const older = this.numberOf(key, hash);
    if (older !== 0) this.table.remove(older);
    const length = this.#keys.write(key);
    const hashLow = Math.imul(hash, 31);
    this.#key.take(hash, length, hashLow, this.#keys.words);
    if (this.#key.isLong) this.#key.text = key;
    const obstacle = this.table.obstacleOf(hash);
    if (obstacle !== 0) this.table.remove(obstacle);
    const word = { low: 1, high: 2, tagEpoch: null };
    const number = this.table.put(this.#key, word, value, Infinity, bytes);
    while (this.table.isOverfull) {
      const victim = this.table.entryAtHand();
      if (victim === number) this.table.passHand();
      else this.table.remove(victim);
    }
    return number;
  }

  remove(key: string): void {
    const number = this.numberOf(key);
    if (number !== 0) this.table.remove(number);
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
    const all = [...keys, "k".repeat(257), "é".repeat(200)];
    for (const key of all) expect(desk.add(key, key)).toBeGreaterThan(0);
    for (const key of all) expect(desk.find(key)).toBe(key);
    for (const key of all) expect(desk.table.textOf(desk.numberOf(key))).toBe(key);
    for (const key of all.slice(0, 10)) desk.remove(key);
    expect(all.map((key) => desk.find(key))).toEqual(
      all.map((key, index) => (index < 10 ? undefined : key)),
    );
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
    for (const key of ["other", "askee", "aske", "k".repeat(40)]) desk.add(key, key, hash);
    expect(desk.find("asked")).toBeUndefined();
    desk.add("asked", "its own");
    expect(desk.find("asked")).toBe("its own");
  });

  test("whose positions are all taken takes that of an entry that was not hit", () => {
    const desk = new Desk(64);
    const hash = desk.hash("asked");
    const others = Array.from({ length: 8 }, (_, number) => `other:${number}`);
    for (const key of others) desk.add(key, key, hash);
    expect(desk.table.count).toBe(8);
    for (const key of others) if (key !== "other:5") desk.table.refer(desk.numberOf(key, hash));
    desk.add("asked", "asked");
    expect(desk.find("asked")).toBe("asked");
    expect(others.filter((key) => desk.numberOf(key, hash) === 0)).toEqual(["other:5"]);
  });
});

test("the table grows up to its bound and keeps what it has", () => {
  const desk = new Desk(5000);
  const many = Array.from({ length: 5000 }, (_, number) => `user:${number}`);
  for (const key of many) desk.add(key, key);
  const found = many.filter((key) => desk.find(key) === key).length;
  expect(found).toBe(desk.table.count);
  expect(found).toBeGreaterThan(4950);
  const { heapBytes } = desk.table;
  for (const key of many) desk.add(`${key}:more`, key);
  expect(desk.table.count).toBeLessThanOrEqual(5000);
  expect(desk.table.heapBytes).toBe(heapBytes);
  desk.table.clear();
  expect(many.filter((key) => desk.find(key) !== undefined)).toEqual([]);
  expect([desk.table.count, desk.table.bytes]).toEqual([0, 0]);
  expect(desk.table.heapBytes).toBeLessThan(1000);
});

test("trust ends for the entries of one hash, or for all at once", () => {
  const desk = new Desk(64);
  const numbers = ["a", "b", "c"].map((key) => desk.add(key, key));
  const [a, b, c] = numbers as [number, number, number];
  for (const number of numbers) desk.table.trust(number);
  expect(desk.table.trusted).toBe(3);
  const hashLow = Math.imul(desk.hash("b"), 31);
  expect(desk.table.nextOf(hashLow, 0)).toBe(b);
  expect(desk.table.nextOf(hashLow, b)).toBe(0);
  desk.table.distrust(b);
  expect(numbers.map((number) => desk.table.isTrusted(number))).toEqual([true, false, true]);
  desk.table.distrustAll();
  expect(numbers.map((number) => desk.table.isTrusted(number))).toEqual([false, false, false]);
  expect(desk.table.trusted).toBe(0);
  desk.table.trust(c);
  desk.table.remove(c);
  desk.table.remove(a);
  expect([desk.table.trusted, desk.table.count]).toEqual([0, 1]);
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
          desk.add(key, value);
          newest.set(key, value);
        }
        if (act === "remove") {
          desk.remove(key);
          newest.delete(key);
        }
        if (act === "clear") {
          desk.table.clear();
          newest.clear();
        }
        if (desk.table.count > 24) throw new Error("more entries than the bound");
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
