// Keys too long for a thread's scratch, when no segment has room for the lookup.

import { expect, test } from "vitest";
import { noKeyRoom } from "../../dist/src/kernel/mod.js";
import { createdBaseOf } from "../../dist/src/record/mod.js";
import { counterMemoryEntries } from "../../dist/src/stats/mod.js";
import { fill, type OpenedStore, openStore, write } from "./opened-store.js";

const fields = { codecId: 1, createdMs: 1_750_000_000_000 };

function openLaterStore(): OpenedStore {
  return openStore({ createdBaseMs: createdBaseOf(fields.createdMs) });
}

test.each([
  ["a string", "k".repeat(3000)],
  ["bytes", new Uint8Array(20_000).fill(7)],
])("a long key of %s is removed when no segment has room", (_name, key) => {
  const store = openLaterStore();
  expect(write(store, key, "value", fields)).toBe("stored");
  fill(store);
  expect(store.keys.write(key)).toBe(noKeyRoom);
  expect(store.writer.remove(key)).toBe(true);
  expect(store.kernel.total(counterMemoryEntries)).toBe(0);
  expect(store.writer.remove(key)).toBe(false);
});

test("a set that finds no room removes the older value all the same", () => {
  const store = openLaterStore();
  const key = "k".repeat(3000);
  write(store, key, "older", fields);
  fill(store);
  expect(write(store, key, "newer", fields)).toBe("overloaded");
  expect(store.kernel.total(counterMemoryEntries)).toBe(0);
});
