import { resolve } from "node:path";
import { expect, test } from "vitest";
import { GiB, KiB, MiB } from "../../dist/src/base/mod.js";
import { type CacheOptions, resolveConfig } from "../../dist/src/config/mod.js";

/** Options as plain JavaScript would pass them. */
const open = (options: unknown) => resolveConfig(options as CacheOptions);

test("resolveConfig() without options gives every default", () => {
  expect(resolveConfig({})).toEqual({
    name: "default",
    version: "",
    memoryBytes: 64 * MiB,
    memoryNowBytes: 64 * MiB,
    disk: null,
    eviction: { policy: "auto", worth: "hits" },
    near: { mode: "shared", maxEntries: 65_536, maxBytes: 16 * MiB },
    classInstances: "throw",
    codec: "msgpack",
    codecName: "msgpack",
    operators: false,
    setDefaults: { ttlMs: Infinity, staleForMs: 0, tags: [] },
    fetchDefaults: {
      ttlMs: Infinity,
      staleForMs: 0,
      tags: [],
      softTimeoutMs: Infinity,
      hardTimeoutMs: Infinity,
      negativeTtlMs: 0,
      refreshAfterMs: Infinity,
      jitter: 0,
      isValid: undefined,
      forceRefresh: false,
      signal: undefined,
    },
  });
});

test("resolveConfig() takes every option", () => {
  const config = resolveConfig({
    name: "agents",
    memory: "256mb",
    disk: { path: "./cache", capacity: "4gb" },
    ttl: "1h",
    staleFor: 5000,
    eviction: "fifo",
    near: { mode: "frozen", maxEntries: 1, maxBytes: 1 },
    classInstances: "plain",
    codec: "json",
    operators: false,
    clock: { now: () => 0 },
  });
  expect(config).toMatchObject({
    name: "agents",
    memoryBytes: 256 * MiB,
    disk: { path: resolve("cache"), capacityBytes: 4 * GiB },
    eviction: { policy: "fifo", worth: "hits" },
    near: { mode: "frozen", maxEntries: 1, maxBytes: 1 },
    classInstances: "plain",
    codec: "json",
    codecName: "json",
    operators: false,
  });
});

