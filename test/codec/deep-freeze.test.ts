import { expect, test } from "vitest";
import { deepFreeze } from "../../dist/src/codec/mod.js";

test("deepFreeze() freezes everything in a value and returns it", () => {
  const inMap = { a: 1 };
  const asKey = { b: 1 };
  const inSet = { c: 1 };
  const hidden = { d: 1 };
  const value = {
    list: [{ e: [1] }],
    map: new Map([[asKey, inMap]]),
    set: new Set([inSet]),
    date: new Date(0),
    error: new Error("x", { cause: hidden }),
  };
  expect(deepFreeze(value)).toBe(value);
  for (const part of [
    value,
    value.list,
    value.list[0],
    value.list[0]?.e,
    value.map,
    inMap,
    asKey,
  ]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
  for (const part of [value.set, inSet, value.date, value.error, hidden]) {
    expect(Object.isFrozen(part)).toBe(true);
  }
});

test("deepFreeze() handles cycles and depth, leaves bytes alone and runs no getter", () => {
  const cyclic: Record<string, unknown> = { bytes: new Uint8Array([1]), buffer: Buffer.from("b") };
  cyclic["self"] = cyclic;
  Object.defineProperty(cyclic, "getter", {
    enumerable: true,
    get: () => {
      throw new Error("the getter ran");
    },
  });
  let deep: unknown = cyclic;
  for (let level = 0; level < 50_000; level++) deep = [deep];
  expect(deepFreeze(deep)).toBe(deep);
  expect(Object.isFrozen(cyclic)).toBe(true);
  (cyclic["bytes"] as Uint8Array)[0] = 2;
  expect(cyclic["bytes"]).toEqual(new Uint8Array([2]));
});

test("deepFreeze() also freezes inside frozen objects", () => {
  const inner = { a: 1 };
  deepFreeze(Object.freeze([inner]));
  expect(Object.isFrozen(inner)).toBe(true);
});

test.each([null, undefined, 5, "text", true])("deepFreeze(%o) returns it", (value) => {
  expect(deepFreeze(value)).toBe(value);
});
