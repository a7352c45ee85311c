// The values that a codec must keep exactly, each with its expected encoding; and random plain
// data. Used by the tests of the codec with and without a schema dictionary.

import fc from "fast-check";
import {
  codecBuffer,
  codecBytes,
  codecLatin1,
  codecMsgpack,
  codecRepaired,
  codecStructured,
  codecUtf16,
  codecUtf8,
} from "../../dist/src/record/mod.js";
import { depthMax } from "../../dist/src/codec/mod.js";

const fixed = new Date("2024-02-29T12:34:56.789Z");
const cyclic: Record<string, unknown> = { name: "loop" };
cyclic["self"] = cyclic;
const cyclicMap = new Map<unknown, unknown>();
cyclicMap.set(cyclicMap, [cyclicMap]);
const shared = { a: 1 };
const sharedBytes = new Uint8Array([1, 2]);
const failure = Object.assign(new TypeError("bad", { cause: { why: [new Error("deep")] } }), {
  code: "E_BAD",
  details: new Map([[1, sharedBytes]]),
});
const named = new Error("stopped");
named.name = "AbortError";
const sticky = /a+/gu;
sticky.lastIndex = 3;
export const many = (count: number) => Array.from({ length: count }, (_, index) => index);
const nested = (levels: number, wrap: (inner: unknown) => unknown): unknown =>
  many(levels).reduce<unknown>((inner) => wrap(inner), 1);

/** Name, value, and how the codec without schemas encodes it. */
export const cases: [name: string, value: unknown, codecId: number][] = [
  ["null", null, codecMsgpack],
  ["booleans", [true, false], codecMsgpack],
  ["true", true, codecMsgpack],
  ["0", 0, codecMsgpack],
  ["-0", -0, codecStructured],
  ["NaN", NaN, codecMsgpack],
  ["Infinity", -Infinity, codecMsgpack],
  ["bigint", 2n ** 63n - 1n, codecMsgpack],
  ["bigint of 64 bits", 2n ** 64n - 1n, codecMsgpack],
  ["least bigint of 64 bits", -(2n ** 63n), codecMsgpack],
  ["bigint beyond 64 bits", 2n ** 64n, codecStructured],
  ["negative bigint beyond 64 bits", -(2n ** 63n) - 1n, codecStructured],
  ["huge bigint", [-(2n ** 70_000n)], codecStructured],
  ["empty string", "", codecLatin1],
  ["ASCII", "hello", codecLatin1],
  ["long ASCII", "hello ".repeat(50_000), codecLatin1],
  ["latin1", "café \u00ff", codecLatin1],
  ["long latin1", "é".repeat(100), codecLatin1],
  ["UTF-8", "日本 \u{1f600}", codecUtf8],
  ["long UTF-8", "日本 \u{1f600}".repeat(20_000), codecUtf8],
  ["byte order mark", `\ufeff${"x".repeat(90)}`, codecUtf8],
  ["byte order mark inside", { a: `\ufeff${"x".repeat(90)}` }, codecStructured],
  ["lone surrogate", "a\ud800b", codecUtf16],
  ["long lone surrogate", "a\ud800b".repeat(30_000), codecUtf16],
  ["lone surrogate inside", { a: ["\udc00"] }, codecStructured],
  ["lone surrogate in a key", { "\ud800": 1 }, codecStructured],
  ["empty Uint8Array", new Uint8Array(0), codecBytes],
  ["Uint8Array", new Uint8Array([1, 2, 3]).subarray(1), codecBytes],
  ["Buffer", Buffer.from("bytes"), codecBuffer],
  ["Buffer and Uint8Array inside", [Buffer.from("b"), new Uint8Array([1])], codecMsgpack],
  ["typed arrays", typedArrays(), codecMsgpack],
  ["typed arrays by V8", [-0, ...typedArrays(), Buffer.from("b")], codecStructured],
  ["large typed array", { a: new Float64Array(10_000).fill(1.5) }, codecMsgpack],
  ["ArrayBuffer", new Uint8Array([1, 2, 3]).buffer, codecStructured],
  ["DataView", { view: new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2) }, codecStructured],
  ["object", { a: 1, b: "x", c: null, d: undefined, e: { f: [] } }, codecMsgpack],
  ["empty object", {}, codecMsgpack],
  ["odd keys", { "": 1, "a b": 2, "01": 3, 2: 4, 1: 5, constructor: 6, toJSON: 7 }, codecMsgpack],
  ["key hasOwnProperty", { hasOwnProperty: 1, valueOf: null }, codecMsgpack],
  ["key __proto__", JSON.parse('{"__proto__":{"polluted":1},"a":1}'), codecStructured],
  ["key __keys__", [{ __keys__: 1 }, {}, { a: 1, __keys__: [] }], codecStructured],
  ["dictionary", Object.fromEntries(many(70_000).map((i) => [`k${i}`, i])), codecStructured],
  ["300 schemas", many(300).map((i) => ({ [`a${i}`]: { [`b${i % 70}`]: i } })), codecMsgpack],
  ["null prototype", Object.assign(Object.create(null), { a: { b: 1 } }), codecRepaired],
  ["array", [1, "a", null, undefined, [2]], codecMsgpack],
  ["empty array", [], codecMsgpack],
  ["large array", many(70_000), codecMsgpack],
  ["large array of objects", many(5000).map((i) => ({ i, s: `v${i}` })), codecMsgpack],
  ["sparse array", Object.assign([], { 3: 1, length: 6 }), codecStructured],
  ["array with a property", Object.assign([1, 2], { total: 2 }), codecStructured],
  ["large array with a property", Object.assign(many(500), { total: 2 }), codecStructured],
  ["match", "abc".match(/(?<x>b)/), codecRepaired],
  ["Date", fixed, codecMsgpack],
  ["dates", dates(), codecMsgpack],
  ["Date with a property", Object.assign(new Date(5), { zone: "UTC" }), codecRepaired],
  [
    "Map",
    new Map<unknown, unknown>([
      [1, { a: 1 }],
      [{ k: 1 }, NaN],
      [undefined, null],
    ]),
    codecMsgpack,
  ],
  ["large Map", new Map(many(70_000).map((i) => [i, String(i)])), codecMsgpack],
  ["Map with -0", new Map([["a", -0]]), codecStructured],
  ["Set", new Set<unknown>([1, "a", { b: new Set([new Map()]) }]), codecMsgpack],
  ["RegExp", [/a\/b/giu, /\u{1f600}/u, new RegExp("")], codecStructured],
  ["RegExp under way", sticky, codecRepaired],
  ["Error", new RangeError("no"), codecStructured],
  ["Error without message", [new Error()], codecStructured],
  ["Error with cause and properties", failure, codecRepaired],
  ["Error with a name", named, codecRepaired],
  ["AggregateError", new AggregateError([new Error("a"), 5], "many"), codecRepaired],
  ["boxed", [Object(5), Object("ab"), Object(true), Object(5n)], codecStructured],
  ["cycle", cyclic, codecStructured],
  ["cycle through a Map", cyclicMap, codecStructured],
  ["repeated object", { x: shared, y: [shared] }, codecStructured],
  [
    "repeated object among many",
    [shared, ...many(40).map((i) => ({ i })), shared],
    codecStructured,
  ],
  ["repeated bytes", [sharedBytes, { sharedBytes }], codecStructured],
  ["nested arrays", nested(100, (inner) => [inner]), codecMsgpack],
  ["deep objects", nested(depthMax, (inner) => ({ inner })), codecStructured],
  ["deep maps", nested(depthMax, (inner) => new Map([[1, inner]])), codecStructured],
  ["nested all", all(), codecMsgpack],
];

