import { expect, test } from "vitest";
import {
  alignUp,
  describe,
  GiB,
  KiB,
  MiB,
  parseDuration,
  parseSize,
} from "../../dist/src/base/mod.js";

test.each([
  ["512b", 512],
  ["0b", 0],
  ["64kb", 64 * KiB],
  ["256mb", 256 * MiB],
  ["256 MB", 256 * MiB],
  ["4gb", 4 * GiB],
  ["1.5gb", 1.5 * GiB],
  ["1.5GB", 1.5 * GiB],
  ["0.3kb", 307],
  ["2tb", 2048 * GiB],
  [0, 0],
  [-0, 0],
  [1, 1],
  [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
])("parseSize() reads %o", (value, bytes) => {
  expect(parseSize("memory", value)).toBe(bytes);
});

test.each([
  "",
  "b",
  "64",
  "64 xx",
  "-1kb",
  "1e3kb",
  "1kb ",
  " 1kb",
  "1.kb",
  "1,5gb",
  "99999999tb",
  "1".repeat(99) + "b",
])("parseSize() refuses the string %o", (value) => {
  expect(() => parseSize("memory", value)).toThrow(RangeError);
});

test.each([-1, NaN, Infinity, 1.5, Number.MAX_SAFE_INTEGER + 1])(
  "parseSize() refuses the number %o",
  (value) => {
    expect(() => parseSize("memory", value)).toThrow(RangeError);
  },
);

test.each([null, undefined, {}, [], true, 1n, Symbol("s"), () => 1])(
  "parseSize() and parseDuration() refuse the type of %o",
  (value) => {
    expect(() => parseSize("memory", value)).toThrow(TypeError);
    expect(() => parseDuration("ttl", value)).toThrow(TypeError);
  },
);

test.each([
  ["250ms", 250],
  ["30s", 30_000],
  ["5m", 300_000],
  ["1h", 3_600_000],
  ["1.5h", 5_400_000],
  ["7d", 604_800_000],
  ["7D", 604_800_000],
  ["0s", 0],
  [0, 0],
  [-0, 0],
  [0.5, 0.5],
  [Infinity, Infinity],
])("parseDuration() reads %o", (value, ms) => {
  expect(parseDuration("ttl", value)).toBe(ms);
});

test.each(["", "5", "5 min", "m", "-5m", "5mm", "Infinity", -1, NaN, -Infinity])(
  "parseDuration() refuses %o",
  (value) => {
    expect(() => parseDuration("ttl", value)).toThrow(RangeError);
  },
);

test("a refused option is named with the value given and what is allowed", () => {
  expect(() => parseSize("disk.capacity", "64 xx")).toThrow(
    'Cannot use option disk.capacity: current value is "64 xx"; it must be a whole number of bytes',
  );
  expect(() => parseDuration("ttl", -1)).toThrow(
    "Cannot use option ttl: current value is -1; it must be a number of milliseconds",
  );
});

test("alignUp() rounds up to a multiple", () => {
  expect([0, 1, 8, 9].map((n) => alignUp(n, 8))).toEqual([0, 8, 8, 16]);
  expect(alignUp(5 * GiB + 1, GiB)).toBe(6 * GiB);
  expect(() => alignUp(1, 0)).toThrow("Assertion failed");
});

test("describe() renders any value shortly and runs none of its code", () => {
  class Agent {}
  const trap = { get: () => never(), getPrototypeOf: () => never() };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cases: [unknown, string][] = [
    ["a", '"a"'],
    ["x".repeat(100), `"${"x".repeat(40)}..."`],
    [-0, "-0"],
    [NaN, "NaN"],
    [12n, "12n"],
    [null, "null"],
    [undefined, "undefined"],
    [true, "true"],
    [Symbol("s"), "Symbol(s)"],
    [() => 1, "a function"],
    [[1, 2], "an array of 2"],
    [{ a: 1 }, "an object"],
    [Object.create(null), "an object"],
    [new Agent(), "an instance of Agent"],
    [new Map(), "an instance of Map"],
    [new (class List extends Array {})(), "an instance of List"],
    [Buffer.alloc(1), "an instance of Buffer"],
    [new Proxy({}, trap), "an object"],
    [revoked.proxy, "an object"],
  ];
  for (const [value, text] of cases) expect(describe(value)).toBe(text);
});

function never(): never {
  throw new Error("code of the value ran");
}
