// The invalidation log: what is noted, how it is read, and when a value may be found without its
// slot.

import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { builds, openMemory, openThread, type Thread } from "./opened-kernel.js";

function noted(thread: Thread): number {
  return thread.verbs.lastInvalidation() - at.firstInvalidation;
}

/** Reads the invalidations after the one with the number `seen`: how many, and their hashes. */
function take(thread: Thread, seen: number): { taken: number; hashes: number[] } {
  const taken = thread.verbs.readInvalidations(at.firstInvalidation + seen);
  const first = (thread.kernel.block + at.threadInvalidations) / 4;
  const { u32 } = thread.kernel.views;
  return { taken, hashes: Array.from(u32.subarray(first, first + Math.max(0, taken))) };
}

const lowOf = (thread: Thread, key: string): number => Number(thread.hash(key) & 0xffffffffn);

function setWord(thread: Thread, offset: number, value: number): void {
  Atomics.store(thread.kernel.views.i32, offset / 4, value);
}

/** Hits of a key, as a near cache does: as many as its slot counts, unless another number is
 *  given. */
function hit(thread: Thread, key: string, times = at.slotFrequencyMax): void {
  for (let time = 0; time < times; time++) {
    const { low, high } = thread.find(key);
    expect(thread.verbs.findKnown(...thread.key(key), 0, 0, low, high)).toBe(at.answerKnown);
  }
}

function setNoted(thread: Thread, number: number): void {
  thread.kernel.views.f64[at.controlInvalidations / 8] = at.firstInvalidation + number;
}

