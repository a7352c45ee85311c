// Arguments of a wrong shape, as habits of other libraries bring them: refused by every method,
// with what to write instead, and with nothing done.

import { describe, expect, test } from "vitest";
import { type Cache, openCache } from "../../dist/src/mod.js";
import { errorOf, open, setUpCaches } from "./opened.js";

setUpCaches();

/** Every method that takes the options of a set or a fetch. */
function optionCalls(cache: Cache, given: unknown): (() => unknown)[] {
  const options = given as never;
  return [
    () => cache.set("k", 1, options),
    () => cache.setMany([["k", 1]], options),
    () => cache.setMany([], options),
    () => cache.setAsync("k", 1, options),
    () => cache.fetch("k", () => 1, options),
  ];
}

describe("options of a wrong shape", () => {
  test.each<[string, unknown, string]>([
    [
      "a number",
      60_000,
      "current value is 60000; it must be an object of options, such as { ttl: 60000 }",
    ],
    [
      "a duration",
      "5m",
      'current value is "5m"; it must be an object of options, such as { ttl: "5m" }',
    ],
    ["tags", ["a"], 'is an array of 1; it must be an object of options, such as { tags: ["a"] }'],
    ["no tags", [], "is an array of 0; it must be an object of options"],
    ["null", null, "current value is null; it must be an object of options { ttl, staleFor, tags"],
    ["true", true, "current value is true; it must be an object of options"],
    ["a function", () => 1, "current value is a function; it must be an object of options"],
    ["a Map", new Map([["ttl", 5]]), "an instance of Map; it must be an object of options"],
    ["a Date", new Date(0), "an instance of Date; it must be an object of options"],
    ["a promise", Promise.resolve({}), "an instance of Promise; it must be an object of options"],
  ])("%s are refused", async (_name, options, words) => {
    const cache = await open();
    for (const call of optionCalls(cache, options)) {
      const error = await errorOf(call);
      expect(`${call.toString()}: ${error.name}`).toBe(`${call.toString()}: TypeError`);
      expect(error.message).toContain("Cannot use option options: ");
      expect(error.message).toContain(words);
    }
    expect(cache.has("k")).toBe(false);
  });

  test("a signal is told { signal }", async () => {
    const cache = await open();
    const { signal } = new AbortController();
    const calls = [
      () => cache.get("k", signal as never),
      () => cache.fetch("k", () => 1, signal as never),
    ];
    for (const call of calls) expect((await errorOf(call)).message).toContain("such as { signal }");
  });

  test("true is told { fsync }", async () => {
    const cache = await open();
    const error = await errorOf(() => cache.flush(true as never));
    expect(error.message).toContain("such as { fsync: true }");
  });

  test.each([null, [], true, { soft: null }])(
    "a timeout of %j names the durations",
    async (given) => {
      const cache = await open();
      const error = await errorOf(() => cache.fetch("k", () => 1, { timeout: given as never }));
      expect([error.name, error.message]).toEqual([
        "TypeError",
        expect.stringMatching(/^Cannot use option timeout.*a number of milliseconds.*"30s"/),
      ]);
    },
  );

  test("objects without a prototype, frozen or inherited are options", async () => {
    const cache = await open();
    const bare = Object.assign(Object.create(null) as object, { tags: ["t"] });
    for (const options of [bare, Object.freeze({ tags: ["t"] }), Object.create(bare), {}]) {
      expect(cache.set("k", 1, options as object)).toBe("stored");
    }
    cache.set("k", 1, Object.create(bare) as object);
    expect((await cache.getEntry("k"))?.tags).toEqual(["t"]);
  });
});

describe("openCache", () => {
  test.each<[string, object, string]>([
    ["disk", { disk: "./x" }, 'it must be an object of options, such as { path: "./x" }'],
    [
      "disk",
      { disk: null },
      "it must be an object of options { path, capacity, admission, preload, whenBehind, when",
    ],
    ["near", { near: "copy" }, 'false or an object of options, such as { mode: "copy" }'],
    ["near", { near: null }, "it must be false or an object of options { mode, maxEntries"],
    ["codec", { codec: () => 1 }, 'must be "msgpack" or "json", or an object { name, encode'],
    ["options", 5 as never, "it must be an object of options { name, memory, disk"],
  ])("%s of a wrong shape is told what to write", async (option, options, words) => {
    const error = await errorOf(() => openCache(options));
    expect([error.name, error.message]).toEqual([
      "TypeError",
      expect.stringMatching(new RegExp(`^Cannot use option ${option}: `)),
    ]);
    expect(error.message).toContain(words);
  });
});

