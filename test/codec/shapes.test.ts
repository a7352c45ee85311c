// Values whose keys stand in a table of shapes: they come back exactly whatever the table holds, on whichever side of it, and
// a value whose shape is lost is refused and never taken for another.

import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Codec, createCodec } from "../../dist/src/codec/mod.js";
import { codecMsgpack, codecPhrased, codecShaped } from "../../dist/src/record/mod.js";
import {
  decodeShape,
  encodeShape,
  PhraseLearning,
  shapesMax,
  type ShapeTable,
} from "../../dist/src/shapes/mod.js";
import { assertExact } from "./exact.js";
import { cases, many, plain } from "./exact-cases.js";

const config = { codec: "msgpack", classInstances: "throw" } as const;

/** A table in one thread. */
class Table implements ShapeTable {
  readonly shapes: (readonly string[] | null)[] = [];
  readonly books = new Map<number, readonly Uint8Array[]>();
  readonly max: number;

  constructor(max = shapesMax) {
    this.max = max;
  }

  get count(): number {
    return this.shapes.length;
  }

  get isFull(): boolean {
    return this.count >= this.max;
  }

  keysOf(id: number): readonly string[] | null {
    return this.shapes[id] ?? null;
  }

  phrasesOf(id: number): readonly Uint8Array[] | null {
    return this.books.get(id) ?? null;
  }

  addBook(phrases: readonly Uint8Array[]): void {
    this.books.set(this.shapes.push(null) - 1, phrases);
  }

  add(keys: readonly string[], known: number): boolean {
    if (known !== this.count) throw new Error("the codec does not know the table");
    this.shapes.push(keys);
    return true;
  }
}

interface Stored {
  readonly id: number;
  readonly bytes: Buffer;
}

function copyOf(codec: Codec, value: unknown): Stored {
  const bytes = Buffer.from(codec.encode(value, "k"));
  return { id: codec.lastCodecId, bytes };
}

function decode(codec: Codec, { id, bytes }: Stored): unknown {
  return codec.decode(id, bytes, 0, bytes.length);
}

const table = new Table();
const writer = createCodec(config, undefined, table);
const reader = createCodec(config, undefined, table);

test.each(cases)(
  "%s comes back exactly before and after its shapes have ids",
  (name, value, id) => {
    const first = copyOf(writer, value);
    expect(first.id).toBe(id === codecMsgpack ? codecShaped : id);
    assertExact(decode(reader, first), value);
    // Until its shapes are in the table, but for what is larger than this test's patience.
    if (!/large|long|dictionary/.test(name)) for (const _ of many(20)) writer.encode(value, "k");
    const later = copyOf(writer, value);
    assertExact(decode(reader, later), value);
    assertExact(decode(reader, first), value);
    assertExact(decode(writer, later), value);
  },
);

test("values of known shapes are smaller by their keys", () => {
  const value = { identifier: 1, description: "x", nested: { latitude: 1, longitude: 2 } };
  const before = copyOf(createCodec(config), value);
  const own = new Table();
  const codec = createCodec(config, undefined, own);
  for (const _ of many(40)) codec.encode(value, "k");
  expect(own.shapes).toEqual([
    ["identifier", "description", "nested"],
    ["latitude", "longitude"],
  ]);
  const after = copyOf(codec, value);
  expect(before.bytes.length - after.bytes.length).toBeGreaterThan(40);
  assertExact(decode(createCodec(config, undefined, own), after), value);
});

/** A table with all ids given out, to shapes of the keys that `plain` likes and of others. */
function fullTable(): Table {
  const full = new Table();
  full.shapes.push(["id"], ["name"], ["tags"], ["id", "name"], ["name", "id"]);
  for (let id = full.count; id < shapesMax; id++) full.shapes.push([`a${id}`, `b${id}`]);
  full.shapes[90] = ["id", "name", "tags"];
  // Its id alone is a whole value, which must not be taken for a number.
  full.shapes[20] = [];
  return full;
}

/** Values of the shapes with these ids, one in the other. */
function valueOf(full: Table, ids: readonly number[]): unknown {
  return ids.reduce<unknown>(
    // Once only: a repeated object would go to V8.
    (inner, id) =>
      Object.fromEntries((full.keysOf(id) ?? []).map((key, at) => [key, at === 0 ? [inner] : at])),
    "end",
  );
}

