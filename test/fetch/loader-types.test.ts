// The types of fetch, wrap and entry. The type checker of `npm run lint` holds them; the test runs
// the calls.

import { expect, expectTypeOf, test } from "vitest";
import { entry, type Loader, type LoadedEntry } from "../../dist/src/mod.js";
import { open, setUpCaches } from "../cache/opened.js";

setUpCaches();

interface Dog {
  readonly kind: "dog";
  readonly name: string;
}
interface Cat {
  readonly kind: "cat";
  readonly lives: number;
}
const dog: Dog = { kind: "dog", name: "Rex" };

test("fetch in an untyped cache has the loader's type", async () => {
  const cache = await open();
  const number = await cache.fetch("n", async () => 5);
  expectTypeOf(number).toEqualTypeOf<number>();
  const maybe = await cache.fetch("m", (): string | undefined => undefined);
  expectTypeOf(maybe).toEqualTypeOf<string | undefined>();
  const kept = await cache.fetch("d", async () => entry(dog, { ttl: "1m" }));
  expectTypeOf(kept).toEqualTypeOf<Dog>();
  const either = await cache.fetch("e", () => (number > 9 ? dog : entry("none")));
  expectTypeOf(either).toEqualTypeOf<Dog | string>();
  const untold = cache.fetch("u", (): unknown => 1);
  expectTypeOf(untold).toEqualTypeOf<Promise<unknown>>();
  expect([number, maybe, kept, either, await untold]).toEqual([5, undefined, dog, "none", 1]);
});

test("fetch in a cache of a union has the kinds that the loader may give", async () => {
  const cache = await open<Dog | Cat | string>();
  const text = await cache.fetch("s", async (): Promise<string> => "x");
  expectTypeOf(text).toEqualTypeOf<string>();
  const one = await cache.fetch("d", async () => ({ kind: "dog", name: "Rex" }) as const);
  expectTypeOf(one).toEqualTypeOf<Dog>();
  const two = await cache.fetch("c", () => entry<Cat>({ kind: "cat", lives: 9 }));
  expectTypeOf(two).toEqualTypeOf<Cat>();
  const any = await cache.fetch("a", (): Dog | Cat | string | undefined => undefined);
  expectTypeOf(any).toEqualTypeOf<Dog | Cat | string | undefined>();
  // @ts-expect-error: a number is no kind of this cache
  expect(await cache.fetch("n", () => 5)).toBe(5);
  expect([text, one, two, any]).toEqual(["x", dog, { kind: "cat", lives: 9 }, undefined]);
});

test("fetch in a typed cache has the cache's type", async () => {
  const dogs = await open<Dog>();
  const one = await dogs.fetch("d", async () => ({ kind: "dog", name: "Rex" }));
  expectTypeOf(one).toEqualTypeOf<Dog>();
  const more = await dogs.fetch("d", () => ({ kind: "dog" as const, name: "Rex", age: 3 }));
  expectTypeOf(more).toEqualTypeOf<Dog>();
  const load: Loader<Dog> = ({ stale }) => stale ?? dog;
  expectTypeOf(dogs.fetch("d", load)).toEqualTypeOf<Promise<Dog | undefined>>();
  const throws = dogs.fetch("d", () => {
    throw new Error("not run");
  });
  expectTypeOf(throws).toEqualTypeOf<Promise<Dog>>();
  const parsed = dogs.fetch("d", () => JSON.parse("{}"));
  expectTypeOf(parsed).toEqualTypeOf<Promise<Dog>>();
  // @ts-expect-error: it lacks a name
  expect(await dogs.fetch("d", () => ({ kind: "dog" }))).toEqual(dog);
  const flags = await open<boolean>();
  const flag = await flags.fetch("f", async () => true);
  expectTypeOf(flag).toEqualTypeOf<boolean>();
  const letters = await open<"a" | "b">();
  const letter = await letters.fetch("l", () => "a");
  expectTypeOf(letter).toEqualTypeOf<"a" | "b">();
  expectTypeOf(letters.fetch("l", () => entry("a" as const))).toEqualTypeOf<Promise<"a" | "b">>();
  expect([one, more, await throws, await parsed, flag, letter]).toEqual([
    dog,
    dog,
    dog,
    dog,
    true,
    "a",
  ]);
});

test("wrap keeps the type of what it wraps", async () => {
  const cache = await open();
  const load = async (id: number, name = "Rex"): Promise<Dog> => ({ ...dog, name: name + id });
  const wrapped = cache.wrap(load, { key: (id, name) => `${id}:${name}` });
  expectTypeOf(wrapped).toEqualTypeOf<typeof load>();
  const same = cache.wrap(async <T>(value: T): Promise<T> => value, { key: String });
  expectTypeOf(same).toBeCallableWith(1);
  expectTypeOf(same<number>).returns.toEqualTypeOf<Promise<number>>();
  const length = cache.wrap((text: string) => text.length, { key: (text) => text });
  expectTypeOf(length).toEqualTypeOf<(this: unknown, text: string) => Promise<number>>();
  const lasting = cache.wrap((): LoadedEntry<Dog> => entry(dog), { key: () => "dog" });
  expectTypeOf(lasting).returns.toEqualTypeOf<Promise<Dog>>();
  expect([await wrapped(7), await same(1), await length("four"), await lasting()]).toEqual([
    { ...dog, name: "Rex7" },
    1,
    4,
    dog,
  ]);
});
