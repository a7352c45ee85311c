// Objects of built-in classes that keep their state where no copy can see it, under classInstances
// "plain": refused with their path, on every version of Node.js. What has its state in properties
// is taken.

import { AsyncLocalStorage } from "node:async_hooks";
import { createSecretKey } from "node:crypto";
import { BlockList } from "node:net";
import { MIMEType } from "node:util";
import { runInThisContext, Script } from "node:vm";
import { describe, expect, test } from "vitest";
import { createCodec } from "../../dist/src/codec/mod.js";
import { roundTrip } from "./exact.js";

const plain = createCodec({ codec: "msgpack", classInstances: "plain" });
const strict = createCodec({ codec: "msgpack", classInstances: "throw" });
const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);

/** As many as this version of Node.js has. */
const hidden: [name: string, value: unknown][] = [
  ["URL", new URL("http://a/b?c=1")],
  ["URLSearchParams", new URLSearchParams("a=1")],
  ["Headers", new Headers({ a: "b" })],
  ["FormData", new FormData()],
  ["Request", new Request("http://a")],
  ["Response", new Response("x")],
  ["DOMException", new DOMException("m", "AbortError")],
  ["TextDecoder", new TextDecoder()],
  ["TextEncoder", new TextEncoder()],
  ["Blob", new Blob(["x"])],
  ["AbortController", new AbortController()],
  ["AbortSignal", AbortSignal.abort()],
  ["Event", new Event("x")],
  ["EventTarget", new EventTarget()],
  ["ReadableStream", new ReadableStream()],
  ["WritableStream", new WritableStream()],
  ["TransformStream", new TransformStream()],
  ["CompressionStream", new CompressionStream("gzip")],
  ["Promise", Promise.resolve(1)],
  ["WeakMap", new WeakMap()],
  ["WeakSet", new WeakSet()],
  ["WeakRef", new WeakRef({})],
  ["FinalizationRegistry", new FinalizationRegistry(() => undefined)],
  ["SharedArrayBuffer", new SharedArrayBuffer(1)],
  ["NumberFormat", new Intl.NumberFormat()],
  ["DateTimeFormat", new Intl.DateTimeFormat()],
  ["Collator", new Intl.Collator()],
  ["Segmenter", new Intl.Segmenter()],
  ["Memory", new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })],
  ["Module", new WebAssembly.Module(wasm)],
  ["Crypto", crypto],
  ["MIMEType", new MIMEType("text/plain")],
  ["BlockList", new BlockList()],
  ["Script", new Script("1")],
  ["SecretKeyObject", createSecretKey(Buffer.from("abc"))],
  ["a generator", (function* () {})()],
  ["an iterator of an array", [1].values()],
  ["an iterator of a Map", new Map().entries()],
  ["an iterator of a text", "ab"[Symbol.iterator]()],
  ["matches", "ab".matchAll(/a/g)],
  ["segments", new Intl.Segmenter().segment("ab")],
  ["Math", Math],
  ["JSON", JSON],
  ["a Map by its prototype only", Object.create(Map.prototype)],
  ["a class of URLs", new (class Link extends URL {})("http://a")],
  ["a class of formats", new (class Format extends Intl.NumberFormat {})()],
  [
    "private members",
    new (class Secret {
      #x = 1;
      get x(): number {
        return this.#x;
      }
    })(),
  ],
  [
    "a class that says it is Headers",
    new (class Headers {
      get [Symbol.toStringTag](): string {
        return "Headers";
      }
      get size(): number {
        return 0;
      }
    })(),
  ],
];
const later: Record<string, (() => unknown) | undefined> = {
  Temporal: () => Reflect.get(Reflect.get(globalThis, "Temporal") as object, "Now"),
  File: () => new File(["x"], "a"),
  Iterator: () => runInThisContext("[1].values().map((x) => x)"),
  SuppressedError: () => runInThisContext("new SuppressedError(1, 2)"),
};
for (const [name, make] of Object.entries(later)) {
  if (name in globalThis) hidden.push([name, make?.()]);
}

