import { expect, test } from "vitest";
import { createHasher } from "../../dist/src/hash/mod.js";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

// From the reference implementation (xxhsum -H1).
test.each([
  ["", 0n, 0xef46db3751d8e999n],
  ["a", 0n, 0xd24ec4f1a98c6e5bn],
  ["abc", 0n, 0x44bc2cf5ad770999n],
])("h64() of %o is XXH64", async (input, seed, hash) => {
  const hasher = await createHasher();
  expect(hasher.h64(text(input), seed)).toBe(hash);
  expect(hasher.h64(text(input))).toBe(hash);
});

test("low32() is the low half of h64(), unsigned", async () => {
  const hasher = await createHasher();
  for (let length = 0; length < 200; length++) {
    const bytes = new Uint8Array(length).fill(length + 1);
    const low = hasher.low32(bytes, 7n);
    expect(BigInt(low)).toBe(hasher.h64(bytes, 7n) & 0xffffffffn);
  }
});

test("a seed changes the hash", async () => {
  const hasher = await createHasher();
  expect(hasher.h64(text("key"), 1n)).not.toBe(hasher.h64(text("key"), 2n));
});

test("a view hashes as its bytes, over shared memory too", async () => {
  const hasher = await createHasher();
  const shared = new Uint8Array(new SharedArrayBuffer(32));
  shared.set(text("abc"), 5);
  expect(hasher.h64(shared.subarray(5, 8))).toBe(0x44bc2cf5ad770999n);
});

test("createHasher() returns one instance", async () => {
  expect(await createHasher()).toBe(await createHasher());
});
