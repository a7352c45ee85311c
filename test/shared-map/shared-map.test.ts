// The shared map by itself: what comes back, what is refused, and that nothing is lost.

import { isDeepStrictEqual } from "node:util";

import fc from "fast-check";
import { SharedHashMap, UndercroftError, type CustomCodec } from "undercroft/shared-map";
import { describe, expect, test } from "vitest";

const MiB = 1024 ** 2;
/** More entries than a map of 1 MiB holds. */
const manyMax = 20_000;

function openMap<V = unknown>(memory: number | string = MiB): SharedHashMap<V> {
  return SharedHashMap.create<V>({ memory });
}

describe("a map", () => {
  test("keeps values of every type of the default codec, and returns a new copy each time", () => {
    const map = openMap();
    const value = { at: new Date(5), tags: new Set(["a"]), bytes: new Uint16Array([1, 2]), n: 7n };
    expect(map.set("a", value)).toBe("stored");
    expect(map.get("a")).toEqual(value);
    expect(map.get("a")).not.toBe(map.get("a"));
    expect(map.set(Buffer.from("b"), null)).toBe("stored");
    expect(map.get("b")).toBeNull();
    expect([map.get("c"), map.has("c"), map.delete("c")]).toEqual([undefined, false, false]);
    expect([map.has("a"), map.delete("a"), map.has("a")]).toEqual([true, true, false]);
    expect(map.size).toBe(1);
    expect([...map.keys()]).toEqual([Uint8Array.from(Buffer.from("b"))]);
    map.close();
  });

  test("accepts keys of 64 KiB if a segment can hold them", () => {
    const map = openMap("64mb");
    const [one, two] = ["k".repeat(65_536), "k".repeat(65_535)];
    expect([map.set(one, 1), map.set(two, 2)]).toEqual(["stored", "stored"]);
    expect([map.get(one), map.get(two), map.size]).toEqual([1, 2, 2]);
    expect(map.delete(one)).toBe(true);
    expect([...map.keys()]).toEqual([two]);
    map.close();
  });

  test("throws for an invalid key, value, option or handle", () => {
    const map = openMap();
    expect(() => map.set("", 1)).toThrow(TypeError);
    expect(() => map.get(7 as never)).toThrow(TypeError);
    expect(() => map.set("a", undefined)).toThrow(TypeError);
    expect(() => map.set("a", () => 1)).toThrow(TypeError);
    expect(() => SharedHashMap.create({ size: 1 } as never)).toThrow(/no such option/);
    expect(() => SharedHashMap.create({ memory: "1kb" })).toThrow(RangeError);
    expect(() => SharedHashMap.attach({} as never)).toThrow(/map.handle\(\)/);
    expect(() => SharedHashMap.attach(map.handle(), { codec: "json" } as never)).toThrow(TypeError);
    expect(map.size).toBe(0);
    map.close();
  });

  test("is unusable once closed, for the thread that closed it only", () => {
    const map = openMap<number>();
    const other = SharedHashMap.attach<number>(map.handle());
    map.set("a", 1);
    map.close();
    map.close();
    expect(() => map.get("a")).toThrow(UndercroftError);
    expect(() => [...map.keys()]).toThrow(/closed/);
    expect(other.get("a")).toBe(1);
    const third = SharedHashMap.attach<number>(other.handle());
    expect(third.get("a")).toBe(1);
    third[Symbol.dispose]();
    other.close();
  });

  test("gives its thread ids back", () => {
    const map = openMap<number>();
    for (let turn = 0; turn < 200; turn++) SharedHashMap.attach(map.handle()).close();
    const held = Array.from({ length: 63 }, () => SharedHashMap.attach(map.handle()));
    expect(() => SharedHashMap.attach(map.handle())).toThrow(/64 thread ids are taken/);
    for (const each of [...held, map]) each.close();
  });

  test("accepts a user's codec, which every thread must give", () => {
    const codec: CustomCodec<number> = {
      name: "sevens",
      encode: (value) => Buffer.from(String(value * 7)),
      decode: (bytes) => Number(Buffer.from(bytes).toString()) / 7,
    };
    const map = SharedHashMap.create<number>({ memory: MiB, codec });
    map.set("a", 6);
    expect(() => SharedHashMap.attach(map.handle())).toThrow(/sevens/);
    expect(() => SharedHashMap.attach(map.handle(), { codec: { ...codec, name: "b" } })).toThrow(
      /sevens/,
    );
    const other = SharedHashMap.attach<number>(map.handle(), { codec });
    expect(other.get("a")).toBe(6);
    other.close();
    map.close();
  });
});

type Step =
  | { readonly kind: "set"; key: number; size: number }
  | { readonly kind: "delete" | "read"; key: number }
  | { readonly kind: "clear" | "walk" };

