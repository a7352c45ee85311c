import { describe, expect, test } from "vitest";
import {
  assertKey,
  entry,
  type FetchOptions,
  keyBytesMax,
  resolveConfig,
  resolveFetchOptions,
  resolveSetOptions,
  type SetOptions,
} from "../../dist/src/config/mod.js";

const config = resolveConfig({ ttl: "1h", staleFor: "5m" });
const set = (options: unknown) => resolveSetOptions(options as SetOptions, config);
const fetch = (options: unknown) => resolveFetchOptions(options as FetchOptions, config);

test("without options both return a constant of the configuration", () => {
  expect(resolveSetOptions(undefined, config)).toBe(config.setDefaults);
  expect(resolveFetchOptions(undefined, config)).toBe(config.fetchDefaults);
  expect(config.setDefaults).toEqual({ ttlMs: 3_600_000, staleForMs: 300_000, tags: [] });
});

test("resolveSetOptions() takes each option and leaves the others to the cache", () => {
  expect(set({})).toEqual(config.setDefaults);
  expect(set({ ttl: undefined, staleFor: undefined, tags: undefined })).toEqual(config.setDefaults);
  expect(set({ ttl: 5 })).toEqual({ ttlMs: 5, staleForMs: 300_000, tags: [] });
  expect(set({ ttl: "5m", staleFor: 0, tags: ["a", "b", "a"] })).toEqual({
    ttlMs: 300_000,
    staleForMs: 0,
    tags: ["a", "b"],
  });
  expect(set({ ttl: Infinity }).ttlMs).toBe(Infinity);
});

test("tags are a copy, so that changing the caller's array changes nothing", () => {
  const tags = ["a"];
  const resolved = set({ tags });
  tags.push("b");
  expect(resolved.tags).toEqual(["a"]);
  expect(Object.isFrozen(resolved.tags)).toBe(true);
});

test("tags are bounded in number and in bytes", () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `tag${i}`);
  expect(set({ tags: many(16) }).tags).toHaveLength(16);
  expect(() => set({ tags: many(17) })).toThrow(RangeError);
  expect(set({ tags: ["x".repeat(1024)] }).tags).toHaveLength(1);
  expect(() => set({ tags: ["x".repeat(1025)] })).toThrow(RangeError);
  expect(() => set({ tags: ["é".repeat(512), "x"] })).toThrow(RangeError);
});

test("resolveFetchOptions() takes each option", () => {
  const { signal } = new AbortController();
  const isValid = (): boolean => true;
  expect(fetch({})).toEqual(config.fetchDefaults);
  expect(
    fetch({
      ttl: 1,
      staleFor: 2,
      tags: ["t"],
      timeout: { soft: "1s", hard: "2s" },
      negativeTtl: "10s",
      refreshAfter: 0.5,
      jitter: 0.1,
      isValid,
      forceRefresh: true,
      signal,
    }),
  ).toEqual({
    ttlMs: 1,
    staleForMs: 2,
    tags: ["t"],
    softTimeoutMs: 1000,
    hardTimeoutMs: 2000,
    negativeTtlMs: 10_000,
    refreshAfterMs: 0.5,
    jitter: 0.1,
    isValid,
    forceRefresh: true,
    signal,
  });
  expect(fetch({ timeout: "3s" })).toMatchObject({ softTimeoutMs: Infinity, hardTimeoutMs: 3000 });
  expect(fetch({ timeout: { soft: 5 } })).toMatchObject({
    softTimeoutMs: 5,
    hardTimeoutMs: Infinity,
  });
  expect(fetch({ timeout: Infinity })).toMatchObject({ hardTimeoutMs: Infinity });
  expect(fetch({ timeout: 2 ** 31 - 1 })).toMatchObject({ hardTimeoutMs: 2 ** 31 - 1 });
});

