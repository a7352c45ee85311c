import { expect, test } from "vitest";
import { UndercroftError } from "../../dist/src/base/mod.js";
import { createCodec, depthMax } from "../../dist/src/codec/mod.js";
import { codecJson, codecMsgpack } from "../../dist/src/record/mod.js";
import { assertExact, roundTrip } from "./exact.js";

class Agent {
  constructor(readonly name: string) {}
}
class Registry extends Map<string, number> {}
class Failure extends Error {}

const codec = createCodec({ codec: "msgpack", classInstances: "throw" });
const lenient = createCodec({ codec: "msgpack", classInstances: "plain" });

const refused: [value: unknown, message: string][] = [
  [
    undefined,
    'Cannot store value of key "u7": current value is undefined, which means a miss; null',
  ],
  [() => 1, 'Cannot store value of key "u7": value is a function; store plain data'],
  [Symbol("s"), 'Cannot store value of key "u7": value is a symbol; store plain data'],
  [{ user: { onClick: () => 1 } }, "value.user.onClick is a function"],
  [{ list: [1, [Symbol("s")]] }, "value.list[1][0] is a symbol"],
  [{ "a b": { 日本: () => 1 } }, 'value["a b"].日本 is a function'],
  [{ m: new Map([["k", { f: () => 1 }]]) }, 'value.m.get("k").f is a function'],
  [new Map([[() => 1, 1]]), "value.keys()[0] is a function"],
  [new Set([1, () => 1]), "value.values()[1] is a function"],
  [Object.assign([1], { extra: () => 1 }), "value.extra is a function"],
  [Object.assign(new Error("x"), { retry: () => 1 }), "value.retry is a function"],
  [new Error("x", { cause: { f: () => 1 } }), "value.cause.f is a function"],
  [new AggregateError([() => 1]), "value.errors[0] is a function"],
  [{ [Symbol("tag")]: 1 }, "value has the key Symbol(tag); keys of objects must be strings"],
  [{ a: Object.assign([1], { [Symbol("tag")]: 1 }) }, "value.a has the key Symbol(tag)"],
  [{ a: Object.assign(new Map(), { [Symbol("tag")]: 1 }) }, "value.a has the key Symbol(tag)"],
  [
    { user: new Agent("ada") },
    "value.user is an instance of Agent; store plain data, " +
      'or open the cache with classInstances: "plain"',
  ],
  [[new Registry()], "value[0] is an instance of Registry"],
  [{ e: new Failure("x") }, "value.e is an instance of Failure"],
  [{ d: new (class Day extends Date {})() }, "value.d is an instance of Day"],
  [{ u: new (class Bytes extends Uint8Array {})(1) }, "value.u is an instance of Bytes"],
  [new (class List extends Array {})(), "value is an instance of List"],
  [{ w: new WeakMap() }, "value.w is an instance of WeakMap"],
  [{ p: Promise.resolve() }, "value.p is an instance of Promise"],
  [{ s: new SharedArrayBuffer(1) }, "value.s is an instance of SharedArrayBuffer"],
  [{ u: new URL("http://a") }, "value.u is an instance of URL"],
  [{ s: Object(Symbol("s")) }, "value.s is an instance of Symbol"],
  [{ m: Object.create(Map.prototype) }, "value.m is an instance of Map"],
  [
    { p: new Proxy({}, {}), z: -0 },
    "value.p is a proxy; store plain data, or open the cache with a codec",
  ],
];

test.each(refused.map(([value, message]) => ({ message, value })))(
  "refused: $message",
  ({ message, value }) => {
    expect(() => codec.encode(value, "u7")).toThrow(TypeError);
    expect(() => codec.encode(value, "u7")).toThrow(message);
    expect(() => codec.encode(value, "u7")).toThrow('Cannot store value of key "u7": ');
  },
);

test("a refused value is found behind a cycle", () => {
  const value: Record<string, unknown> = { a: {} };
  value["self"] = value;
  value["late"] = () => 1;
  expect(() => codec.encode(value, "k")).toThrow("value.late is a function");
});

test("a value nested too deeply is refused", () => {
  let value: unknown = 1;
  for (let level = 0; level <= depthMax + 1; level++) value = { value };
  expect(() => codec.encode(value, "k")).toThrow(RangeError);
  expect(() => codec.encode(value, "k")).toThrow(
    `Cannot store value of key "k": it is nested more than ${depthMax} levels deep`,
  );
});

test("a message describes a key of bytes", () => {
  expect(() => codec.encode(() => 1, new Uint8Array(2))).toThrow(
    "Cannot store value of key an instance of Uint8Array: value is a function",
  );
});

