import { execFileSync } from "node:child_process";
import vm from "node:vm";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { expect, test } from "vitest";
import { createCodec } from "../../dist/src/codec/mod.js";
import { codecMsgpack, codecStructured } from "../../dist/src/record/mod.js";
import { assertExact, roundTrip } from "./exact.js";
import { cases, many, plain } from "./exact-cases.js";

const codec = createCodec({ codec: "msgpack", classInstances: "throw" });

test.each(cases)("%s comes back exactly, encoded as expected", (_, value, codecId) => {
  codec.encode(value, "k");
  expect(codec.lastCodecId).toBe(codecId);
  assertExact(roundTrip(codec, value), value);
});

// Inside another value, these two would be nested too deeply.
const shallow = cases.filter(([name]) => name !== "deep objects" && name !== "deep maps");

test.each(shallow)("%s comes back exactly by V8, inside other types", (_, value) => {
  const wrapped = { zero: -0, list: [value], map: new Map([["v", value]]) };
  assertExact(roundTrip(codec, wrapped), wrapped);
});

const storable = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withSparseArray: true,
  withTypedArray: true,
  withBoxedValues: false,
  withUnicodeString: true,
} as fc.ObjectConstraints);

test("any value comes back exactly", () => {
  const used = new Set<number>();
  fc.assert(
    fc.property(storable, (value) => {
      fc.pre(value !== undefined);
      const decoded = roundTrip(codec, value);
      codec.encode(value, "k");
      used.add(codec.lastCodecId);
      assertExact(decoded, value);
    }),
    { numRuns: 1500 },
  );
  expect(used).toContain(codecMsgpack);
  expect(used).toContain(codecStructured);
});

test("plain data comes back exactly, by msgpackr and by V8", () => {
  let packed = 0;
  fc.assert(
    fc.property(plain, (value) => {
      assertExact(roundTrip(codec, value), value);
      codec.encode([value], "k");
      if (codec.lastCodecId === codecMsgpack) packed++;
      assertExact(roundTrip(codec, [-0, value]), [-0, value]);
    }),
    { numRuns: 1000 },
  );
  expect(packed).toBeGreaterThan(500);
});

test("decoded bytes have their own memory, no larger than they need", () => {
  for (const value of [
    new Uint8Array([1, 2, 3]),
    Buffer.from("abc"),
    { a: new Uint8Array([1]), b: Buffer.from("b") },
    { a: new Uint8Array([1]), b: Buffer.from("b"), c: new DataView(new ArrayBuffer(2)), d: -0 },
  ]) {
    const decoded = roundTrip(codec, value);
    const views = ArrayBuffer.isView(decoded) ? [decoded] : Object.values(decoded as object);
    for (const view of views.filter((item) => ArrayBuffer.isView(item))) {
      expect(view.buffer.byteLength).toBe(view.byteLength);
    }
  }
});

test("an object of another realm comes back as one of this realm", () => {
  const foreign: unknown = vm.runInNewContext(
    '({ list: [1, new Map([["a", new Date(5)]]), new Set([2])], ' +
      'bytes: new Uint8Array([1]), error: new TypeError("x") })',
  );
  const decoded = roundTrip(codec, foreign) as Record<string, unknown>;
  assertExact(decoded["list"], [1, new Map([["a", new Date(5)]]), new Set([2])]);
  assertExact(decoded["bytes"], new Uint8Array([1]));
  expect(decoded["error"]).toBeInstanceOf(TypeError);
});

test("a view on shared memory is stored as its bytes", () => {
  const view = new Uint8Array(new SharedArrayBuffer(4)).fill(7);
  assertExact(roundTrip(codec, view), new Uint8Array(4).fill(7));
  assertExact(roundTrip(codec, { view }), { view: new Uint8Array(4).fill(7) });
  assertExact(roundTrip(codec, { view, zero: -0 }), { view: new Uint8Array(4).fill(7), zero: -0 });
});

