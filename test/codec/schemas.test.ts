// Values whose property names are in a schema dictionary: they come back exactly, whatever the
// dictionary of the writer or the reader holds, and a value whose schema is lost is refused and
// never taken for another.

import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Codec, createCodec } from "../../dist/src/codec/mod.js";
import { codecMsgpack, codecSchema } from "../../dist/src/record/mod.js";
import {
  decodeSchema,
  encodeSchema,
  schemasMax,
  type SchemaTable,
} from "../../dist/src/dictionary/mod.js";
import { assertExact } from "./exact.js";
import { cases, many, plain } from "./exact-cases.js";

const config = { codec: "msgpack", classInstances: "throw" } as const;

/** A table in one thread. */
class Table implements SchemaTable {
  readonly schemas: (readonly string[] | null)[] = [];
  readonly max: number;

  constructor(max = schemasMax) {
    this.max = max;
  }

  get count(): number {
    return this.schemas.length;
  }

  get isFull(): boolean {
    return this.count >= this.max;
  }

  keysOf(id: number): readonly string[] | null {
    return this.schemas[id] ?? null;
  }

  add(keys: readonly string[], known: number): boolean {
    if (known !== this.count) throw new Error("the codec does not know the table");
    this.schemas.push(keys);
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
  "%s comes back exactly before and after its schemas have ids",
  (name, value, id) => {
    const first = copyOf(writer, value);
    expect(first.id).toBe(id === codecMsgpack ? codecSchema : id);
    assertExact(decode(reader, first), value);
    // Until its schemas are in the dictionary, except values too large for this test.
    if (!/large|long|dictionary/.test(name)) for (const _ of many(20)) writer.encode(value, "k");
    const later = copyOf(writer, value);
    assertExact(decode(reader, later), value);
    assertExact(decode(reader, first), value);
    assertExact(decode(writer, later), value);
  },
);

test("values of known schemas are stored without their property names", () => {
  const value = { identifier: 1, description: "x", nested: { latitude: 1, longitude: 2 } };
  const before = copyOf(createCodec(config), value);
  const own = new Table();
  const codec = createCodec(config, undefined, own);
  for (const _ of many(40)) codec.encode(value, "k");
  expect(own.schemas).toEqual([
    ["identifier", "description", "nested"],
    ["latitude", "longitude"],
  ]);
  const after = copyOf(codec, value);
  expect(before.bytes.length - after.bytes.length).toBeGreaterThan(40);
  assertExact(decode(createCodec(config, undefined, own), after), value);
});

/** A dictionary with all ids given out, to schemas of the names that `plain` uses and to others. */
function fullTable(): Table {
  const full = new Table();
  full.schemas.push(["id"], ["name"], ["tags"], ["id", "name"], ["name", "id"]);
  for (let id = full.count; id < schemasMax; id++) full.schemas.push([`a${id}`, `b${id}`]);
  full.schemas[90] = ["id", "name", "tags"];
  // Its id alone is a whole value, which must not be taken for a number.
  full.schemas[20] = [];
  return full;
}

/** Values of the schemas with these ids, one inside the other. */
function valueOf(full: Table, ids: readonly number[]): unknown {
  return ids.reduce<unknown>(
    // Once only: a repeated object would go to V8.
    (inner, id) =>
      Object.fromEntries((full.keysOf(id) ?? []).map((key, at) => [key, at === 0 ? [inner] : at])),
    "end",
  );
}

test("any plain data and any mix of known and unknown schemas come back exactly", () => {
  const full = fullTable();
  const from = createCodec(config, undefined, full);
  const to = createCodec(config, undefined, full);
  const ids = fc.array(fc.nat(schemasMax - 1), { maxLength: 4 });
  fc.assert(
    fc.property(plain, ids, (value, schemas) => {
      const mixed = [
        value,
        valueOf(full, schemas),
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

test("a value with a lost schema is refused, and every other value comes back", () => {
  const full = fullTable();
  const from = createCodec(config, undefined, full);
  const written = full.schemas.map((_, id) => valueOf(full, [id, (id + 1) % schemasMax]));
  const bytes = written.map((value) => copyOf(from, value));
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(schemasMax - 1), { maxLength: 60 }), (others) => {
      const lost = [...others, 20];
      const holed = new Table();
      holed.schemas.push(...full.schemas);
      for (const id of lost) holed.schemas[id] = null;
      const to = createCodec(config, undefined, holed);
      // Twice and more often: msgpackr makes other readers after some calls.
      for (const turn of many(5)) {
        const wrong = written.filter((value, id) => {
          // The schema of id 20 has no names, so no value can be inside it.
          const isLost = lost.includes((id + 1) % schemasMax) || (id !== 19 && lost.includes(id));
          return outcomeOf(to, bytes[id], value) !== (isLost ? "refused" : "exact");
        });
        expect([turn, wrong]).toEqual([turn, []]);
      }
      // What this thread writes now, it can read.
      const again = copyOf(to, [written, { unknown: [1, { id: 1 }] }]);
      assertExact(decode(to, again), [written, { unknown: [1, { id: 1 }] }]);
    }),
    { numRuns: 10 },
  );
});

test("a schema that another thread has added is known at the next value", () => {
  const shared = new Table();
  const first = createCodec(config, undefined, shared);
  const second = createCodec(config, undefined, shared);
  for (let schema = 0; schema < 100; schema++) {
    const value = { [`field ${schema}`]: schema, list: [{ [`inner ${schema}`]: 1 }] };
    for (const _ of many(40)) first.encode(value, "k");
    assertExact(decode(second, copyOf(first, value)), value);
    assertExact(decode(first, copyOf(second, value)), value);
  }
  expect(shared.count).toBe(200);
});

test("objects whose property names are data take no ids", () => {
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
  expect(own.schemas).toEqual([["open"]]);
});

test("a schema that comes after many objects that have none in common still gets an id", () => {
  const own = new Table();
  const codec = createCodec(config, undefined, own);
  for (let id = 0; id < 20_000; id++) codec.encode({ [`user-${id}`]: id, [`at-${id}`]: 1 }, "k");
  expect(own.count).toBe(0);
  const late = { identifier: 1, list: [1] };
  let turns = 0;
  while (own.count === 0 && turns < 4096) {
    codec.encode([{ [`user-${turns}`]: 1 }, late], "k");
    turns++;
  }
  expect(own.schemas).toEqual([["identifier", "list"]]);
  // While nothing was learned few objects were counted; now all are again.
  expect(turns).toBeGreaterThan(64);
  for (const _ of many(20)) codec.encode({ identifier: 1, other: 1 }, "k");
  expect(own.schemas[1]).toEqual(["identifier", "other"]);
});

test("a full dictionary changes nothing but the size", () => {
  const own = new Table(3);
  const codec = createCodec(config, undefined, own);
  for (let schema = 0; schema < 10; schema++) {
    const value = { [`key ${schema}`]: schema };
    for (const _ of many(40)) codec.encode(value, "k");
    assertExact(decode(codec, copyOf(codec, value)), value);
  }
  expect(own.count).toBe(3);
});

test("a getter that stores a value while one is packed damages nothing", () => {
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
  expect(own.schemas).toContainEqual(["a"]);
});

test("a codec without a dictionary refuses values that need one", () => {
  const stored = copyOf(writer, { a: 1 });
  expect(() => decode(createCodec(config), stored)).toThrow(/codec 11/);
});

test("a schema is read as it was written, and only by its own id", () => {
  const names = fc.array(fc.string({ unit: "grapheme", maxLength: 12 }), { maxLength: 60 });
  fc.assert(
    fc.property(names, fc.nat(schemasMax - 1), (keys, id) => {
      const entry = encodeSchema(id, keys);
      if (entry === null) return;
      expect(decodeSchema(entry, id)).toEqual(keys);
      expect(decodeSchema(entry, (id + 1) % schemasMax)).toBeNull();
      expect(decodeSchema(entry.subarray(0, -1), id)).toBeNull();
    }),
  );
  expect(encodeSchema(0, many(65).map(String))).toBeNull();
  expect(encodeSchema(0, ["x".repeat(1100)])).toBeNull();
});
