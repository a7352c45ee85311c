// Values of another realm (a vm context, a test runner's sandbox), proxies and getters.

import { createContext, runInContext, runInThisContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { createCodec } from "../../dist/src/codec/mod.js";
import { assertExact, roundTrip } from "./exact.js";

const plain = createCodec({ codec: "msgpack", classInstances: "plain" });
const strict = createCodec({ codec: "msgpack", classInstances: "throw" });
const realm = createContext({ Buffer });

function foreign(code: string): unknown {
  return runInContext(`(${code})`, realm);
}

/** The same code in this realm. */
function own(code: string): unknown {
  return runInThisContext(`(${code})`);
}

test.each([
  "new Uint8Array([1, 2])",
  'Buffer.from("abc")',
  "new Uint8Array([1, 2]).buffer",
  "new DataView(new ArrayBuffer(3))",
  "new Float64Array([1.5, -0, NaN])",
  "new BigInt64Array([5n])",
  "new Map([['a', { b: 1 }], [{ c: 1 }, 2]])",
  "new Set([1, { a: 2 }])",
  "new Date(5)",
  "/a(b)/gi",
  "{ a: [1, { b: 2 }], u: undefined, n: null, d: new Date(7) }",
  "[1, , 3]",
  "Object.assign(Object.create(null), { a: 1 })",
  "[Object('s'), Object(5), Object(true), Object(5n)]",
  "Object.assign([1], { extra: 2 })",
  "(() => { const a = {}; a.self = [a]; return a; })()",
  "Object.assign(/x/y, { lastIndex: 2 })",
])("%s of another realm is taken as one of ours", (code) => {
  for (const codec of [strict, plain]) {
    assertExact(roundTrip(codec, foreign(code)), own(code));
    assertExact(roundTrip(codec, { inside: [foreign(code)] }), { inside: [own(code)] });
  }
});

describe("errors of another realm", () => {
  test("keep class, message, stack, cause and properties", () => {
    const given = foreign(
      "Object.assign(new TypeError('m', { cause: [1] }), { code: 5 })",
    ) as Error;
    const read = roundTrip(strict, given) as Error & { readonly code: number };
    expect(read).toBeInstanceOf(TypeError);
    expect([read.message, read.cause, read.code]).toEqual(["m", [1], 5]);
    expect(read.stack).toBe(given.stack);
  });

  test("keep their list of errors", () => {
    const read = roundTrip(strict, foreign("new AggregateError([new Error('a'), 5], 'm')"));
    expect(read).toBeInstanceOf(AggregateError);
    const { errors } = read as AggregateError;
    expect([(errors[0] as Error).message, errors[1]]).toEqual(["a", 5]);
  });
});

test.each([
  ["new (class A { x = 1 })", "an instance of A"],
  ["new WeakRef({})", "an instance of WeakRef"],
  ["new Intl.NumberFormat()", "an instance of NumberFormat"],
  ["Promise.resolve(1)", "an instance of Promise"],
  ["() => 1", "a function"],
  ["(function () { return arguments; })(1)", "an arguments object"],
])("%s of another realm is refused with its path", (code, what) => {
  expect(() => strict.encode({ a: foreign(code) }, "k")).toThrow(`value.a is ${what}`);
});

describe("a proxy", () => {
  test("of plain data is taken by what it shows", () => {
    const shown = new Proxy({ a: 1, list: new Proxy([1, { b: 2 }], {}) }, {});
    assertExact(roundTrip(strict, shown), { a: 1, list: [1, { b: 2 }] });
    const doubling = new Proxy({ a: 1, b: 2 }, { get: (o, p) => Reflect.get(o, p) * 2 });
    assertExact(roundTrip(strict, { doubling }), { doubling: { a: 2, b: 4 } });
  });

  test("that wraps anew at each look is taken", () => {
    const deep = (target: object): object =>
      new Proxy(target, {
        get: (o, p) => {
          const item: unknown = Reflect.get(o, p);
          return typeof item === "object" && item !== null ? deep(item) : item;
        },
      });
    assertExact(roundTrip(strict, deep({ a: { b: [1, { c: 2 }] } })), { a: { b: [1, { c: 2 }] } });
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    expect(() => strict.encode(deep(cyclic), "k")).toThrow(/value is a proxy/);
  });

  test.each<[string, object]>([
    ["a Map", new Proxy(new Map(), {})],
    ["a Date", new Proxy(new Date(), {})],
    ["bytes", new Proxy(new Uint8Array(1), {})],
    ["a function", new Proxy(() => 1, {})],
    ["an instance", new Proxy(new (class A {})(), {})],
  ])("of %s is refused with its path", (_name, proxy) => {
    for (const codec of [strict, plain]) {
      expect(() => codec.encode({ a: [proxy] }, "k")).toThrow(
        /value\.a\[0\] is a (proxy|function)/,
      );
    }
  });

  test("that was revoked is refused with its path", () => {
    const revoked = (target: object): object => {
      const { proxy, revoke } = Proxy.revocable(target, {});
      revoke();
      return proxy;
    };
    for (const target of [{}, [], new Map()]) {
      expect(() => strict.encode(revoked(target), "k")).toThrow("value is a proxy");
      expect(() => strict.encode({ a: [revoked(target)] }, "k")).toThrow("value.a[0] is a proxy");
    }
  });

  test("whose trap throws throws that, and the next value is stored", () => {
    const thrown = new Error("trap");
    const proxy = new Proxy({ a: 1 }, { get: throwing(thrown) });
    expect(() => strict.encode({ proxy }, "k")).toThrow(/value\.proxy is a proxy|trap/);
    assertExact(roundTrip(strict, { a: 1 }), { a: 1 });
  });
});

describe("a getter", () => {
  test("is taken by its value", () => {
    const value = {
      get a() {
        return [1];
      },
    };
    assertExact(roundTrip(strict, value), { a: [1] });
  });

  test("that throws throws that from set", () => {
    const thrown = new RangeError("getter");
    const value = Object.defineProperty({}, "a", { enumerable: true, get: throwing(thrown) });
    for (const given of [value, { zero: -0, value }]) {
      expect(() => strict.encode(given, "k")).toThrow(thrown);
    }
  });

  test("that gives a function at its second look is refused", () => {
    let looks = 0;
    const value = {
      get a() {
        return looks++ === 0 ? 1 : () => 1;
      },
    };
    expect(() => strict.encode(value, "k")).toThrow(TypeError);
    assertExact(roundTrip(strict, { a: 1 }), { a: 1 });
  });
});

function throwing(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}
