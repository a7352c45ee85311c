// What leaves memory is counted for the key space that it was of, whoever takes it out.
import { expect, test } from "vitest";

import { codes, KeyWindow } from "../../dist/src/kernel/mod.js";
import { Evictor } from "../../dist/src/eviction/mod.js";
import { MemoryWriter } from "../../dist/src/memory/mod.js";
import { evict, type EvictionPolicy } from "../../dist/src/policy/mod.js";
import {
  counterEvictionsMemory,
  counterExpirations,
  type RemovalCounter,
} from "../../dist/src/stats/mod.js";
import { type OpenedStore, openStore, plainFields } from "../memory/opened-store.js";

const namespace = 3;

/** Lets everything go. */
const policy: EvictionPolicy = {
  quietShare: 0,
  settled: 0,
  decide: () => evict,
  victim: () => "small",
};

/** A store with entries of the cache and more of a namespace, which expire at the same time. */
function filled(expiresMs: number): OpenedStore {
  const store = openStore();
  const spaces = [
    store.writer,
    new MemoryWriter(store.kernel, new KeyWindow(store.kernel, namespace)),
  ];
  for (const [index, writer] of spaces.entries()) {
    for (let entry = 0; entry < 10 * (index + 1); entry++) {
      const fields = { ...plainFields, expiresMs, staleUntilMs: expiresMs };
      expect(writer.write(`k${entry}`, Buffer.from("value"), fields)).toBe("stored");
    }
  }
  store.kernel.verbs.sealOpen(codes.logSmall);
  return store;
}

/** What was counted of the cache's own keys, and of the namespace. */
function counted({ kernel }: OpenedStore, counter: RemovalCounter): number[] {
  return [kernel.total(counter), kernel.namespaces.removals(namespace, counter)];
}

test.each([
  ["expired", 100, counterExpirations],
  ["evicted", Infinity, counterEvictionsMemory],
] as const)("what an evictor finds in a segment: %s", (_, expiresMs, counter) => {
  const store = filled(expiresMs);
  const evictor = new Evictor(store.kernel, policy, () => undefined, null);
  expect(evictor.evictOne(200, false, false)).toBe(true);
  expect(counted(store, counter)).toEqual([10, 20]);
  const other = counter === counterExpirations ? counterEvictionsMemory : counterExpirations;
  expect(counted(store, other)).toEqual([0, 0]);
});

test("what a sweep of the index finds expired", () => {
  const store = filled(100);
  const { verbs, geometry } = store.kernel;
  verbs.sweep(0, geometry.bucketCount, 99);
  expect(counted(store, counterExpirations)).toEqual([0, 0]);
  for (let turn = 0; turn < 2; turn++) {
    verbs.sweep(0, geometry.bucketCount, 100);
    expect(counted(store, counterExpirations)).toEqual([10, 20]);
  }
});
