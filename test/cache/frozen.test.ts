// near: { mode: "frozen" }: what one caller does to a value, no other sees.

import { describe, expect, test } from "vitest";
import type { Cache } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

const near = { mode: "frozen" } as const;

/** Values that cannot be frozen whole, and what a caller may do to them. */
const changeable: [name: string, make: () => unknown, change: (value: never) => unknown][] = [
  ["a Map", () => new Map([["role", "reader"]]), (map: Map<string, string>) => map.clear()],
  ["a Set", () => new Set([1]), (set: Set<number>) => set.add(2)],
  ["a Date", () => new Date(0), (date: Date) => date.setTime(5)],
  ["bytes", () => new Uint8Array([1]), (bytes: Uint8Array) => bytes.fill(9)],
  ["a Buffer", () => Buffer.from("b"), (bytes: Buffer) => bytes.fill(9)],
  ["doubles", () => new Float64Array([1.5]), (list: Float64Array) => list.fill(9)],
  ["an ArrayBuffer", () => new ArrayBuffer(2), (b: ArrayBuffer) => new Uint8Array(b).fill(9)],
  ["a RegExp", () => /a/g, (pattern: RegExp) => pattern.exec("a")],
  ["an Error", () => new Error("m"), (error: Error) => (error.message = "changed")],
];

/** The hits of every method, each by a caller of its own. */
async function hitsOf(cache: Cache): Promise<unknown[]> {
  return [
    cache.getSync("k"),
    cache.getSync("k"),
    await cache.get("k"),
    (await cache.getMany(["k"])).get("k"),
    (await cache.getEntry("k"))?.value,
    await cache.fetch("k", () => "not loaded"),
  ];
}

describe.each(changeable)("%s", (_name, make, change) => {
  test.each([
    ["alone", (value: unknown) => value, (hit: unknown) => hit],
    ["inside", (value: unknown) => ({ a: [value] }), (hit: unknown) => (hit as Held).a[0]],
  ])("%s is another object for each caller, and unchanged", async (_where, wrap, partOf) => {
    const cache = await open({ near, ...diskAt(freshPath()) });
    cache.set("k", wrap(make()));
    const hits = await hitsOf(cache);
    expect(new Set(hits.map(partOf)).size).toBe(hits.length);
    for (const hit of hits) {
      expect(hit).toEqual(wrap(make()));
      change(partOf(hit) as never);
    }
    for (const hit of await hitsOf(cache)) expect(hit).toEqual(wrap(make()));
    expect(cache.stats().near.entries).toBe(0);
  });

  test("that was loaded is another object for each waiting caller", async () => {
    const cache = await open({ near });
    const load = async (): Promise<unknown> => [make()];
    const fetched = await Promise.all([1, 2, 3].map(() => cache.fetch("k", load)));
    expect(new Set(fetched.map((one) => (one as unknown[])[0])).size).toBe(3);
    for (const one of fetched) expect(one).toEqual([make()]);
    expect(cache.stats().loads).toBe(1);
  });

  test("that was loaded is not the loader's own object", async () => {
    const cache = await open({ near });
    const loaded = make();
    const fetched = await cache.fetch("k", () => loaded);
    expect(fetched).toEqual(make());
    expect(fetched).not.toBe(loaded);
    change(fetched as never);
    expect(cache.getSync("k")).toEqual(make());
  });
});

interface Held {
  readonly a: readonly unknown[];
}

test("the plain parts beside it are frozen in each copy", async () => {
  const cache = await open<{ list: object[]; at: Date }>({ near });
  cache.set("k", { list: [{}], at: new Date(0) });
  const hit = cache.getSync("k");
  expect([hit, hit?.list, hit?.list[0]].every((part) => Object.isFrozen(part))).toBe(true);
});

test("plain data is one object, frozen whole", async () => {
  const cache = await open<Held>({ near });
  const value = { a: [{ b: [1, { c: null }] }, "text", undefined, 5n] };
  cache.set("k", value);
  const [first, ...others] = (await hitsOf(cache as Cache)) as Held[];
  for (const other of others) expect(other).toBe(first);
  expect(() => (first as { a: unknown[] }).a.push(1)).toThrow(TypeError);
  expect(Object.isFrozen(first) && Object.isFrozen(first?.a[0])).toBe(true);
  expect(Object.isFrozen(value)).toBe(false);
});

test("what a custom codec makes is another object for each caller", async () => {
  class Account {
    constructor(public balance: number) {}
  }
  const cache = await open<Account>({
    near,
    codec: {
      name: "accounts",
      encode: ({ balance }) => Buffer.from(String(balance)),
      decode: (bytes) => new Account(Number(Buffer.from(bytes).toString())),
    },
  });
  cache.set("k", new Account(5));
  const hit = cache.getSync("k");
  if (hit !== undefined) hit.balance = 0;
  expect(cache.getSync("k")).toEqual(new Account(5));
});
