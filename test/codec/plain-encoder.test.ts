// Plain data whose schemas all have ids is encoded in one pass. Its bytes are msgpackr's own, each
// property is read once, and what msgpackr would change still goes another way.

import fc from "fast-check";
import { Packr } from "msgpackr";
import { expect, test } from "vitest";
import { createCodec } from "../../dist/src/codec/mod.js";
import { schemasMax, type SchemaTable } from "../../dist/src/dictionary/mod.js";
import { codecRepaired, codecSchema, codecStructured } from "../../dist/src/record/mod.js";
import { assertExact, roundTrip } from "./exact.js";
import { many } from "./exact-cases.js";

const config = { codec: "msgpack", classInstances: "throw" } as const;

/** A full table: what has no id in it never gets one. */
class Table implements SchemaTable {
  readonly schemas: string[][] = [["id", "text"], ["list"], [], ["a"], ["a", "b"], ["b", "a"]];
  readonly isFull = true;

  constructor() {
    for (let id = this.count; id < schemasMax; id++) this.schemas.push([`a${id}`, "b"]);
  }

  get count(): number {
    return this.schemas.length;
  }

  keysOf(id: number): readonly string[] {
    return this.schemas[id] as string[];
  }

  add(): boolean {
    return false;
  }
}

const table = new Table();
const codec = createCodec(config, undefined, table);

/** msgpackr alone, with the same schemas. */
const packr = new Packr({
  useRecords: true,
  moreTypes: true,
  structures: structuresOf(table),
  maxSharedStructures: schemasMax,
  maxOwnStructures: 64,
  shouldShareStructure: () => false,
} as object);

function structuresOf({ schemas }: Table): object[] {
  const structures = schemas.map((keys, id) =>
    Object.assign([...keys], { isShared: true, ...(id < 32 ? {} : { highByte: (id - 32) >> 5 }) }),
  );
  return Object.assign(structures, { sharedLength: structures.length });
}

/** Ends the pause after values that were given up, in which none is tried. */
function endPause(): void {
  for (const _ of many(70)) codec.encode({ a: 1 }, "k");
}

/** Whether the value is encoded in one pass: a getter in it is then read once. */
function isOnePass(value: unknown): boolean {
  let reads = 0;
  endPause();
  codec.encode(
    [
      {
        list: {
          get a() {
            return ++reads;
          },
        },
      },
      value,
    ],
    "k",
  );
  return reads === 1;
}

const keys = fc.constantFrom(...table.schemas.slice(0, 6), ["a40", "b"], ["a200", "b"]);
const { value: known } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.string({ unit: "binary", maxLength: 80 }),
    fc.string({ maxLength: 400 }),
    fc.integer(),
    fc.integer({ min: -200, max: 300 }),
    fc.double().filter((number) => !Object.is(number, -0)),
    fc.constantFrom(true, false, null, undefined),
    fc.array(tie("value"), { maxLength: 20 }),
    fc
      .tuple(keys, fc.array(tie("value"), { minLength: 2, maxLength: 2 }))
      .map(([names, values]) => Object.fromEntries(names.map((name, at) => [name, values[at]]))),
  ),
}));

test("what is encoded in one pass is what msgpackr makes of it", () => {
  fc.assert(
    fc.property(known, (value) => {
      const whole = { list: [value] };
      expect(Buffer.from(codec.encode(whole, "k"))).toEqual(packr.pack(whole));
      expect(codec.lastCodecId).toBe(codecSchema);
      assertExact(roundTrip(codec, whole), whole);
    }),
    { numRuns: 2000 },
  );
});

const lengths = [0, 1, 30, 31, 32, 33, 63, 64, 65, 85, 86, 254, 255, 256, 21_845, 65_535, 65_536];

test.each(lengths)("texts of %i characters of any width are msgpackr's", (length) => {
  for (const unit of ["x", "é", "日", "\u{1f600}"]) {
    const whole = { id: length, text: unit.repeat(length), list: 1 };
    const value = { list: [whole.text, { id: length, text: `${whole.text}x` }] };
    expect(isOnePass(value)).toBe(true);
    expect(Buffer.from(codec.encode(value, "k")).equals(packr.pack(value))).toBe(true);
    assertExact(roundTrip(codec, value), value);
  }
});

test("numbers at the ends of each size are msgpackr's", () => {
  const ends = [0x20, 0x40, 0x80, 0x100, 0x8000, 0x10000, 2 ** 31, 2 ** 32, 2 ** 53, 0.5, NaN];
  const list = [...ends, Infinity, 5e-324].flatMap((end) => [end - 1, end, end + 1, -end]);
  list.push(...ends.flatMap((end) => [1 - end, -end - 1]));
  const value = { list: list.filter((number) => !Object.is(number, -0)) };
  expect(isOnePass(value)).toBe(true);
  expect(Buffer.from(codec.encode(value, "k"))).toEqual(packr.pack(value));
});

test("values larger than the buffer are encoded, and smaller ones after them", () => {
  const own = createCodec(config, undefined, table);
  for (const rows of [1, 3000, 1, 100_000, 180_000, 1]) {
    let reads = 0;
    const first = Object.defineProperty({ id: 0 } as object, "text", {
      enumerable: true,
      get: () => `read ${++reads}`,
    });
    const others = many(rows).map((id) => ({ id: id % 32, text: `row ${id} of many rows` }));
    const bytes = Buffer.from(own.encode({ list: [first, ...others] }, "k"));
    const isOnePass = rows < 180_000;
    const text = isOnePass ? "read 1" : "read 3";
    expect(bytes.equals(packr.pack({ list: [{ id: 0, text }, ...others] }))).toBe(true);
    // The next one is not tried.
    if (!isOnePass) own.encode({ a: 1 }, "k");
  }
});