test("any plain data and any mix of known and unknown shapes come back exactly", () => {
  const full = fullTable();
  const from = createCodec(config, undefined, full);
  const to = createCodec(config, undefined, full);
  const ids = fc.array(fc.nat(shapesMax - 1), { maxLength: 4 });
  fc.assert(
    fc.property(plain, ids, (value, shapes) => {
      const mixed = [
        value,
        valueOf(full, shapes),
        { unknown: value, id: [{ other: 1 }, { other: 2 }] },
      ];
      assertExact(decode(to, copyOf(from, mixed)), mixed);
    }),
    { numRuns: 500 },
  );
});

function outcomeOf(codec: Codec, stored: Stored | undefined, value: unknown): string {
  let decoded: unknown;
  try {
    decoded = decode(codec, stored as Stored);
  } catch {
    return "refused";
  }
  return isDeepStrictEqual(decoded, value) ? "exact" : "wrong";
}

test("a value with a lost shape is refused, and every other value comes back", () => {
  const full = fullTable();
  const from = createCodec(config, undefined, full);
  const written = full.shapes.map((_, id) => valueOf(full, [id, (id + 1) % shapesMax]));
  const bytes = written.map((value) => copyOf(from, value));
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(shapesMax - 1), { maxLength: 60 }), (others) => {
      const lost = [...others, 20];
      const holed = new Table();
      holed.shapes.push(...full.shapes);
      for (const id of lost) holed.shapes[id] = null;
      const to = createCodec(config, undefined, holed);
      // Twice and more often: msgpackr makes other readers after some calls.
      for (const turn of many(5)) {
        const wrong = written.filter((value, id) => {
          // The shape of id 20 has no keys and so no room for a value within.
          const isLost = lost.includes((id + 1) % shapesMax) || (id !== 19 && lost.includes(id));
          return outcomeOf(to, bytes[id], value) !== (isLost ? "refused" : "exact");
        });
        expect([turn, wrong]).toEqual([turn, []]);
      }
      // What this thread writes now it can read.
      const again = copyOf(to, [written, { unknown: [1, { id: 1 }] }]);
      assertExact(decode(to, again), [written, { unknown: [1, { id: 1 }] }]);
    }),
    { numRuns: 10 },
  );
});

test("a shape that another thread has added is known at the next value", () => {
  const shared = new Table();
  const first = createCodec(config, undefined, shared);
  const second = createCodec(config, undefined, shared);
  for (let shape = 0; shape < 100; shape++) {
    const value = { [`field ${shape}`]: shape, list: [{ [`inner ${shape}`]: 1 }] };
    for (const _ of many(40)) first.encode(value, "k");
    assertExact(decode(second, copyOf(first, value)), value);
    assertExact(decode(first, copyOf(second, value)), value);
  }
  expect(shared.count).toBe(200);
});

test("objects whose keys are data take no ids", () => {
  const own = new Table();
  const codec = createCodec(config, undefined, own);
  for (let user = 0; user < 20_000; user++) {
    const votes = Object.fromEntries(
      many(5).map((vote) => [`user-${(user * 7 + vote * 1013) % 5000}`, vote]),
    );
    const value = { title: "poll", votes, [`${user % 1000}`]: { open: true } };
    const stored = copyOf(codec, value);
    if (user % 100 === 0) assertExact(decode(codec, stored), value);
  }
  expect(own.shapes).toEqual([["open"]]);
});

test("a full table changes nothing but the size", () => {
  const own = new Table(3);
  const codec = createCodec(config, undefined, own);
  for (let shape = 0; shape < 10; shape++) {
    const value = { [`key ${shape}`]: shape };
    for (const _ of many(40)) codec.encode(value, "k");
    assertExact(decode(codec, copyOf(codec, value)), value);
  }
  expect(own.count).toBe(3);
});

test("a getter that stores a value while one is packed spoils neither, nor the table", () => {
  const own = new Table();
  const codec = createCodec(config, undefined, own);
  const inner: Stored[] = [];
  const value = {
    first: { a: 1 },
    get now() {
      inner.push(copyOf(codec, { first: { b: [2] } }));
      return 5;
    },
    last: { a: 2 },
  };
  for (let turn = 0; turn < 60; turn++) {
    assertExact(decode(codec, copyOf(codec, value)), { first: { a: 1 }, now: 5, last: { a: 2 } });
  }
  for (const stored of inner) assertExact(decode(codec, stored), { first: { b: [2] } });
  expect(own.shapes).toContainEqual(["a"]);
});