test.each<[unknown, string]>([
  [{ ttl: null }, "ttl"],
  [{ ttl: true }, "ttl"],
  [{ staleFor: [] }, "staleFor"],
  [{ tags: "a" }, "tags"],
  [{ tags: [1] }, "tags[0]"],
  // A hole reads as undefined.
  [{ tags: Object.assign([], { 1: "a" }) }, "tags[0]"],
  [{ tags: ["a", "\ud800"] }, "tags[1]"],
  [null, "options"],
  [5, "options"],
])("set and fetch with %o are a TypeError naming %s", (options, option) => {
  for (const resolve of [set, fetch]) {
    expect(() => resolve(options)).toThrow(TypeError);
    expect(() => resolve(options)).toThrow(`Cannot use option ${option}: current value is `);
  }
});

test.each<[unknown, string]>([
  [{ ttl: 0 }, "ttl"],
  [{ ttl: -5 }, "ttl"],
  [{ ttl: NaN }, "ttl"],
  [{ ttl: "never" }, "ttl"],
  [{ staleFor: -1 }, "staleFor"],
  [{ tags: [""] }, "tags[0]"],
])("set and fetch with %o are a RangeError naming %s", (options, option) => {
  for (const resolve of [set, fetch]) {
    expect(() => resolve(options)).toThrow(RangeError);
    expect(() => resolve(options)).toThrow(`Cannot use option ${option}: current value is `);
  }
});

test("the cache's options for loads are the defaults, part by part", () => {
  const own = resolveConfig({ negativeTtl: "30s", timeout: { soft: "1s", hard: "10s" } });
  const parts = (options: FetchOptions | undefined) => {
    const { softTimeoutMs, hardTimeoutMs, negativeTtlMs } = resolveFetchOptions(options, own);
    return [softTimeoutMs, hardTimeoutMs, negativeTtlMs];
  };
  expect(parts(undefined)).toEqual([1000, 10_000, 30_000]);
  expect(parts({})).toEqual([1000, 10_000, 30_000]);
  expect(parts({ timeout: "5s" })).toEqual([1000, 5000, 30_000]);
  expect(parts({ timeout: { soft: Infinity } })).toEqual([Infinity, 10_000, 30_000]);
  expect(parts({ timeout: { hard: Infinity }, negativeTtl: 0 })).toEqual([1000, Infinity, 0]);
  expect(resolveConfig({ timeout: "5s" }).fetchDefaults.hardTimeoutMs).toBe(5000);
});

test("refreshAfter and jitter have defaults too; refreshAfter is below the ttl beside it", () => {
  const own = resolveConfig({ ttl: "1h", refreshAfter: "30m", jitter: 0.2 });
  const parts = (options: FetchOptions | undefined) => {
    const { refreshAfterMs, jitter } = resolveFetchOptions(options, own);
    return [refreshAfterMs, jitter];
  };
  expect(parts(undefined)).toEqual([1_800_000, 0.2]);
  expect(parts({ refreshAfter: "5m" })).toEqual([300_000, 0.2]);
  expect(parts({ refreshAfter: Infinity, jitter: 0 })).toEqual([Infinity, 0]);
  // A default that comes after the expiry of this value says nothing about it.
  expect(parts({ ttl: "1m" })).toEqual([1_800_000, 0.2]);
  expect(() => parts({ refreshAfter: "1h" })).toThrow("less than the ttl, which is 3600000 ms");
  expect(() => parts({ refreshAfter: 60_000, ttl: "1m" })).toThrow(RangeError);
  expect(parts({ refreshAfter: "2h", ttl: Infinity })).toEqual([7_200_000, 0.2]);
  expect(() => resolveConfig({ ttl: 1000, refreshAfter: 1000 })).toThrow(
    "Cannot use option refreshAfter: current value is 1000; it must be more than 0 and less than",
  );
});

