// A map's index, in which entries make room for each other by moving to their other bucket.

import { expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { builds, openMemory } from "./opened-kernel.js";

test.each(builds)(
  "entries move until four slots in five are taken, and all are found (%s)",
  (build) => {
    const thread = openMemory({ build, bucketCount: 64, neverEvicts: true }).thread();
    let count = 0;
    while (count < 64 * at.bucketSlots && thread.put(`key:${count}`, "v") === at.answerDone)
      count += 1;
    expect(count).toBeGreaterThan(0.7 * 64 * at.bucketSlots);
    expect(count).toBeLessThan(64 * at.bucketSlots);
    const names = Array.from({ length: count }, (_, index) => `key:${index}`);
    expect(names.filter((name) => thread.get(name) !== "v")).toEqual([]);
    expect(thread.put(`key:${count}`, "v")).toBe(at.answerNoRoom);
    // Every key can still be overwritten.
    expect(names.filter((name) => thread.put(name, "w") !== at.answerDone)).toEqual([]);
    expect(names.filter((name) => thread.remove(name) !== at.answerDone)).toEqual([]);
    expect(names.filter((name) => thread.get(name) !== undefined)).toEqual([]);
  },
);

test("a move that a dead thread began is finished before its lock is freed", () => {
  const opened = openMemory({ bucketCount: 64, neverEvicts: true });
  const [thread, dead] = [opened.thread(), opened.thread()];
  thread.put("a", "v");
  const home = thread.home("a");
  const words = new BigUint64Array(thread.kernel.views.u8.buffer);
  const { bucketBase, bucketCount } = thread.kernel.geometry;
  const { slot } = thread.find("a");
  const word = thread.slotWord(slot);
  const distance = 1 + ((Math.imul(Number(word >> 48n), 0x9e3779b1 | 0) >>> 0) % (bucketCount - 1));
  const other = (home + distance) % bucketCount;
  // As displaceOne leaves it between its two steps.
  words[bucketBase / 8 + other * 8 + 3] = word | (1n << BigInt(at.slotDisplacedShift));
  Atomics.add(thread.kernel.views.i32, (thread.bucketAt(home) + at.bucketDisplaced) / 4, 1);
  const life = thread.control(dead.kernel.block + at.threadIncarnation);
  const lockWord = (dead.kernel.thread + 1) | (life << 8);
  Atomics.store(thread.kernel.views.i32, thread.bucketAt(home) / 4, lockWord);
  const note = (dead.kernel.block + at.threadLock0) / 4;
  Atomics.store(thread.kernel.views.i32, note, thread.bucketAt(home));
  expect(thread.verbs.releaseLocks(lockWord)).toBe(1);
  expect(thread.slotWord(slot)).toBe(0n);
  expect(thread.get("a")).toBe("v");
  expect(thread.remove("a")).toBe(at.answerDone);
  expect(thread.get("a")).toBeUndefined();
});
