// Keys and values of another realm, and values that change after the call.

import { createContext, runInContext } from "node:vm";
import { expect, test } from "vitest";
import { diskAt, errorOf, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

const realm = createContext({});

function foreign(code: string): unknown {
  return runInContext(`(${code})`, realm);
}

test("bytes of another realm are a key in every method", async () => {
  const cache = await open(diskAt(freshPath()));
  const key = foreign("new Uint8Array([107, 255])") as Uint8Array;
  const own = Uint8Array.of(107, 255);
  expect(cache.set(key, 1)).toBe("stored");
  expect([cache.getSync(own), await cache.get(key), cache.has(key)]).toEqual([1, 1, true]);
  expect((await cache.getEntry(key))?.value).toBe(1);
  expect((await cache.getMany([key])).get(key)).toBe(1);
  expect(await cache.fetch(key, () => 2)).toBe(1);
  expect(await cache.setAsync(key, 3)).toBe("stored");
  expect(cache.getSync(own)).toBe(3);
  expect(cache.setMany([[key, 4]])).toEqual(["stored"]);
  expect(cache.deleteMany([key])).toBe(1);
  cache.set(own, 5);
  expect(cache.delete(key)).toBe(true);
  const long = foreign("new Uint8Array(5000).fill(7)") as Uint8Array;
  cache.set(long, 6);
  expect(cache.getSync(new Uint8Array(5000).fill(7))).toBe(6);
  for (const wrong of ["new Uint16Array(2)", "new Uint8Array(0)", "{}"]) {
    const error = await errorOf(() => cache.set(foreign(wrong) as never, 1));
    expect([error.name, error.message]).toEqual([
      "TypeError",
      expect.stringContaining("Cannot use key"),
    ]);
  }
});

test("options and bulk arguments of another realm are taken", async () => {
  const cache = await open();
  expect(cache.set("k", 1, foreign("{ ttl: '1h', tags: ['t'] }") as object)).toBe("stored");
  cache.setMany(foreign("[['a', 1], ['b', 2]]") as [string, number][]);
  expect(await cache.getMany(foreign("new Set(['a', 'b'])") as Set<string>)).toEqual(
    new Map([
      ["a", 1],
      ["b", 2],
    ]),
  );
  cache.deleteByTag(foreign("['t']") as string[]);
  expect(cache.has("k")).toBe(false);
});

test("a codec and a listener of another realm work", async () => {
  const cache = await open({
    near: false,
    codec: {
      name: "foreign",
      encode: foreign("(value) => new Uint8Array([value])") as (value: unknown) => Uint8Array,
      decode: (bytes) => bytes[0],
    },
  });
  expect([cache.set("k", 7), cache.getSync("k")]).toEqual(["stored", 7]);
});

test("setAsync takes key and value as they are at the call", async () => {
  const cache = await open<unknown>();
  const value = { list: [1] };
  const view = new Uint8Array(8).fill(1).subarray(2, 4);
  const whole = new Uint8Array([1, 2]);
  const key = Buffer.from("bytes");
  // More than the pool runs at once, so that some wait in its queue.
  const waiting = Array.from({ length: 40 }, (_, number) =>
    cache.setAsync(`w${number}`, "x".repeat(20_000)),
  );
  const sets = [
    cache.setAsync("changed", value),
    cache.setAsync("view", view),
    cache.setAsync("whole", whole),
    cache.setAsync(key, "by bytes"),
  ];
  value.list.push(2);
  view.fill(9);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  key.fill(0);
  expect(whole.length).toBe(0); // transferred at the call
  expect(new Set(await Promise.all([...sets, ...waiting]))).toEqual(new Set(["stored"]));
  expect(cache.getSync("changed")).toEqual({ list: [1] });
  expect(cache.getSync("view")).toEqual(new Uint8Array([1, 1]));
  expect(cache.getSync("whole")).toEqual(new Uint8Array([1, 2]));
  expect(cache.getSync("bytes")).toBe("by bytes");
});