test.each<[unknown, ErrorConstructor, string]>([
  [{ refreshAfter: 0 }, RangeError, "refreshAfter"],
  [{ refreshAfter: "soon" }, RangeError, "refreshAfter"],
  [{ refreshAfter: true }, TypeError, "refreshAfter"],
  [{ jitter: 1 }, RangeError, "jitter"],
  [{ jitter: -0.1 }, RangeError, "jitter"],
  [{ jitter: NaN }, RangeError, "jitter"],
  [{ jitter: "10%" }, TypeError, "jitter"],
])("%o is a %o naming %s, in fetch and in openCache", (options, kind, option) => {
  for (const resolve of [fetch, resolveConfig as (options: unknown) => unknown]) {
    expect(() => resolve(options)).toThrow(kind);
    expect(() => resolve(options)).toThrow(`Cannot use option ${option}: current value is `);
  }
});

test("isValid is a function, and not a cache's option", () => {
  expect(() => fetch({ isValid: true })).toThrow(TypeError);
  expect(() => fetch({ isValid: null })).toThrow("it must be a function (value, { key, createdAt,");
  expect(() => resolveConfig({ isValid: () => true } as object)).toThrow("no such option");
});

test.each<[unknown, ErrorConstructor, string]>([
  [{ timeout: null }, TypeError, "timeout"],
  [{ timeout: true }, TypeError, "timeout"],
  [{ timeout: [] }, TypeError, "timeout"],
  [{ timeout: { soft: null } }, TypeError, "timeout.soft"],
  [{ timeout: { hard: {} } }, TypeError, "timeout.hard"],
  [{ timeout: { soft: 0 } }, RangeError, "timeout.soft"],
  [{ timeout: 0 }, RangeError, "timeout"],
])("a cache and a fetch with %o are refused with the durations allowed", (options, kind, name) => {
  const config = (given: unknown) => resolveConfig(given as Parameters<typeof resolveConfig>[0]);
  for (const resolve of [config, fetch]) {
    expect(() => resolve(options)).toThrow(kind);
    expect(() => resolve(options)).toThrow(`Cannot use option ${name}: current value is `);
    expect(() => resolve(options)).toThrow('such as "250ms", "30s" or "5m"), or Infinity');
  }
  expect(() => config({ negativeTtl: null })).toThrow("Cannot use option negativeTtl");
});

test("what a loader says of its value is checked, and what it leaves out is undefined", () => {
  expect(entry(1).times).toEqual({ ttlMs: undefined, staleForMs: undefined, tags: undefined });
  expect(entry(1, { ttl: "1s", staleFor: 0, tags: ["a", "a"] })).toMatchObject({
    value: 1,
    times: { ttlMs: 1000, staleForMs: 0, tags: ["a"] },
  });
  for (const [options, kind, option] of [
    [{ ttl: 0 }, RangeError, "ttl"],
    [{ ttl: null }, TypeError, "ttl"],
    [{ staleFor: -1 }, RangeError, "staleFor"],
    [{ tags: "a" }, TypeError, "tags"],
    [{ negativeTtl: 1 }, RangeError, "negativeTtl"],
    [null, TypeError, "options"],
  ] as const) {
    expect(() => entry(1, options as never)).toThrow(kind);
    expect(() => entry(1, options as never)).toThrow(`Cannot use option ${option}: `);
  }
});

test.each<[unknown, ErrorConstructor, string]>([
  [{ timeout: 0 }, RangeError, "timeout"],
  [{ timeout: 2 ** 31 }, RangeError, "timeout"],
  [{ timeout: { soft: 0 } }, RangeError, "timeout.soft"],
  [{ timeout: { hard: "30d" } }, RangeError, "timeout.hard"],
  [{ timeout: null }, TypeError, "timeout"],
  [{ negativeTtl: -1 }, RangeError, "negativeTtl"],
  [{ forceRefresh: 1 }, TypeError, "forceRefresh"],
  [{ signal: {} }, TypeError, "signal"],
  [{ signal: null }, TypeError, "signal"],
])("fetch with %o is refused", (options, kind, option) => {
  expect(() => fetch(options)).toThrow(kind);
  expect(() => fetch(options)).toThrow(`Cannot use option ${option}: current value is `);
});

