import { expect, test } from "vitest";
import { deepFreeze } from "../../dist/src/codec/mod.js";

class Point {
  x = 1;
}

test("deepFreeze() freezes plain objects and arrays, however deep", () => {
  const bare = Object.assign(Object.create(null) as object, { f: {} });
  const value = { list: [{ e: [1] }], text: "t", none: undefined, bare };
  expect(deepFreeze(value)).toBe(true);
  for (const part of [value, value.list, value.list[0], value.list[0]?.e, bare]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
  expect(Object.isFrozen(Reflect.get(bare, "f"))).toBe(true);
});

test.each<[string, object]>([
  ["a Map", new Map()],
  ["a Set", new Set()],
  ["a Date", new Date(0)],
  ["bytes", new Uint8Array(1)],
  ["no bytes", new Uint8Array(0)],
  ["a Buffer", Buffer.from("b")],
  ["an ArrayBuffer", new ArrayBuffer(1)],
  ["a DataView", new DataView(new ArrayBuffer(1))],
  ["a regular expression", /x/g],
  ["an error", new Error("x")],
  ["an instance of a class", new Point()],
  ["a class of arrays", new (class List extends Array {})()],
  ["a proxy", new Proxy({}, {})],
  ["a URL", new URL("http://a")],
])("deepFreeze() says that %s is not frozen, and leaves it", (_name, part) => {
  expect(deepFreeze(part)).toBe(false);
  expect(Object.isFrozen(part)).toBe(false);
  const value = { a: [part], b: {} };
  expect(deepFreeze(value)).toBe(false);
  expect(Object.isFrozen(value) && Object.isFrozen(value.a) && Object.isFrozen(value.b)).toBe(true);
  expect(Object.isFrozen(part)).toBe(false);
});

test("deepFreeze() goes into Maps, Sets and errors", () => {
  const [asKey, inMap, inSet, cause] = [{ a: 1 }, { b: 1 }, { c: 1 }, { d: 1 }];
  deepFreeze([new Map([[asKey, inMap]]), new Set([inSet]), new Error("x", { cause })]);
  for (const part of [asKey, inMap, inSet, cause]) expect(Object.isFrozen(part)).toBe(true);
});

test("deepFreeze() takes cycles and depth, and runs no getter", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  let deep: unknown = cyclic;
  for (let level = 0; level < 50_000; level++) deep = [deep];
  expect(deepFreeze(deep)).toBe(true);
  expect(Object.isFrozen(cyclic)).toBe(true);
  const withGetter = Object.defineProperty({}, "getter", {
    get: () => {
      throw new Error("the getter ran");
    },
  });
  expect(deepFreeze(withGetter)).toBe(false);
});

test("deepFreeze() goes into what is already frozen", () => {
  const inner = { a: 1 };
  expect(deepFreeze(Object.freeze([inner]))).toBe(true);
  expect(Object.isFrozen(inner)).toBe(true);
});

test.each([null, undefined, 5, "text", true])("deepFreeze(%o) has nothing to freeze", (value) => {
  expect(deepFreeze(value)).toBe(true);
});