test("with classInstances: plain, instances become plain objects or their built-in base", () => {
  assertExact(roundTrip(lenient, { user: new Agent("ada") }), { user: { name: "ada" } });
  assertExact(roundTrip(lenient, new Registry([["a", 1]])), new Map([["a", 1]]));
  assertExact(roundTrip(lenient, new (class Day extends Date {})(5)), new Date(5));
  expect(roundTrip(lenient, new Failure("x"))).toBeInstanceOf(Error);
  expect(() => lenient.encode({ a: new Agent("x"), f: () => 1 }, "k")).toThrow(
    "value.f is a function",
  );
  expect(() => lenient.encode({ w: new WeakSet() }, "k")).toThrow(
    "value.w is an instance of WeakSet, whose state is not in its properties; " +
      "store plain data, or open the cache with a codec of your own",
  );
  expect(() => lenient.encode({ p: Promise.resolve() }, "k")).toThrow(
    "value.p is an instance of Promise",
  );
});

test("the json codec returns what JSON makes of a value, and strings and bytes unchanged", () => {
  const json = createCodec({ codec: "json", classInstances: "throw" });
  assertExact(roundTrip(json, { a: [1, "é\ud800", null], d: new Date(0), f: () => 1 }), {
    a: [1, "é\ud800", null],
    d: "1970-01-01T00:00:00.000Z",
  });
  expect(Buffer.from(json.encode({ a: 1 }, "k")).toString()).toBe('{"a":1}');
  expect(json.lastCodecId).toBe(codecJson);
  for (const value of [1.5, null, false, "text", new Uint8Array([1]), Buffer.from("b")]) {
    assertExact(roundTrip(json, value), value);
  }
  assertExact(roundTrip(json, { text: "x".repeat(100_000) }), { text: "x".repeat(100_000) });
  for (const value of [() => 1, Symbol("s"), undefined, 5n, { big: 5n }]) {
    expect(() => json.encode(value, "k")).toThrow(TypeError);
    expect(() => json.encode(value, "k")).toThrow('Cannot store value of key "k": ');
  }
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  expect(() => json.encode(cyclic, "k")).toThrow('Cannot store value of key "k": JSON refuses it');
});

test("a custom codec gets every value, and its own copy of the bytes", () => {
  const seen: Uint8Array[] = [];
  const custom = createCodec(
    { codec: "custom", classInstances: "throw" },
    {
      encode: (value) => Buffer.from(JSON.stringify({ value })),
      decode: (bytes) => {
        seen.push(bytes);
        return (JSON.parse(Buffer.from(bytes).toString()) as { value: unknown }).value;
      },
    },
  );
  assertExact(roundTrip(custom, "text"), "text");
  assertExact(roundTrip(custom, { a: 1 }), { a: 1 });
  expect(Buffer.from(seen[0] as Uint8Array).toString()).toBe('{"value":"text"}');
  expect(() => custom.encode(undefined, "k")).toThrow(TypeError);
});

test("a custom codec that returns no Uint8Array is reported", () => {
  const broken = createCodec(
    { codec: "custom", classInstances: "throw" },
    { encode: () => "text" as unknown as Uint8Array, decode: () => 1 },
  );
  expect(() => broken.encode({ a: 1 }, "k")).toThrow(
    'Cannot store value of key "k": the custom codec encoded it to "text"; ' +
      "it must give a Uint8Array",
  );
});

test("createCodec() asserts that a configured custom codec is given", () => {
  expect(() => createCodec({ codec: "custom", classInstances: "throw" })).toThrow(
    "Assertion failed",
  );
});

test.each([0, 9, 11, 255])(
  "decode() with the unknown codec %i is ERR_FORMAT_VERSION",
  (codecId) => {
    expect(() => codec.decode(codecId, Buffer.from("ab"), 0, 2)).toThrow(UndercroftError);
  },
);

test("decode() of arbitrary bytes throws or returns a value, and the codec goes on", () => {
  const bytes = Buffer.from(codec.encode({ a: ["x", 5, { b: new Date(1) }], c: "y" }, "k"));
  const structured = Buffer.from(
    codec.encode({ a: [-0, Buffer.from("b")], e: new Error("x") }, "k"),
  );
  const structuredId = codec.lastCodecId;
  const failures: unknown[] = [];
  for (const [codecId, whole] of [
    [codecMsgpack, bytes],
    [structuredId, structured],
    [10, structured],
  ] as const) {
    for (let at = 0; at < whole.length; at++) {
      const torn = Buffer.from(whole);
      torn[at] = (torn[at] as number) ^ 0xff;
      for (const end of [at, whole.length]) {
        try {
          codec.decode(codecId, torn, 0, end);
        } catch (error) {
          failures.push(error);
        }
      }
    }
  }
  expect(failures.length).toBeGreaterThan(100);
  expect(failures.every((error) => error instanceof Error)).toBe(true);
  assertExact(roundTrip(codec, { fine: [1] }), { fine: [1] });
});