/** Phrases that the values of `valueAt` have in common, packed with this table. */
function learnt(shared: Table, valueAt: (id: number) => unknown): Uint8Array[] {
  const codec = createCodec(config, undefined, shared);
  const sample = many(100).map((id) => copyOf(codec, valueAt(id)).bytes);
  const learning = new PhraseLearning(sample.slice(20));
  while (!learning.step());
  return learning.phrases();
}

const order = (id: number): unknown => ({
  id,
  note: `Order of the regular customer with number ${id}`,
  state: ["shipped to the customer", "waiting for payment"][id % 2],
});

test("values by a book of phrases come back exactly, in any thread, and what shares nothing with it stands as it was", () => {
  const shared = new Table();
  const first = createCodec(config, undefined, shared);
  const second = createCodec(config, undefined, shared);
  const before = copyOf(first, order(7));
  shared.addBook(learnt(shared, order));
  // The shapes that come after the book have ids of their own.
  for (const _ of many(40)) first.encode({ after: 1, the: 2, book: 3 }, "k");
  for (const id of [7, 12_345, 5_000_000]) {
    const stored = copyOf(first, order(id));
    expect(stored.id).toBe(codecPhrased);
    expect(stored.bytes.length).toBeLessThan(before.bytes.length * 0.6);
    assertExact(decode(second, stored), order(id));
  }
  assertExact(decode(second, before), order(7));
  const other = copyOf(first, { after: 1, the: 2, book: "something else entirely" });
  expect(other.id).toBe(codecShaped);
  assertExact(decode(second, other), { after: 1, the: 2, book: "something else entirely" });
  // A later book takes over, and values by the one before are read as before.
  const old = copyOf(first, order(9));
  const later = (id: number): unknown => ({ text: `Nothing of this is in the first book: ${id}` });
  shared.addBook(learnt(shared, later));
  expect(copyOf(first, later(1)).id).toBe(codecPhrased);
  assertExact(decode(first, copyOf(first, later(1))), later(1));
  assertExact(decode(second, old), order(9));
});

test("any plain data comes back exactly with a book of its own phrases", () => {
  fc.assert(
    fc.property(fc.array(plain, { minLength: 1, maxLength: 6 }), (values) => {
      const shared = new Table();
      // Twenty of each, so that they have much in common.
      shared.addBook(learnt(shared, (id) => values[id % values.length]));
      const from = createCodec(config, undefined, shared);
      const to = createCodec(config, undefined, shared);
      for (const value of [...values, values]) {
        for (const _ of many(2)) assertExact(decode(to, copyOf(from, value)), value);
      }
    }),
    { numRuns: 8 },
  );
});

test("a value whose book is lost is refused, and a thread that has lost it writes none by it", () => {
  const shared = new Table();
  shared.addBook(learnt(shared, order));
  const stored = copyOf(createCodec(config, undefined, shared), order(7));
  expect(stored.id).toBe(codecPhrased);
  shared.books.clear();
  const codec = createCodec(config, undefined, shared);
  expect(() => decode(codec, stored)).toThrow(/book of phrases/);
  expect(copyOf(codec, order(7)).id).toBe(codecShaped);
  expect(() => decode(createCodec(config), stored)).toThrow(/codec 12/);
});

test("a codec without a table refuses values that need one", () => {
  const stored = copyOf(writer, { a: 1 });
  expect(() => decode(createCodec(config), stored)).toThrow(/codec 11/);
});

test("the entry of a shape is read as it was written, and by its own id only", () => {
  const names = fc.array(fc.string({ unit: "grapheme", maxLength: 12 }), { maxLength: 60 });
  fc.assert(
    fc.property(names, fc.nat(shapesMax - 1), (keys, id) => {
      const entry = encodeShape(id, keys);
      if (entry === null) return;
      expect(decodeShape(entry, id)).toEqual(keys);
      expect(decodeShape(entry, (id + 1) % shapesMax)).toBeNull();
      expect(decodeShape(entry.subarray(0, -1), id)).toBeNull();
    }),
  );
  expect(encodeShape(0, many(65).map(String))).toBeNull();
  expect(encodeShape(0, ["x".repeat(1100)])).toBeNull();
});
