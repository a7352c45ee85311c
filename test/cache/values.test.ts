import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Cache, CacheOptions, CustomCodec } from "../../dist/src/mod.js";
import { assertExact } from "../codec/exact.js";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

function cyclic(): unknown {
  const value: Record<string, unknown> = { name: "self" };
  value["self"] = value;
  return value;
}

/**
 * One value of each kind that the default codec keeps, made anew for each call, so that only the
 * cache holds it.
 */
const kinds: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  true: () => true,
  false: () => false,
  zero: () => 0,
  "minus zero": () => -0,
  NaN: () => NaN,
  Infinity: () => -Infinity,
  "a fraction": () => 0.1 + 0.2,
  "the largest safe integer": () => Number.MAX_SAFE_INTEGER,
  "a BigInt": () => 2n ** 80n,
  "the empty string": () => "",
  "ASCII text": () => "text",
  "text beyond Latin 1": () => "ключ 👍",
  "text with a lone surrogate": () => "a\ud800b",
  "a long text": () => "long ".repeat(5000),
  "a Date": () => new Date(1_700_000_000_123),
  "no Date": () => new Date(NaN),
  "a Map": () =>
    new Map<unknown, unknown>([
      [{ a: 1 }, "b"],
      ["c", new Map([[1, 2]])],
    ]),
  "a Set": () => new Set<unknown>([1, "1", { one: 1 }]),
  "a RegExp": () => /a+(?<b>c)/giu,
  "an Error": () => {
    const error = new RangeError("wrong", { cause: { code: 5 } });
    error.stack = "RangeError: wrong\n    at work";
    return error;
  },
  "no bytes": () => new Uint8Array(0),
  bytes: () => Uint8Array.from([0, 1, 255]),
  "a Buffer": () => Buffer.from("bytes"),
  "a long Buffer": () => Buffer.alloc(100_000, 7),
  doubles: () => Float64Array.from([NaN, -0, 1.5]),
  "big integers": () => BigInt64Array.from([-1n, 2n ** 62n]),
  "a clamped array": () => Uint8ClampedArray.from([1, 2]),
  "a DataView": () => new DataView(Uint8Array.from([1, 2, 3]).buffer, 1, 2),
  "an ArrayBuffer": () => Uint8Array.from([1, 2, 3]).buffer,
  "an empty object": () => ({}),
  "an empty array": () => [],
  "a nested tree": () => ({ a: [{ b: { c: [null, undefined, "", 0] } }], d: new Date(5) }),
  "an undefined member": () => ({ a: undefined, b: 1 }),
  "numbers as keys": () => ({ 1: "a", "-1": "b", "01": "c" }),
  "the key __proto__": () => JSON.parse('{"__proto__":{"a":1},"b":2}') as unknown,
  "an object without prototype": () => Object.assign(Object.create(null) as object, { a: 1 }),
  // oxlint-disable-next-line no-sparse-arrays -- the hole is what is tested
  "an array with a hole": () => [1, , 3],
  "itself in itself": cyclic,
  "one object in two places": () => {
    const shared = { a: 1 };
    return [shared, shared];
  },
};

const nearModes: readonly (readonly [string, CacheOptions["near"]])[] = [
  ["shared", { mode: "shared" }],
  ["frozen", { mode: "frozen" }],
  ["copy", { mode: "copy" }],
  ["off", false],
];

/** Every way to read a key. The second read of each kind is near if anything is. */
async function readings(cache: Cache, key: string): Promise<unknown[]> {
  return [
    cache.getSync(key),
    cache.getSync(key),
    await cache.get(key),
    (await cache.getMany([key])).get(key),
    (await cache.getEntry(key))?.value,
    await cache.fetch(key, () => {
      throw new Error("the loader is not to run");
    }),
  ];
}