const key = fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 3000 }));
const size = fc.oneof(
  { weight: 20, arbitrary: fc.nat({ max: 400 }) },
  { weight: 6, arbitrary: fc.integer({ min: 400, max: 9000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 9000, max: 40_000 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 600, arbitrary: fc.record({ kind: fc.constant("set" as const), key, size }) },
  { weight: 150, arbitrary: fc.record({ kind: fc.constant("delete" as const), key }) },
  { weight: 250, arbitrary: fc.record({ kind: fc.constant("read" as const), key }) },
  { weight: 3, arbitrary: fc.constant({ kind: "walk" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
);

/** What a map must answer to a step: what a Map says that holds the sets that the map stored. A
 *  refused set leaves the older value. */
function answersOf(
  map: SharedHashMap<string>,
  model: Map<string, string>,
  each: Step,
  index: number,
  outcomes: Record<string, number>,
): { readonly given: unknown[]; readonly right: unknown[] } {
  const name = "key" in each ? `key:${each.key}:${"k".repeat(each.key % 90)}` : "";
  const sizes = (): unknown[] => [map.size, map.get(name || "none"), map.has(name || "none")];
  const rights = (): unknown[] => [model.size, model.get(name), model.has(name)];
  switch (each.kind) {
    case "set": {
      const value = `${index}:${"v".repeat(each.size)}`;
      const outcome = map.set(name, value);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      if (outcome === "stored") model.set(name, value);
      return { given: sizes(), right: rights() };
    }
    case "delete":
      return {
        given: [map.delete(name), ...sizes()],
        right: [model.delete(name), ...rights()],
      };
    case "clear":
      map.clear();
      model.clear();
      return { given: sizes(), right: rights() };
    case "walk":
      return { given: [new Set(map.keys())], right: [new Set(model.keys())] };
    case "read":
      return { given: sizes(), right: rights() };
  }
}

/** Two threads' maps in turn, against a Map. Returns the outcomes of the sets. */
function replay(steps: readonly Step[]): Readonly<Record<string, number>> {
  const first = openMap<string>();
  const maps = [first, SharedHashMap.attach<string>(first.handle())];
  const model = new Map<string, string>();
  const outcomes: Record<string, number> = {};
  const wrong: unknown[] = [];
  for (const [index, each] of steps.entries()) {
    const map = maps[index & 1] as SharedHashMap<string>;
    const { given, right } = answersOf(map, model, each, index, outcomes);
    if (!isDeepStrictEqual(given, right)) wrong.push({ index, each, given, right });
  }
  expect(wrong).toEqual([]);
  expect(new Map([...first.keys()].map((name) => [name, first.get(name)]))).toEqual(model);
  for (const map of maps) map.close();
  return outcomes;
}

describe("against a Map", () => {
  test("whatever was stored is found, exactly, until it is deleted", () => {
    const histories = fc.array(step, { minLength: 200, maxLength: 1200, size: "max" });
    fc.assert(
      fc.property(histories, (steps) => void replay(steps)),
      { numRuns: 25 },
    );
  });

  test("a map that is too small answers rightly for long, with refusals of every kind", () => {
    const outcomes = replay(fc.sample(step, { numRuns: 25_000, seed: 5 }));
    expect(outcomes["stored"]).toBeGreaterThan(8000);
    expect(outcomes["full"]).toBeGreaterThan(500);
    expect(outcomes["too-large"]).toBeGreaterThan(20);
    expect(outcomes["busy"]).toBeUndefined();
  });
});

describe("a full map", () => {
  const filled = (map: SharedHashMap<string>, value: string): number => {
    let count = 0;
    // A map that is never full is one that drops entries.
    while (count < manyMax && map.set(`key:${count}`, value) === "stored") count += 1;
    return count;
  };

  test("refuses new entries, accepts replacements, and has room again after deletes", () => {
    const map = openMap<string>();
    const value = "v".repeat(500);
    const count = filled(map, value);
    expect(count * 560).toBeGreaterThan(0.3 * MiB);
    expect(map.size).toBe(count);
    expect(map.set("another", value)).toBe("full");
    expect(map.has("another")).toBe(false);
    for (let turn = 0; turn < 5 * count; turn++) {
      expect(map.set(`key:${turn % count}`, `${turn}`.padEnd(500, "w"))).toBe("stored");
    }
    for (let index = 0; index < count; index += 2) map.delete(`key:${index}`);
    let again = 0;
    while (again < manyMax && map.set(`again:${again}`, value) === "stored") again += 1;
    expect(again).toBeGreaterThan(count / 2 - count / 10);
    for (let index = 1; index < count; index += 2) {
      expect(map.get(`key:${index}`)).toHaveLength(500);
    }
    map.clear();
    expect(map.size).toBe(0);
    expect(filled(map, value)).toBeGreaterThan(0.9 * count);
    map.close();
  });

  test("refuses when its index is full before its bytes are", () => {
    const map = openMap<string>();
    let count = 0;
    while (count < manyMax && map.set(`${count}`, "") === "stored") count += 1;
    expect(count).toBeGreaterThan(5000);
    expect(count).toBeLessThan(manyMax);
    expect(map.size).toBe(count);
    const there = Array.from({ length: count }, (_, index) => `${index}`);
    expect(there.filter((name) => !map.has(name))).toEqual([]);
    expect(new Set(map.keys())).toEqual(new Set(there));
    map.close();
  });

  test("stays within its budget", () => {
    const before = process.memoryUsage.rss();
    const map = openMap<string>("32mb");
    const value = "v".repeat(20_000);
    let written = 0;
    for (let turn = 0; turn < 20_000; turn++) {
      if (map.set(`key:${turn % 800}`, value) === "stored") written += value.length;
    }
    expect(written).toBeGreaterThan(10 * 32 * MiB);
    // The heap's own growth is included.
    expect(process.memoryUsage.rss() - before).toBeLessThan(96 * MiB);
    expect(map.size).toBe(800);
    map.close();
  });
});
