// Hits that an entry gets in the newest part of the small log are taken away when it leaves that
// part; later ones stay.
import { expect, test } from "vitest";

import { Evictor } from "../../dist/src/eviction/mod.js";
import { codes } from "../../dist/src/kernel/mod.js";
import { evict, type EvictionPolicy } from "../../dist/src/policy/mod.js";
import { find, MiB, type OpenedStore, openStore, write } from "../memory/opened-store.js";

/** Lets everything go. */
class Quiet implements EvictionPolicy {
  settled = 0;
  constructor(public quietShare: number) {}

  victim(): "small" {
    return "small";
  }

  decide(): number {
    return evict;
  }
}

/** One sealed segment for each key, the oldest first. */
function writeSegments(store: OpenedStore, keys: readonly string[]): void {
  for (const key of keys) {
    expect(write(store, key, "value")).toBe("stored");
    store.kernel.verbs.sealOpen(codes.logSmall);
  }
}

function hit(store: OpenedStore, key: string): void {
  expect(store.reader.find(key, true)).toBe("memory");
}

function hitsOf(store: OpenedStore, key: string): number {
  expect(find(store, key)).toBe("memory");
  return store.kernel.verbs.frequencyOfRecord(store.kernel.results.record);
}

interface Setup {
  readonly store: OpenedStore;
  readonly policy: Quiet;
  /** Empties the oldest segment. */
  readonly reclaim: () => void;
}

/** Ten segments, of which the oldest has been emptied. */
function setUp(quietShare: number): Setup {
  const store = openStore({ memoryBytes: 4 * MiB });
  const policy = new Quiet(quietShare);
  const evictor = new Evictor(store.kernel, policy, () => undefined, null);
  const reclaim = (): void => {
    expect(evictor.evictOne(0, false, false)).toBe(true);
  };
  writeSegments(
    store,
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => `k${number}`),
  );
  for (let number = 0; number < 10; number++) hit(store, `k${number}`);
  reclaim();
  return { store, policy, reclaim };
}

test("what was older when the first segment is emptied keeps its hits", () => {
  const { store } = setUp(0.4);
  expect([1, 3, 5, 6, 9].map((number) => hitsOf(store, `k${number}`))).toEqual([1, 1, 1, 1, 1]);
});

test("a segment loses its hits when it leaves the newest part, and not again", () => {
  const { store, reclaim } = setUp(0.4);
  // Nine are left. k5 and older have left the newest part, which is 3.6 segments.
  writeSegments(store, ["k10"]);
  reclaim();
  expect([4, 5, 6, 7].map((number) => hitsOf(store, `k${number}`))).toEqual([1, 1, 0, 1]);
  hit(store, "k6");
  hit(store, "k6");
  writeSegments(store, ["k11"]);
  reclaim();
  expect([6, 7, 8].map((number) => hitsOf(store, `k${number}`))).toEqual([2, 0, 1]);
});

test("with no quiet part hits stay, and they stay when there is one later", () => {
  const { store, policy, reclaim } = setUp(0);
  writeSegments(store, ["k10"]);
  reclaim();
  expect([2, 6, 9].map((number) => hitsOf(store, `k${number}`))).toEqual([1, 1, 1]);
  policy.quietShare = 0.4;
  reclaim();
  expect([3, 6, 9].map((number) => hitsOf(store, `k${number}`))).toEqual([1, 1, 1]);
});

test("hits stay in many segments that left while nothing was evicted", () => {
  const { store, reclaim } = setUp(0.1);
  writeSegments(
    store,
    [10, 11, 12, 13, 14, 15].map((number) => `k${number}`),
  );
  hit(store, "k10");
  hit(store, "k12");
  reclaim();
  expect([9, 10, 12].map((number) => hitsOf(store, `k${number}`))).toEqual([1, 1, 1]);
});
