// Keys too long for a thread's scratch, in a memory of which every segment is taken.

import { expect, test } from "vitest";
import { createdBaseOf } from "../../dist/src/record/mod.js";
import { counterMemoryEntries } from "../../dist/src/stats/mod.js";
import { fill, find, type OpenedStore, openStores, read, write } from "./opened-store.js";

const fields = { codecId: 1, createdMs: 1_750_000_000_000 };
const base = { createdBaseMs: createdBaseOf(fields.createdMs) };

/** Two threads of one memory. */
function openPair(): [OpenedStore, OpenedStore] {
  return openStores(2, base) as [OpenedStore, OpenedStore];
}

const longKeys: [string, string | Uint8Array][] = [
  ["a string", "k".repeat(3000)],
  ["bytes", new Uint8Array(20_000).fill(7)],
];

test.each(longKeys)("a long key of %s is found and removed", (_name, key) => {
  const [store, other] = openPair();
  expect(write(store, key, "value", fields)).toBe("stored");
  fill(store);
  expect(read(other, key)).toBe("value");
  expect(other.writer.remove(key)).toBe(true);
  expect(find(store, key)).toBe("none");
  expect(store.kernel.total(counterMemoryEntries)).toBe(0);
  expect(store.writer.remove(key)).toBe(false);
});

test.each(longKeys)("a set of a long key of %s that finds no room", (_name, key) => {
  const [store, other] = openPair();
  write(store, key, "older", fields);
  fill(store);
  // The other thread is in the middle of a call with a long key; this one does not wait for it.
  other.keys.write("o".repeat(20_000));
  expect(write(store, key, "newer", fields)).toBe("overloaded");
  expect(find(store, key)).toBe("none");
  expect(store.kernel.total(counterMemoryEntries)).toBe(0);
});

test.each(longKeys)("a refused value of a long key of %s", (_name, key) => {
  const [store] = openPair();
  write(store, key, "older", fields);
  fill(store);
  expect(write(store, key, "x".repeat(64 * 1024), fields)).toBe("too-large");
  expect(find(store, key)).toBe("none");
});