describe.each(builds)("%s", (build) => {
  test("sets and deletes are noted, even of absent keys, and lookups are not", () => {
    const thread = openThread({ build });
    thread.put("a", "1");
    thread.put("a", "2");
    thread.remove("b");
    thread.verbs.evictUnlocked(...thread.key("a"));
    expect(noted(thread)).toBe(4);
    const [a, b] = [lowOf(thread, "a"), lowOf(thread, "b")];
    expect(take(thread, 0)).toEqual({ taken: 4, hashes: [a, a, b, a] });
    expect(take(thread, 3)).toEqual({ taken: 1, hashes: [a] });
    thread.find("a", true);
    thread.verbs.findKnown(...thread.key("a"), 0, 0, 1, 1);
    expect(noted(thread)).toBe(4);
    expect(take(thread, 4)).toEqual({ taken: 0, hashes: [] });
  });

  test("a clear is numbered after it has raised the near epoch", () => {
    const thread = openThread({ build });
    const epoch = thread.control(at.controlNearEpoch);
    thread.verbs.clear();
    expect(thread.control(at.controlNearEpoch)).toBe(epoch + 1);
    expect(noted(thread)).toBe(1);
    expect(take(thread, 0).taken).toBe(1);
    thread.verbs.noteEpoch();
    expect(noted(thread)).toBe(2);
  });

  test("a record that moves is noted, and one that is evicted if it was hit", () => {
    const thread = openThread({ build });
    for (const key of ["moved", "cold", "hot"]) thread.put(key, "v");
    thread.find("hot", true);
    const [moved, cold, hot] = ["moved", "cold", "hot"].map((key) => thread.find(key).record);
    expect(thread.verbs.move(moved as number, at.logMain, 0)).toBe(at.answerDone);
    thread.verbs.dropRecord(cold as number);
    thread.verbs.dropRecord(hot as number);
    expect(take(thread, 3).hashes).toEqual([lowOf(thread, "moved"), lowOf(thread, "hot")]);
  });

  test("a reader gets a batch at a time, and is told if it is further behind than the log", () => {
    const thread = openThread({ build });
    for (let change = 0; change < at.invalidationsMax; change++) thread.remove("k");
    expect(take(thread, 0).taken).toBe(at.invalidationBatch);
    expect(take(thread, at.invalidationsMax - 5).taken).toBe(5);
    thread.remove("k");
    expect(take(thread, 0).taken).toBe(at.answerMiss);
    expect(take(thread, 1).taken).toBe(at.invalidationBatch);
  });

  test("an invalidation that is numbered and not written yet ends a batch", () => {
    const thread = openThread({ build });
    thread.put("a", "1");
    setNoted(thread, 2);
    expect(take(thread, 0)).toEqual({ taken: 1, hashes: [lowOf(thread, "a")] });
    expect(take(thread, 1).taken).toBe(0);
    setWord(thread, at.invalidationLog + 2 * 8, 77);
    setWord(thread, at.invalidationLog + 2 * 8 + 4, 2);
    expect(take(thread, 1)).toEqual({ taken: 1, hashes: [77] });
  });

  test("numbers continue when their low halves, which the log holds, wrap", () => {
    const thread = openThread({ build });
    const first = 2 ** 32 - 2;
    setNoted(thread, first);
    for (const key of ["a", "b", "c"]) thread.remove(key);
    expect(noted(thread)).toBe(first + 3);
    expect(take(thread, first).hashes).toEqual(["a", "b", "c"].map((key) => lowOf(thread, key)));
    // As if it had been held up while the log wrapped once.
    expect(take(thread, first + 3 - 2 ** 32).taken).toBe(at.answerMiss);
  });

  test("a value may be indexed while its key's lock is free and its slot unchanged", () => {
    const memory = openMemory({ build });
    const [reader, writer] = [memory.thread(), memory.thread()];
    writer.put("a", "1");
    hit(reader, "a");
    expect(reader.verbs.mayKeepNear()).toBe(1);
    const lock = reader.bucketAt(reader.home("a"));
    hit(reader, "a", 1);
    setWord(reader, lock, 9);
    expect(reader.verbs.mayKeepNear()).toBe(0);
    setWord(reader, lock, 0);
    expect(reader.verbs.mayKeepNear()).toBe(1);
    writer.put("a", "2");
    expect(reader.verbs.mayKeepNear()).toBe(0);
    hit(reader, "a");
    expect(reader.verbs.mayKeepNear()).toBe(1);
    writer.remove("a");
    expect(reader.verbs.mayKeepNear()).toBe(0);
  });

  test("a value may be indexed once its slot has counted all hits that it can", () => {
    const memory = openMemory({ build });
    const [reader, other] = [memory.thread(), memory.thread()];
    other.put("a", "1");
    hit(reader, "a", 1);
    expect(reader.verbs.mayKeepNear()).toBe(0);
    for (let time = 2; time < at.slotFrequencyMax; time++) other.find("a", true);
    hit(reader, "a", 1);
    expect(reader.verbs.mayKeepNear()).toBe(1);
    // A record that moves loses hits, so the next hits are counted again.
    other.verbs.move(other.find("a").record, at.logMain, 1);
    hit(reader, "a", 1);
    expect(reader.verbs.mayKeepNear()).toBe(0);
    hit(reader, "a", 1);
    expect(reader.verbs.mayKeepNear()).toBe(1);
    const before = noted(reader);
    const { record } = other.find("a");
    const { segmentBase, segmentBytes } = other.kernel.geometry;
    other.verbs.forgetHits(Math.floor((record - segmentBase) / segmentBytes));
    expect(take(reader, before).hashes).toEqual([lowOf(reader, "a")]);
    hit(reader, "a", 1);
    expect(reader.verbs.mayKeepNear()).toBe(0);
  });

  test("a value of a displaced entry may be indexed too", () => {
    const thread = openThread({ build, bucketCount: 64 });
    const keys: string[] = [];
    for (let number = 0; keys.length < 9; number++) {
      if (thread.home(`k${number}`) === 0) keys.push(`k${number}`);
    }
    for (const key of keys) thread.put(key, "v");
    for (const key of keys) {
      hit(thread, key);
      expect(thread.verbs.mayKeepNear()).toBe(1);
    }
  });

  test("a sampled key may not be indexed, since each of its requests counts", () => {
    const thread = openThread({ build });
    thread.put("a", "1");
    hit(thread, "a");
    expect(thread.verbs.mayKeepNear()).toBe(1);
    setWord(thread, at.controlSampleMask, 0);
    expect(thread.verbs.mayKeepNear()).toBe(0);
  });
});