function nestedArrays(levels: number): unknown {
  return many(levels).reduce<unknown>((inner) => [inner], "end");
}

const elsewhere: [name: string, value: () => unknown, codecId: number][] = [
  ["a negative zero", () => ({ a: -0 }), codecStructured],
  ["a lone surrogate", () => ({ a: "\ud800" }), codecStructured],
  ["a byte order mark", () => ({ a: "\ufeffx" }), codecStructured],
  ["a hole", () => ({ list: Object.assign([], { length: 3 }) }), codecStructured],
  ["a named property of an array", () => ({ a: Object.assign([1], { b: 2 }) }), codecStructured],
  ["a hole in many items", () => ({ list: Object.assign(many(99), { 101: 1 }) }), codecStructured],
  [
    "a hole and a property",
    () => ({ a: Object.assign([], { 0: 1, 2: 3, b: 2 }) }),
    codecStructured,
  ],
  ["arrays of many levels", () => ({ a: nestedArrays(130) }), codecStructured],
  ["an object met twice", () => ((a) => ({ a, b: [a] }))({ a: 1 }), codecStructured],
  ["an object that holds itself", () => ((a) => Object.assign(a, { a }))({}), codecStructured],
  ["a null prototype", () => ({ a: Object.setPrototypeOf({ a: 1 }, null) }), codecRepaired],
  ["a Date", () => ({ a: new Date(5) }), codecSchema],
  ["a Map", () => ({ a: new Map([["a", 1]]) }), codecSchema],
  ["bytes", () => ({ a: Buffer.from("b") }), codecSchema],
  ["a bigint", () => ({ a: 5n }), codecSchema],
  ["a schema without an id", () => ({ a: { other: 1 } }), codecSchema],
  ["keys in another order", () => ({ text: "x", id: 1 }), codecSchema],
];

test.each(elsewhere)("%s is encoded in another way, exactly", (_, value, codecId) => {
  expect(isOnePass(value())).toBe(false);
  const stored = value();
  codec.encode(stored, "k");
  expect(codec.lastCodecId).toBe(codecId);
  assertExact(roundTrip(codec, stored), stored);
});

test("values that are given up are tried ever less often, and others at once", () => {
  let reads = 0;
  const value = () => ({
    a: {
      get a() {
        return ++reads;
      },
    },
    b: new Date(5),
  });
  endPause();
  for (const _ of many(500)) codec.encode(value(), "k");
  // Each is read by the check and by msgpackr, and once more where it was tried.
  expect(reads).toBeGreaterThan(1000 + 10);
  expect(reads).toBeLessThan(1000 + 20);
  expect(isOnePass({ a: 1 })).toBe(true);
});

test("what cannot be stored is refused although its schema has an id", () => {
  const refused: [value: unknown, message: string][] = [
    [{ a: 1, [Symbol("tag")]: 1 }, "value has the key Symbol(tag)"],
    [{ a: Object.assign([1], { [Symbol("tag")]: 1 }) }, "value.a has the key Symbol(tag)"],
    [{ list: [{ a: () => 1 }] }, "value.list[0].a is a function"],
    [{ a: Symbol("s") }, "value.a is a symbol"],
  ];
  for (const [value, message] of refused) {
    endPause();
    expect(() => codec.encode(value, "k")).toThrow(message);
  }
});

test("an inherited property is not taken for the object's own", () => {
  Object.defineProperty(Object.prototype, "b", { value: 7, configurable: true, enumerable: true });
  endPause();
  let stored: Buffer;
  try {
    stored = Buffer.from(codec.encode({ a: 1 }, "k"));
  } finally {
    Reflect.deleteProperty(Object.prototype, "b");
  }
  assertExact(codec.decode(codecSchema, stored, 0, stored.length), { a: 1 });
});

test("a proxy that lists its keys in another order at one look is read by its keys", () => {
  const target = { a: 1, b: 2 };
  for (const flipped of many(2)) {
    let looks = 0;
    const ownKeys = (): string[] => (looks++ === flipped ? ["b", "a"] : ["a", "b"]);
    endPause();
    const bytes = Buffer.from(codec.encode({ list: new Proxy(target, { ownKeys }) }, "k"));
    const decoded = codec.decode(codec.lastCodecId, bytes, 0, bytes.length);
    expect(decoded).toEqual({ list: target });
    expect(looks).toBeGreaterThan(1);
  }
});

test("a getter that changes its object or stores another value damages nothing", () => {
  const inner: Buffer[] = [];
  const stores = {
    get a() {
      inner.push(Buffer.from(codec.encode({ a: "x", b: [{ a: 2 }] }, "k")));
      return 5;
    },
    b: "after",
  };
  endPause();
  for (const _ of many(3)) {
    const outer = Buffer.from(codec.encode(stores, "k"));
    expect(codec.decode(codecSchema, outer, 0, outer.length)).toEqual({ a: 5, b: "after" });
  }
  expect(inner.length).toBe(3);
  for (const bytes of inner) {
    assertExact(codec.decode(codecSchema, bytes, 0, bytes.length), { a: "x", b: [{ a: 2 }] });
  }
  const shrinks: unknown[] = [1, 2, 3];
  Object.defineProperty(shrinks, 1, { enumerable: true, get: () => (shrinks.length = 2) });
  const removes: Record<string, unknown> = {
    get a() {
      return delete removes["b"];
    },
    b: 1,
  };
  const grows: Record<string, unknown> = {
    get a() {
      return (grows["c"] = 1);
    },
  };
  for (const value of [shrinks, removes, grows]) {
    endPause();
    const bytes = Buffer.from(codec.encode({ a: value }, "k"));
    expect(() => codec.decode(codec.lastCodecId, bytes, 0, bytes.length)).not.toThrow();
  }
});