test("other uses of msgpackr in the thread and the codec do not affect each other", () => {
  const theirs = new Packr();
  const first = theirs.pack({ their: "first" });
  const ours = codec.encode({ our: "value" }, "k");
  const second = theirs.pack({ their: "second ".repeat(100) });
  const private_ = Buffer.alloc(8192, 0x55);
  theirs.useBuffer(private_);
  codec.encode({ our: "other" }, "k");
  expect(private_.every((byte) => byte === 0x55)).toBe(true);
  expect(theirs.unpack(first)).toEqual({ their: "first" });
  expect(theirs.unpack(second)).toEqual({ their: "second ".repeat(100) });
  const scratch = Buffer.from(codec.encode({ our: "value" }, "k"));
  expect(codec.decode(codecMsgpack, scratch, 0, scratch.length)).toEqual({ our: "value" });
  expect(ours.length).toBeGreaterThan(0);
});

test("a getter that encodes during an encode damages neither value", () => {
  let inner: Buffer | undefined;
  let innerId = 0;
  const value = {
    before: "b",
    get now() {
      inner = Buffer.from(codec.encode({ inner: ["x"] }, "inner"));
      innerId = codec.lastCodecId;
      return 5;
    },
    after: "a",
  };
  const outer = Buffer.from(codec.encode(value, "outer"));
  const decoded = codec.decode(codec.lastCodecId, outer, 0, outer.length);
  expect(decoded).toEqual({ before: "b", now: 5, after: "a" });
  expect(codec.decode(innerId, inner as Buffer, 0, (inner as Buffer).length)).toEqual({
    inner: ["x"],
  });
});

test("a getter that decodes during an encode damages neither value", () => {
  const rows = many(5).map((id) => ({ id, name: `row ${id}` }));
  const stored = Buffer.from(codec.encode(rows, "rows"));
  const seen: unknown[] = [];
  const value = {
    first: [{ id: 1, name: "a" }],
    get rows() {
      seen.push(codec.decode(codecMsgpack, stored, 0, stored.length));
      return "read";
    },
    last: [
      { id: 2, name: "b" },
      { id: 3, other: "c" },
    ],
  };
  const outer = Buffer.from(codec.encode(value, "outer"));
  expect(codec.lastCodecId).toBe(codecMsgpack);
  expect(codec.decode(codecMsgpack, outer, 0, outer.length)).toEqual({ ...value, rows: "read" });
  expect(seen.length).toBeGreaterThan(1);
  for (const decoded of seen) expect(decoded).toEqual(rows);
});

test("an error thrown while encoding leaves the codec usable", () => {
  let reads = 0;
  const value = {
    a: "x",
    get late() {
      if (++reads > 1) throw new Error("late");
      return 1;
    },
  };
  expect(() => codec.encode(value, "k")).toThrow("late");
  assertExact(roundTrip(codec, { a: { b: 1 } }), { a: { b: 1 } });
});

test("without msgpackr's native part the same values come back", () => {
  const door = new URL("../../dist/src/codec/mod.js", import.meta.url).href;
  const script = `
    import { deepStrictEqual } from "node:assert";
    import { isNativeAccelerationEnabled } from "msgpackr";
    import { createCodec } from ${JSON.stringify(door)};
    const codec = createCodec({ codec: "msgpack", classInstances: "throw" });
    const values = [
      "\\ufeff" + "x".repeat(90), { a: "\\ufeff" + "x".repeat(90) }, { a: "\\ufeffb" },
      { strings: Array.from({ length: 300 }, (_, i) => "é".repeat(i % 90) + "x".repeat(i)) },
      { "日本": "\\u{1f600}".repeat(40), m: new Map([[1, new Set(["a"])]]), b: Buffer.from("b") },
    ];
    for (const value of values) {
      const bytes = Buffer.from(codec.encode(value, "k"));
      deepStrictEqual(codec.decode(codec.lastCodecId, bytes, 0, bytes.length), value);
    }
    console.log(isNativeAccelerationEnabled);`;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: { ...process.env, MSGPACKR_NATIVE_ACCELERATION_DISABLED: "true" },
  });
  expect(output.trim()).toBe("false");
});