test("a Config is frozen all through and survives structured clone", () => {
  const codec = { name: "mine", encode: () => new Uint8Array(1), decode: () => 1 };
  const config = resolveConfig({ disk: { path: "x" }, codec, clock: { now: () => 0 } });
  for (const part of [config, config.disk, config.near, config.setDefaults, config.fetchDefaults]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
  expect(structuredClone(config)).toEqual(config);
  expect(config.codec).toBe("custom");
  expect(config.codecName).toBe("mine");
});

test("undefined counts as missing; a codec may be an instance of a class", () => {
  class Codec {
    name = "mine";
    encode(): Uint8Array {
      return new Uint8Array(1);
    }
    decode(): unknown {
      return 1;
    }
  }
  const config = open({
    name: undefined,
    memory: undefined,
    disk: undefined,
    ttl: undefined,
    near: undefined,
    codec: undefined,
  });
  expect(config).toEqual(resolveConfig({}));
  expect(resolveConfig({ codec: new Codec() }).codec).toBe("custom");
  expect(resolveConfig({ near: false }).near).toBe(null);
});

test("memory has a lower and an upper bound", () => {
  expect(resolveConfig({ memory: MiB }).memoryBytes).toBe(MiB);
  expect(resolveConfig({ memory: 4 * GiB - 64 * KiB }).memoryBytes).toBe(4 * GiB - 64 * KiB);
  expect(() => resolveConfig({ memory: MiB - 1 })).toThrow(
    "Cannot use option memory: current value is 1048575; it must be at least 1 MiB",
  );
  expect(() => resolveConfig({ memory: "4gb" })).toThrow(
    'Cannot use option memory: current value is "4gb"; ' +
      "it must be at most 4294901760 bytes (4 GiB - 64 KiB), since one",
  );
  expect(resolveConfig({ disk: { path: "x", capacity: MiB } }).disk?.capacityBytes).toBe(MiB);
  expect(() => resolveConfig({ disk: { path: "x", capacity: MiB - 1 } })).toThrow("disk.capacity");
});

test("admission by default admits all entries except those about to expire", () => {
  const admission = (given?: unknown) =>
    open({ disk: { path: "x", ...(given === undefined ? {} : { admission: given }) } }).disk
      ?.admission;
  expect(admission()).toEqual({
    minTtlMs: 1000,
    maxBytes: Infinity,
    seenBefore: false,
    bytesPerSecond: Infinity,
    bytesPerDay: Infinity,
    isFiltered: false,
  });
  const given = {
    minTtl: "1m",
    maxSize: "64kb",
    seenBefore: true,
    writeBudget: { perSecond: "20mb", perDay: "1gb" },
    filter: () => true,
  };
  expect(admission(given)).toEqual({
    minTtlMs: 60_000,
    maxBytes: 64 * KiB,
    seenBefore: true,
    bytesPerSecond: 20 * MiB,
    bytesPerDay: GiB,
    isFiltered: true,
  });
  expect(() => admission({ rate: 1 })).toThrow(
    "disk.admission.rate: there is no such option; " +
      "allowed are minTtl, maxSize, seenBefore, writeBudget, filter",
  );
});

test.each(["auto", "s3-fifo", "lfu", "lru", "sieve", "fifo"] as const)(
  "%s is an eviction policy",
  (eviction) => {
    const wanted = { policy: eviction, worth: "hits" };
    expect(resolveConfig({ eviction }).eviction).toEqual(wanted);
    expect(resolveConfig({ eviction: { policy: eviction } }).eviction).toEqual(wanted);
  },
);

test("a hit may be worth its bytes or its load time, to the policies that weigh it", () => {
  const resolved = (eviction: unknown): unknown => resolveConfig({ eviction } as never).eviction;
  expect(resolved({ worth: "load-time" })).toEqual({ policy: "auto", worth: "load-time" });
  expect(resolved({ policy: "lfu", worth: "bytes" })).toEqual({ policy: "lfu", worth: "bytes" });
  expect(() => resolved({ policy: "sieve", worth: "bytes" })).toThrow(
    'eviction.worth: current value is "bytes"; it must be "hits", since the ' +
      'policy "sieve" weighs nothing else; "auto" and "lfu" do',
  );
  expect(() => resolved({ worth: "time" })).toThrow(RangeError);
  expect(() => resolved({ worths: "hits" })).toThrow("allowed are policy, worth");
});

test.each<[unknown, string]>([
  [null, "options"],
  [[], "options"],
  [{ name: 1 }, "name"],
  [{ memory: null }, "memory"],
  [{ memory: {} }, "memory.most"],
  [{ disk: null }, "disk"],
  [{ disk: "./cache" }, "disk"],
  [{ disk: {} }, "disk.path"],
  [{ disk: { path: 1 } }, "disk.path"],
  [{ disk: { path: "x", capacity: true } }, "disk.capacity"],
  [{ disk: { path: "x", admission: true } }, "disk.admission"],
  [{ disk: { path: "x", admission: { minTtl: true } } }, "disk.admission.minTtl"],
  [{ disk: { path: "x", admission: { seenBefore: 1 } } }, "disk.admission.seenBefore"],
  [{ disk: { path: "x", admission: { filter: {} } } }, "disk.admission.filter"],
  [{ disk: { path: "x", admission: { writeBudget: 1 } } }, "disk.admission.writeBudget"],
  [{ ttl: null }, "ttl"],
  [{ staleFor: {} }, "staleFor"],
  [{ eviction: 1 }, "eviction"],
  [{ near: true }, "near"],
  [{ near: null }, "near"],
  [{ near: { maxEntries: "1" } }, "near.maxEntries"],
  [{ near: { mode: 1 } }, "near.mode"],
  [{ classInstances: true }, "classInstances"],
  [{ codec: null }, "codec"],
  [{ codec: {} }, "codec.encode"],
  [{ codec: { encode: () => 1 } }, "codec.decode"],
  [{ codec: { encode: () => 1, decode: () => 1 } }, "codec.name"],
  [{ clock: 1 }, "clock"],
  [{ clock: {} }, "clock"],
])("resolveConfig(%o) is a TypeError naming %s", (options, option) => {
  expect(() => open(options)).toThrow(TypeError);
  expect(() => open(options)).toThrow(`Cannot use option ${option}: current value is `);
});

test.each<[unknown, string]>([
  [{ name: "" }, "name"],
  [{ name: "x".repeat(65) }, "name"],
  [{ memory: "64" }, "memory"],
  [{ disk: { path: "" } }, "disk.path"],
  [{ disk: { path: "x", admission: { maxSize: 0 } } }, "disk.admission.maxSize"],
  [
    { disk: { path: "x", admission: { writeBudget: { perDay: 0 } } } },
    "disk.admission.writeBudget.perDay",
  ],
  [{ disk: { path: "a\0b" } }, "disk.path"],
  [{ ttl: 0 }, "ttl"],
  [{ ttl: -1 }, "ttl"],
  [{ ttl: NaN }, "ttl"],
  [{ ttl: "0s" }, "ttl"],
  [{ ttl: "soon" }, "ttl"],
  [{ staleFor: -1 }, "staleFor"],
  [{ eviction: "arc" }, "eviction"],
  [{ near: { mode: "deep" } }, "near.mode"],
  [{ near: { maxEntries: 0 } }, "near.maxEntries"],
  [{ near: { maxEntries: 1.5 } }, "near.maxEntries"],
  [{ near: { maxEntries: 2 ** 24 + 1 } }, "near.maxEntries"],
  [{ near: { maxBytes: 0 } }, "near.maxBytes"],
  [{ classInstances: "keep" }, "classInstances"],
  [{ codec: "v8" }, "codec"],
  [{ codec: { name: "", encode: () => 1, decode: () => 1 } }, "codec.name"],
])("resolveConfig(%o) is a RangeError naming %s", (options, option) => {
  expect(() => open(options)).toThrow(RangeError);
  expect(() => open(options)).toThrow(`Cannot use option ${option}: current value is `);
});

test.each<[unknown, string, string]>([
  [{ max: 5 }, "max", "name, memory, disk, ttl"],
  [{ disk: { path: "x", size: 1 } }, "disk.size", "path, capacity"],
  [{ near: { max: 1 } }, "near.max", "mode, maxEntries, maxBytes"],
])(
  "resolveConfig(%o) refuses the unknown %s and lists what there is",
  (options, option, allowed) => {
    expect(() => open(options)).toThrow(RangeError);
    expect(() => open(options)).toThrow(
      `Cannot use option ${option}: there is no such option; allowed are ${allowed}`,
    );
  },
);