test.each(hidden)("%s is refused with its path", (_name, value) => {
  for (const codec of [plain, strict]) {
    for (const wrapped of [{ a: [value] }, { a: [value], zero: -0 }]) {
      expect(() => codec.encode(wrapped, "k")).toThrow(TypeError);
      expect(() => codec.encode(wrapped, "k")).toThrow(
        /^Cannot store value of key "k": value\.a\[0\] is .*whose state is not in its properties; /,
      );
      expect(() => codec.encode(wrapped, "k")).not.toThrow("classInstances");
    }
  }
});

test.each<[string, unknown]>([
  ["an AsyncLocalStorage", new AsyncLocalStorage()],
  [
    "an object with a function",
    new (class Handler {
      run = (): number => 1;
    })(),
  ],
])("%s is refused", (_name, value) => {
  expect(() => plain.encode({ a: value }, "k")).toThrow(/value\.a/);
});

describe("taken are", () => {
  class Point {
    constructor(readonly x = 1) {}
    get double(): number {
      return this.x * 2;
    }
  }

  test.each<[string, unknown, unknown]>([
    ["a class with properties and accessors", new Point(), { x: 1 }],
    ["a class without properties", new (class Empty {})(), {}],
    [
      "a class of that class",
      new (class Far extends Point {
        y = 2;
      })(),
      { x: 1, y: 2 },
    ],
    [
      "a class named as one of the platform's",
      new (class Event {
        type = "x";
      })(),
      { type: "x" },
    ],
    ["a class with that name and no properties", new (class Request {})(), {}],
    ["an object over a prototype of its own", Object.create({ a: 1 }), {}],
    [
      "a class of Maps",
      new (class Registry extends Map<string, number> {})([["a", 1]]),
      new Map([["a", 1]]),
    ],
    ["a class of arrays", new (class List extends Array<number> {})(1, 2), [1, 2]],
    ["a class of dates", new (class Day extends Date {})(5), new Date(5)],
    ["a class of bytes", new (class Bytes extends Uint8Array {})([1]), new Uint8Array([1])],
  ])("%s", (_name, value, expected) => {
    expect(roundTrip(plain, value)).toEqual(expected);
  });

  test("a class of errors", () => {
    const error = roundTrip(plain, new (class Failure extends RangeError {})("m"));
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toBe("m");
  });
});

test.each<[string, ArrayBuffer | ArrayBufferView]>([
  ["a Uint8Array", new Uint8Array(4)],
  ["a Buffer", Buffer.from(new ArrayBuffer(4))],
  ["doubles", new Float64Array(2)],
  ["a DataView", new DataView(new ArrayBuffer(4))],
  ["an ArrayBuffer", new ArrayBuffer(4)],
])("%s that was transferred away is refused with its path", (_name, value) => {
  const buffer = (ArrayBuffer.isView(value) ? value.buffer : value) as ArrayBuffer;
  structuredClone(buffer, { transfer: [buffer] });
  const wanted =
    /is an instance of \w+ that was transferred away; store the bytes before, or a copy/;
  expect(() => strict.encode(value, "k")).toThrow(wanted);
  for (const given of [{ a: [value] }, { a: [value], zero: -0 }]) {
    expect(() => strict.encode(given, "k")).toThrow(wanted);
    expect(() => strict.encode(given, "k")).toThrow("value.a[0] is");
  }
  // Nothing is not the same as lost.
  expect(roundTrip(strict, { a: new Uint8Array(0), b: new DataView(new ArrayBuffer(0)) })).toEqual({
    a: new Uint8Array(0),
    b: new DataView(new ArrayBuffer(0)),
  });
});

test("an arguments object is refused with its path and the remedy", () => {
  const made: unknown = runInThisContext("(function () { return arguments; })(1, 2)");
  for (const codec of [plain, strict]) {
    expect(() => codec.encode({ list: made }, "k")).toThrow(
      'Cannot store value of key "k": value.list is an arguments object; ' +
        "store an array made from it: [...arguments]",
    );
  }
});