describe.each(nearModes)("near %s", (mode, near) => {
  test("every kind of value comes back exactly", async () => {
    const cache = await open({ near: near as false, memory: "8mb" });
    for (const [kind, make] of Object.entries(kinds)) {
      const check = (value: unknown): void => {
        try {
          assertExact(value, make());
        } catch (error) {
          throw new Error(`${kind} is not kept`, { cause: error });
        }
      };
      expect(cache.set(kind, make())).toBe("stored");
      for (const value of await readings(cache, kind)) check(value);
      expect(await cache.setAsync(kind, make())).toBe("stored");
      for (const value of await readings(cache, kind)) check(value);
      check(await cache.fetch(`${kind} loaded`, make));
      for (const value of await readings(cache, `${kind} loaded`)) check(value);
    }
  });

  test("a hit returns the shared object or a fresh one, as configured", async () => {
    const cache = await open<{ list: number[] }>({ near: near as false });
    const given = { list: [1] };
    cache.set("k", given);
    const first = cache.getSync("k");
    expect(first).not.toBe(given);
    expect(cache.getSync("k") === first).toBe(mode === "shared" || mode === "frozen");
    expect((await cache.get("k")) === first).toBe(mode === "shared" || mode === "frozen");
    expect(Object.isFrozen(first) && Object.isFrozen(first?.list)).toBe(mode === "frozen");
    given.list.push(2);
    expect(cache.getSync("k")).toEqual({ list: [1] });
  });

  test("fetch returns on a miss what a later hit returns", async () => {
    const cache = await open<{ list: number[] }>({ near: near as false });
    const loaded = { list: [1] };
    const missed = await cache.fetch("k", () => loaded);
    expect(missed).not.toBe(loaded);
    expect(cache.getSync("k") === missed).toBe(mode === "shared" || mode === "frozen");
    expect(Object.isFrozen(missed.list)).toBe(mode === "frozen");
    // Also if nothing was stored: superseded by a write, or too large.
    const superseded = await cache.fetch("superseded", ({ key }) => {
      cache.set(key, { list: [2] });
      return { list: [3] };
    });
    expect(superseded).toEqual({ list: [3] });
    expect(Object.isFrozen(superseded) && Object.isFrozen(superseded.list)).toBe(mode === "frozen");
    const large = { list: Array.from({ length: 400_000 }, (_, index) => index) };
    const tooLarge = await cache.fetch("large", () => large);
    expect(tooLarge).toEqual(large);
    expect(tooLarge).not.toBe(large);
    expect(Object.isFrozen(tooLarge)).toBe(mode === "frozen");
    expect(cache.getSync("large")).toBe(undefined);
  });
});

describe("bytes", () => {
  test("belong to the reader: changing them changes no entry", async () => {
    const cache = await open<Uint8Array>({ near: false });
    const given = Buffer.from("abc");
    cache.set("k", given);
    given.fill(0);
    const read = cache.getSync("k") as Buffer;
    expect(read.toString()).toBe("abc");
    read.fill(1);
    expect(cache.getSync("k")?.toString()).toBe("abc");
  });
});

describe("what is not a value", () => {
  const calls = (cache: Cache, value: unknown): (() => unknown)[] => [
    () => cache.set("k", value),
    () => cache.setMany([["k", value]]),
    () => cache.setAsync("k", value),
    () => cache.fetch("other", () => value),
  ];

  test("undefined is refused, and the older value stays", async () => {
    const cache = await open();
    cache.set("k", 1);
    for (const call of calls(cache, undefined).slice(0, 3)) {
      const error = await errorOf(call);
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain('Cannot store key "k": the value is undefined');
      expect(cache.getSync("k")).toBe(1);
    }
    expect(await cache.fetch("other", () => undefined)).toBe(undefined);
  });

  test.each([
    ["a function", { handlers: [{ go: () => 1 }] }, "value.handlers[0].go is a function"],
    ["a symbol", { a: Symbol("s") }, "value.a is a symbol"],
    ["an instance", { at: new URL("http://localhost/") }, "value.at is an instance of URL"],
    ["a promise", Promise.resolve(1), "value is an instance of Promise"],
    ["a WeakMap", new Map([["k", new WeakMap()]]), 'value.get("k") is an instance of WeakMap'],
    ["a symbol as a key", { [Symbol("s")]: 1 }, "keys of objects must be strings"],
  ])("%s is a TypeError that names the path", async (_name, value, words) => {
    const cache = await open();
    for (const call of calls(cache, value)) {
      // A loader's promise is awaited; a promise inside a value is refused.
      if (value instanceof Promise && call.toString().includes("fetch")) continue;
      const error = await errorOf(call);
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain(words);
    }
    expect(cache.has("k")).toBe(false);
    expect(cache.has("other")).toBe(false);
  });

  test('instances are plain objects with classInstances "plain"', async () => {
    class Point {
      x = 1;
      y = { z: 2 };
    }
    const cache = await open({ classInstances: "plain" });
    cache.set("k", new Point());
    assertExact(cache.getSync("k"), { x: 1, y: { z: 2 } });
    assertExact(await cache.fetch("l", () => new Point()), { x: 1, y: { z: 2 } });
    expect(() => cache.set("k", { f: () => 1 })).toThrow(TypeError);
  });
});