describe("many keys", () => {
  const calls: [string, (cache: Cache, keys: never) => unknown][] = [
    ["deleteMany", (cache, keys) => cache.deleteMany(keys)],
    ["getMany", (cache, keys) => cache.getMany(keys)],
  ];

  test.each(calls)("one key is no list of keys to %s", async (_name, call) => {
    const cache = await open();
    for (const letter of "user") cache.set(letter, 1);
    const error = await errorOf(() => call(cache, "user" as never));
    expect([error.name, error.message]).toEqual([
      "TypeError",
      'Cannot use keys: current value is "user"; it must be an iterable of keys, such as ["user"]',
    ]);
    for (const wrong of [Buffer.from("user"), 5, null, undefined, {}, () => 1]) {
      expect((await errorOf(() => call(cache, wrong as never))).message).toContain(
        "Cannot use keys",
      );
    }
    expect(cache.stats().memory.entries).toBe(4);
  });

  test.each(calls)("a wrong key among them is found before %s does anything", async (_n, call) => {
    const cache = await open();
    cache.set("a", 1);
    const before = cache.stats().hits.total;
    expect((await errorOf(() => call(cache, ["a", 5] as never))).message).toContain(
      'current value is 5; it must be a non-empty string or Uint8Array, such as "5"',
    );
    expect([cache.has("a"), cache.stats().hits.total]).toEqual([true, before]);
  });

  test("any iterable is taken", async () => {
    const cache = await open();
    cache.setMany(new Map([["a", 1]]));
    expect([...(await cache.getMany(new Set(["a"])))]).toEqual([["a", 1]]);
    expect(cache.deleteMany(new Map([["a", 1]]).keys())).toBe(1);
  });
});

describe("setMany", () => {
  test.each<[string, unknown]>([
    ["an object", { a: 1 }],
    ["a text", "ab"],
    ["nothing", undefined],
    ["a number", 5],
  ])("%s is no list of entries", async (_name, entries) => {
    const cache = await open();
    const error = await errorOf(() => cache.setMany(entries as never));
    expect([error.name, error.message]).toEqual([
      "TypeError",
      expect.stringMatching(/iterable of \[key, value\] pairs, .* Object\.entries\(object\)$/),
    ]);
  });

  test.each<[string, unknown, string]>([
    ["a text", "ab", 'entry 0 is "ab"; it must be a pair [key, value]'],
    ["an object", { key: "k", value: 1 }, "entry 0 is an object; it must be a pair"],
    ["three things", ["k", 1, { ttl: 5 }], "entry 0 is an array of 3; it must be a pair"],
  ])("%s is no entry", async (_name, entry, words) => {
    const cache = await open();
    const error = await errorOf(() => cache.setMany([entry] as never));
    expect([error.name, error.message]).toEqual(["TypeError", expect.stringContaining(words)]);
    expect(cache.stats().memory.entries).toBe(0);
  });

  test("with a first entry that cannot be set throws its error, and has set none", async () => {
    const cache = await open();
    const entries: [string, unknown][] = [
      ["a", () => 1],
      ["b", 2],
    ];
    const error = await errorOf(() => cache.setMany(entries));
    expect(error.message).toMatch(/^Cannot store value of key "a": value is a function; .* own$/);
    expect(cache.stats().memory.entries).toBe(0);
  });

  test.each<[string, unknown, unknown, string]>([
    [
      "value",
      "c",
      () => 1,
      'Cannot set entry 2: Cannot store value of key "c": value is a function',
    ],
    ["key", 5, 1, "Cannot set entry 2: Cannot use key: current value is 5"],
  ])("with a later %s that cannot be set says how many were", async (_name, key, value, words) => {
    const cache = await open();
    const entries = [
      ["a", 1],
      ["b", 2],
      [key, value],
      ["d", 4],
    ];
    const error = await errorOf(() => cache.setMany(entries as never));
    expect(error.name).toBe("TypeError");
    expect(error.message).toContain(words);
    expect(error.message).toMatch(/; the 2 before it were set$/);
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(["a", "b", "d"].map((one) => cache.has(one))).toEqual([true, true, false]);
  });

  test("keeps the kind of error, and ends the iterator", async () => {
    const cache = await open();
    let isEnded = false;
    function* entries(): Generator<[string, unknown]> {
      try {
        yield ["a", 1];
        yield ["k".repeat(70_000), 1];
      } finally {
        isEnded = true;
      }
    }
    const error = await errorOf(() => cache.setMany(entries()));
    expect([error.name, error.message]).toEqual([
      "RangeError",
      expect.stringMatching(/^Cannot set entry 1: .*; the entry before it was set$/),
    ]);
    expect(isEnded).toBe(true);
  });
});

describe("functions", () => {
  test.each([undefined, null, 5, "text", {}, Promise.resolve(1)])(
    "%j is no loader",
    async (loader) => {
      const cache = await open();
      const error = await errorOf(() => cache.fetch("k", loader as never));
      expect([error.name, error.message]).toEqual([
        "TypeError",
        expect.stringMatching(/^Cannot fetch key "k": the loader is .*; it must be a function/),
      ]);
      expect(cache.stats().loads).toBe(0);
    },
  );

  test.each<[unknown, unknown, string]>([
    [5, { key: () => "k" }, "Cannot wrap 5: it must be a function"],
    [
      () => 1,
      undefined,
      "Cannot use option key: current value is undefined; it must be a function",
    ],
    [() => 1, null, "Cannot use option key: current value is undefined"],
    [() => 1, { key: "k" }, 'Cannot use option key: current value is "k"; it must be a function'],
    [() => 1, () => "k", "Cannot use option key: current value is undefined"],
  ])("wrap(%s, %j) is refused", async (fn, options, words) => {
    const cache = await open();
    const error = await errorOf(() => cache.wrap(fn as never, options as never));
    expect([error.name, error.message]).toEqual(["TypeError", expect.stringContaining(words)]);
  });
});