test("unknown options are refused and the known ones listed", () => {
  expect(() => set({ tll: 5 })).toThrow(
    "Cannot use option tll: there is no such option; allowed are ttl, staleFor, tags",
  );
  expect(() => set({ timeout: 5 })).toThrow(RangeError);
  expect(() => fetch({ retries: 5 })).toThrow(
    "allowed are ttl, staleFor, tags, revision, timeout, negativeTtl",
  );
  expect(() => fetch({ timeout: { firm: 1 } })).toThrow(
    "Cannot use option timeout.firm: there is no",
  );
});

test.each<unknown>([
  "a",
  "u7:a:helper",
  "\u4e00\u{1f600}",
  "x".repeat(keyBytesMax),
  new Uint8Array(1),
  Buffer.alloc(keyBytesMax),
])("assertKey() takes a fitting key", (key) => {
  expect(() => assertKey(key)).not.toThrow();
});

test.each<unknown>([
  "",
  new Uint8Array(0),
  "a\ud800",
  1,
  null,
  undefined,
  {},
  [],
  new ArrayBuffer(1),
  1n,
  Symbol("k"),
])("assertKey(%o) is a TypeError", (key) => {
  expect(() => assertKey(key)).toThrow(TypeError);
  expect(() => assertKey(key)).toThrow("Cannot use key: current value is ");
});

test.each<unknown>([
  "x".repeat(keyBytesMax + 1),
  "\u4e00".repeat(21_846),
  new Uint8Array(keyBytesMax + 1),
])("assertKey() refuses more than 64 KiB of UTF-8", (key) => {
  expect(() => assertKey(key)).toThrow(RangeError);
  expect(() => assertKey(key)).toThrow("it must have at most 65536");
});

describe("the options of a fetch before", () => {
  test("are known by their values, in whatever object they come", () => {
    const first = fetch({ ttl: "1h", tags: ["x", "y"] });
    expect(fetch({ ttl: "1h", tags: ["x", "y"] })).toBe(first);
    expect(first).toMatchObject({ ttlMs: 3_600_000, tags: ["x", "y"] });
    expect(fetch({ ttl: "1h", tags: ["x", "z"] }).tags).toEqual(["x", "z"]);
    expect(fetch({ ttl: "1h" }).tags).toEqual([]);
    const changing = { ttl: "1h", tags: ["x", "y"] };
    expect(fetch(changing)).toBe(first);
    changing.tags.push("z");
    expect(fetch(changing).tags).toEqual(["x", "y", "z"]);
    changing.ttl = "2h";
    expect(fetch(changing).ttlMs).toBe(7_200_000);
  });

  test("are not taken for others with as many properties, or with defaults of their own", () => {
    const { signal } = new AbortController();
    for (const before of [{ ttl: "1h" }, { ttl: undefined }, { staleFor: 5 }]) {
      fetch(before);
      expect(() => fetch({ tttl: "1h" })).toThrow(/there is no such option/);
      expect(fetch({ signal }).signal).toBe(signal);
      expect(fetch({ forceRefresh: true }).forceRefresh).toBe(true);
      expect(fetch({ jitter: 0.5 }).ttlMs).toBe(3_600_000);
      expect(() => fetch({ ttl: 0 })).toThrow(RangeError);
    }
    class Options {
      readonly ttl = "1h";
      get signal(): AbortSignal {
        return signal;
      }
    }
    expect(fetch(new Options()).signal).toBe(signal);
    expect(fetch({ ttl: "1h" }).signal).toBeUndefined();
    const own = resolveConfig({ negativeTtl: "1m" });
    expect(resolveFetchOptions({ ttl: "1h" }, own).negativeTtlMs).toBe(60_000);
    expect(fetch({ ttl: "1h" }).negativeTtlMs).toBe(0);
  });
});
