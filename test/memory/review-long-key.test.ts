// Keys too long for a thread's scratch, when no segment has room to look for them.

import { expect, test } from "vitest";
import {
  compileKernel,
  createRegion,
  divide,
  Kernel,
  layout as at,
} from "../../dist/src/kernel/mod.js";
import { MemoryStore, noKeyRoom, type WriteFields } from "../../dist/src/memory/mod.js";
import { createdBaseOf } from "../../dist/src/record/mod.js";
import { counterMemoryEntries } from "../../dist/src/stats/mod.js";

const fields: WriteFields = {
  codecId: 1,
  flags: 0,
  createdMs: 1_750_000_000_000,
  expiresMs: Infinity,
  staleUntilMs: Infinity,
  tags: new Uint8Array(0),
  flight: -1,
  forDisk: true,
};

function openStore(): MemoryStore {
  const geometry = divide({
    memoryBytes: 2 ** 20,
    diskCapacityBytes: 0,
    diskSegmentCount: 0,
    diskSegmentBytes: 0,
    remembersSets: false,
    policyBytes: 0,
    samples: false,
  });
  const region = createRegion(geometry, 7n, createdBaseOf(fields.createdMs));
  return new MemoryStore(Kernel.attach(compileKernel(), region));
}

/** Takes every segment, so that nothing can be staged. */
function fill(store: MemoryStore): void {
  const { verbs, geometry } = store.kernel;
  while (verbs.reserve(geometry.segmentBytes, at.logSmall, 1) !== 0);
}

test.each([
  ["a string", "k".repeat(3000)],
  ["bytes", new Uint8Array(20_000).fill(7)],
])("a long key of %s is removed when no segment has room", (_name, key) => {
  const store = openStore();
  const value = Buffer.from("value");
  expect(store.write(key, store.keys.write(key), value, fields)).toBe("stored");
  fill(store);
  const keyBytes = store.keys.write(key);
  expect(keyBytes).toBe(noKeyRoom);
  expect(store.remove(keyBytes)).toBe(true);
  expect(store.kernel.total(counterMemoryEntries)).toBe(0);
  expect(store.remove(store.keys.write(key))).toBe(false);
});

test("a set that finds no room takes the older value away all the same", () => {
  const store = openStore();
  const key = "k".repeat(3000);
  store.write(key, store.keys.write(key), Buffer.from("older"), fields);
  fill(store);
  expect(store.write(key, store.keys.write(key), Buffer.from("newer"), fields)).toBe("overloaded");
  expect(store.kernel.total(counterMemoryEntries)).toBe(0);
});