describe("codecs", () => {
  test("json returns what JSON makes of a value, on hit and miss", async () => {
    const cache = await open({ codec: "json", near: false });
    const value = { at: new Date(5), gone: undefined, list: [NaN, -0], text: "ü" };
    const expected = JSON.parse(JSON.stringify(value)) as unknown;
    expect(await cache.fetch("k", () => value)).toEqual(expected);
    assertExact(cache.getSync("k"), expected);
    cache.set("bytes", Buffer.from("b"));
    cache.set("text", "plain");
    expect(cache.getSync("bytes")).toEqual(Buffer.from("b"));
    expect(cache.getSync("text")).toBe("plain");
    const error = await errorOf(() => cache.set("k", { big: 1n }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain('"k"');
  });

  class Money {
    readonly cents: number;
    constructor(cents: number) {
      this.cents = cents;
    }
  }
  const money: CustomCodec<Money> = {
    name: "money-1",
    encode: (value) => Buffer.from(String(value.cents)),
    decode: (bytes) => new Money(Number(Buffer.from(bytes).toString())),
  };

  test("a user's codec gets every value, and its type comes back", async () => {
    const path = freshPath();
    const cache = await open({ codec: money, ...diskAt(path) });
    cache.set("k", new Money(5));
    expect(cache.getSync("k")).toEqual(new Money(5));
    expect(cache.getSync("k")).toBeInstanceOf(Money);
    expect(await cache.fetch("l", () => new Money(6))).toBeInstanceOf(Money);
    expect(await cache.setAsync("m", new Money(7))).toBe("stored");
    await cache.close();
    const again = await open({ codec: money, ...diskAt(path) });
    const found = await again.getMany(["k", "l", "m"]);
    expect([...found.values()]).toEqual([new Money(5), new Money(6), new Money(7)]);
    expect(found.get("m")).toBeInstanceOf(Money);
  });

  test("a codec that throws or returns no bytes is reported, and nothing is stored", async () => {
    const cause = new Error("cannot");
    const cache = await open<number>({
      codec: {
        name: "bad",
        encode: (value) => {
          if (value === 1) throw cause;
          if (value === 2) return "text" as never;
          return Uint8Array.of(value);
        },
        decode: () => {
          throw cause;
        },
      },
    });
    for (const value of [1, 2]) {
      expect(await errorOf(() => cache.set("k", value))).toBeInstanceOf(Error);
      expect(await errorOf(() => cache.setAsync("k", value))).toBeInstanceOf(Error);
      expect(cache.has("k")).toBe(false);
    }
    cache.set("k", 3);
    expect(cache.getSync("k")).toBe(undefined);
    expect(await cache.get("k")).toBe(undefined);
    const { codecErrors, corruptRecords } = cache.stats();
    expect([codecErrors, corruptRecords]).toEqual([1, 0]);
  });
});

describe("too large", () => {
  test.each([["memory"], ["disk"]])("removes the older value all the same (%s)", async (tier) => {
    const cache = await open(tier === "disk" ? diskAt(freshPath()) : {});
    // Random, so that it cannot be compressed.
    const large = randomBytes(1_500_000);
    for (const write of [
      () => cache.set("k", large),
      () => cache.setMany([["k", large]])[0],
      () => cache.setAsync("k", large),
      () => cache.fetch("k", () => large, { forceRefresh: true }).then(() => "too-large"),
    ]) {
      cache.set("k", "older");
      expect(cache.getSync("k")).toBe("older");
      if (tier === "disk") await cache.flush();
      expect(await write()).toBe("too-large");
      expect(cache.getSync("k")).toBe(undefined);
      expect(await cache.get("k")).toBe(undefined);
      expect(cache.has("k")).toBe(false);
    }
    expect(cache.stats().sets).toMatchObject({ stored: 4, tooLarge: 4 });
  });

  test("values up to a quarter of the segments are stored whole", async () => {
    const cache = await open<Buffer>({ memory: "3mb", ...diskAt(freshPath()) });
    for (const bytes of [8000, 8192, 8193, 30_000, 32_768, 65_536, 300_001]) {
      const value = Buffer.from(Array.from({ length: bytes }, (_, index) => index % 251));
      expect(cache.set("k", value)).toBe("stored");
      expect(cache.getSync("k")?.equals(value)).toBe(true);
      expect((await cache.getEntry("k"))?.size).toBeGreaterThan(bytes);
    }
    expect(cache.delete("k")).toBe(true);
    expect(cache.getSync("k")).toBe(undefined);
  });
});