function typedArrays(): unknown[] {
  return [
    new Int8Array([-1]),
    new Uint8ClampedArray([255]),
    new Int16Array([-2]),
    new Uint16Array([2]),
    new Int32Array([-3]),
    new Uint32Array([3]),
    new Float32Array([1.5, NaN]),
    new Float64Array([-0, 0.1]).subarray(1),
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 64n - 1n]),
    new Float64Array(0),
  ];
}

function dates(): Date[] {
  const times = [0, 1, 999, -1, -999, -1000, 1e12 + 1, 8.64e15, -8.64e15, 2 ** 32 * 1000, NaN];
  return times.map((time) => new Date(time));
}

function all(): unknown {
  return {
    when: new Date(1),
    users: new Map([["ada", { tags: new Set(["x"]), avatar: Buffer.from([1, 2]) }]]),
    vectors: [new Float32Array([1, 2]), new BigInt64Array([5n])],
    big: 5n,
    nothing: [null, undefined, NaN],
  };
}

/** Plain data: trees of what msgpackr keeps. */
export const plain = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({ minLength: 30, maxLength: 300 }),
    fc.double().map((n) => n + 0),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.constantFrom(null, true, false),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array(),
    fc.float64Array(),
  ),
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    tie("leaf"),
    fc.array(tie("tree"), { maxLength: 20 }),
    fc.dictionary(fc.string({ unit: "grapheme" }), tie("tree"), { noNullPrototype: true }),
    fc.dictionary(fc.constantFrom("id", "name", "tags"), tie("tree"), { noNullPrototype: true }),
    fc.array(fc.tuple(tie("leaf"), tie("tree"))).map((entries) => new Map(entries)),
    fc.array(tie("tree")).map((items) => new Set(items)),
  ),
})).tree;
