// The operations of the model and how they are drawn: few keys that are used often, many that make
// pressure, mostly small values, sometimes one larger than a segment. Called by model.test.ts.

import fc from "fast-check";

interface Times {
  readonly ttl: number | undefined;
  readonly staleFor: number | undefined;
  readonly tags: readonly string[];
}

export type Operation =
  | ({ readonly kind: "set"; key: number; size: number; readBack: boolean } & Times)
  | ({ readonly kind: "fetch"; key: number; size: number } & Times)
  | { readonly kind: "getSync" | "get" | "has" | "delete"; key: number }
  | { readonly kind: "getMany"; keys: number[] }
  | { readonly kind: "getDuring"; key: number; size: number; change: Change; tag: string }
  | { readonly kind: "advance"; ms: number }
  | { readonly kind: "deleteByTag"; tags: string[] }
  | { readonly kind: "clear" | "flush" | "reopen" };

export type Change = "set" | "delete" | "deleteByTag" | "clear";

// Hot keys stay in memory, warm ones do not all fit there, the rest are rarely used twice.
const key = fc.oneof(
  { weight: 10, arbitrary: fc.nat({ max: 60 }) },
  { weight: 8, arbitrary: fc.nat({ max: 800 }) },
  { weight: 2, arbitrary: fc.nat({ max: 5000 }) },
);

const size = fc.oneof(
  { weight: 300, arbitrary: fc.integer({ min: 0, max: 200 }) },
  { weight: 150, arbitrary: fc.integer({ min: 200, max: 3000 }) },
  { weight: 30, arbitrary: fc.integer({ min: 3000, max: 20_000 }) },
  { weight: 5, arbitrary: fc.integer({ min: 20_000, max: 200_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(262_144, 524_288, 1_200_000) },
);

const ttl = fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: undefined, freq: 2 });
const staleFor = fc.option(fc.integer({ min: 0, max: 5000 }), { nil: undefined, freq: 1 });
// A few tags that many entries have, and many that few have.
const tag = fc.oneof(
  { weight: 1, arbitrary: fc.nat({ max: 3 }).map((number) => `big:${number}`) },
  { weight: 9, arbitrary: fc.nat({ max: 300 }).map((number) => `small:${number}`) },
);
const tags = fc.oneof(
  { weight: 2, arbitrary: fc.constant<string[]>([]) },
  { weight: 1, arbitrary: fc.array(tag, { minLength: 1, maxLength: 4 }) },
);
// Seldom enough that a cache fills up between two clears.
const change = fc.oneof(
  { weight: 30, arbitrary: fc.constant("deleteByTag" as const) },
  { weight: 120, arbitrary: fc.constant("set" as const) },
  { weight: 60, arbitrary: fc.constant("delete" as const) },
  { weight: 1, arbitrary: fc.constant("clear" as const) },
);
const kind = <K extends Operation["kind"]>(name: K): fc.Arbitrary<K> => fc.constant(name);

/** One operation of a memory-only cache. */
export const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 1500,
    arbitrary: fc.record({
      kind: kind("set"),
      key,
      size,
      readBack: fc.boolean(),
      ttl,
      staleFor,
      tags,
    }),
  },
  { weight: 400, arbitrary: fc.record({ kind: kind("fetch"), key, size, ttl, staleFor, tags }) },
  { weight: 1250, arbitrary: fc.record({ kind: kind("getSync"), key }) },
  { weight: 700, arbitrary: fc.record({ kind: kind("get"), key }) },
  { weight: 250, arbitrary: fc.record({ kind: kind("has"), key }) },
  { weight: 300, arbitrary: fc.record({ kind: kind("delete"), key }) },
  {
    weight: 100,
    arbitrary: fc.record({ kind: kind("getMany"), keys: fc.array(key, { maxLength: 6 }) }),
  },
  {
    weight: 200,
    arbitrary: fc.record({
      kind: kind("getDuring"),
      key,
      size: fc.integer({ min: 0, max: 3000 }),
      change,
      tag,
    }),
  },
  { weight: 300, arbitrary: fc.record({ kind: kind("advance"), ms: fc.nat({ max: 3000 }) }) },
  {
    weight: 60,
    arbitrary: fc.record({ kind: kind("deleteByTag"), tags: fc.array(tag, { maxLength: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind("clear") }) },
);

/** One operation of a cache with a directory. */
export const diskOperation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 600, arbitrary: operation },
  { weight: 6, arbitrary: fc.record({ kind: kind("flush") }) },
  { weight: 1, arbitrary: fc.record({ kind: kind("reopen") }) },
);
