// How often a call reads the caller's key: each reading encodes the text once, and the kernel
// hashes what was encoded once.

import { afterEach, beforeEach, expect, test } from "vitest";

import { openCache } from "../../dist/src/mod.js";
import { diskAt, freshPath } from "../cache/opened.js";

/** Longer than what is encoded without the platform's encoder. */
const key = "a key that the platform's encoder has to encode";

type EncodeInto = InstanceType<typeof TextEncoder>["encodeInto"];
const encodeInto = Reflect.get(TextEncoder.prototype, "encodeInto") as EncodeInto;
let readings = 0;

beforeEach(() => {
  readings = 0;
  TextEncoder.prototype.encodeInto = function (text, bytes) {
    if (text === key) readings += 1;
    return encodeInto.call(this, text, bytes);
  };
});

afterEach(() => {
  TextEncoder.prototype.encodeInto = encodeInto;
});

test.each(["memory", "disk"])("a cold fetch reads its key at most twice, with %s", async (kind) => {
  const disk = kind === "disk" ? diskAt(freshPath()) : {};
  const cache = await openCache<number>({ memory: "4mb", ...disk });
  expect(await cache.fetch(key, () => 1)).toBe(1);
  expect(readings).toBeGreaterThan(0);
  expect(readings).toBeLessThanOrEqual(2);
  expect(cache.getSync(key)).toBe(1);
  await cache.close();
});

test("getEntry and set read their key once", async () => {
  const cache = await openCache<number>({ memory: "4mb" });
  cache.set(key, 1);
  expect(readings).toBe(1);
  readings = 0;
  expect((await cache.getEntry(key))?.value).toBe(1);
  expect(readings).toBe(1);
  await cache.close();
});
