import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import * as counter from "../../dist/src/stats/mod.js";
import { builds, MiB, openMemory, openThread, type Thread } from "./opened-kernel.js";

/** Keys that share one home bucket. */
/** Entries of a home bucket after which the next goes to its other one, if that is emptier. */
const crowded = 5;

function keysOfBucket(thread: Thread, bucket: number, count: number): string[] {
  const keys: string[] = [];
  for (let number = 0; keys.length < count; number++) {
    if (thread.home(`k${number}`) === bucket) keys.push(`k${number}`);
  }
  return keys;
}

function displacedOf(thread: Thread, bucket: number): number {
  return thread.control(thread.bucketAt(bucket) + at.bucketDisplaced);
}

describe.each(builds)("%s", (build) => {
  test("find() misses in an empty cache", () => {
    const thread = openThread({ build });
    expect(thread.find("nothing").answer).toBe(at.answerMiss);
    expect(thread.verbs.findKnown(...thread.key("nothing"), 0, 0, 1, 1)).toBe(at.answerMiss);
  });

  test("find() finds what publish() put, for keys of 1 to 300 bytes", () => {
    const thread = openThread({ build });
    for (let length = 1; length <= 300; length++) {
      const key = "k".repeat(length);
      expect(thread.put(key, `value ${length}`)).toBe(at.answerDone);
    }
    for (let length = 1; length <= 300; length++) {
      expect(thread.get("k".repeat(length))).toBe(`value ${length}`);
    }
  });

  test("find() returns record, size, sequence and slot", () => {
    const thread = openThread({ build });
    thread.put("a", "first", { expiresMs: 5000 });
    thread.put("b", "second");
    const { answer, record, size, sequence, low, high } = thread.find("a");
    expect(answer).toBeGreaterThanOrEqual(0);
    expect(sequence).toBe(1);
    expect(size).toBe(24 + 8 + 1 + 5);
    expect(record).toBe(thread.kernel.geometry.segmentBase + thread.kernel.geometry.segmentBytes);
    expect(thread.double(at.resultExpires)).toBe(5000);
    expect((BigInt(high) << 32n) | BigInt(low)).toBe(thread.slotWord(answer));
    expect(thread.find("b").sequence).toBe(2);
    expect(thread.double(at.resultExpires)).toBe(0);
  });

  test("find() tells apart keys whose bytes differ anywhere", () => {
    const thread = openThread({ build });
    for (let position = 0; position < 24; position++) {
      const key = `${"x".repeat(position)}y${"x".repeat(23 - position)}`;
      thread.put(key, String(position));
    }
    for (let position = 0; position < 24; position++) {
      expect(thread.get(`${"x".repeat(position)}y${"x".repeat(23 - position)}`)).toBe(
        String(position),
      );
    }
    expect(thread.get("x".repeat(24))).toBeUndefined();
  });

  test("publish() replaces an entry in its slot", () => {
    const thread = openThread({ build });
    thread.put("a", "old");
    const before = thread.find("a");
    thread.put("a", "newer");
    const after = thread.find("a");
    expect(thread.get("a")).toBe("newer");
    expect(after.slot).toBe(before.slot);
    expect(after.sequence).toBeGreaterThan(before.sequence);
    expect(thread.kernel.total(counter.counterMemoryEntries)).toBe(1);
    expect(thread.kernel.total(counter.counterMemoryBytes)).toBe((24 + 1 + 5 + 7) & ~7);
  });

  test("remove() removes, once", () => {
    const thread = openThread({ build });
    thread.put("a", "1");
    thread.put("b", "2");
    expect(thread.remove("a")).toBe(at.answerDone);
    expect(thread.get("a")).toBeUndefined();
    expect(thread.get("b")).toBe("2");
    expect(thread.remove("a")).toBe(at.answerAbsent);
    expect(thread.kernel.total(counter.counterMemoryEntries)).toBe(1);
  });

  test("validate() holds until the entry changes, whatever its frequency", () => {
    const thread = openThread({ build });
    thread.put("a", "1");
    const found = thread.find("a");
    thread.find("a", true);
    thread.find("a", true);
    expect(thread.verbs.validate(found.slot, found.low, found.high)).toBe(1);
    thread.put("a", "2");
    expect(thread.verbs.validate(found.slot, found.low, found.high)).toBe(0);
    const second = thread.find("a");
    thread.remove("a");
    expect(thread.verbs.validate(second.slot, second.low, second.high)).toBe(0);
  });

  test("find() with touch counts hits up to three, without touch none", () => {
    const thread = openThread({ build });
    thread.put("a", "1");
    const { record } = thread.find("a");
    for (const expected of [0, 1, 2, 3, 3]) {
      expect(thread.verbs.frequencyOfRecord(record)).toBe(expected);
      thread.find("a", true);
      thread.find("a", false);
    }
  });

  test("forgetHits() takes them away from what the segment still has, and says so", () => {
    const thread = openThread({ build });
    const forgetHits = (): void => thread.verbs.forgetHits(1);
    thread.put("a", "1");
    const { record, low, high } = thread.find("a", true);
    thread.find("a", true);
    const noted = thread.verbs.lastInvalidation();
    forgetHits();
    expect(thread.verbs.frequencyOfRecord(record)).toBe(0);
    expect(thread.verbs.lastInvalidation()).toBe(noted + 1);
    expect([thread.find("a").low, thread.find("a").high]).toEqual([low, high]);
    // There is nothing to say of an entry that had none.
    forgetHits();
    expect(thread.verbs.lastInvalidation()).toBe(noted + 1);
    thread.seal(record);
    thread.put("a", "2");
    const newer = thread.find("a", true).record;
    forgetHits();
    expect(thread.verbs.frequencyOfRecord(newer)).toBe(1);
  });

  test("find(), publish() and remove() take the caller's hash and leave it", () => {
    const thread = openThread({ build });
    const hash = thread.hashWords("a");
    const noted = (): number[] => [thread.word(at.resultHashLow), thread.word(at.resultHashHigh)];
    const { offset, keyLength, flags, units } = thread.append("a", "1")!;
    thread.hashWords("another");
    const answer = thread.verbs.publish(offset, keyLength, 0, flags, units, 1000, 0, ...hash);
    expect([answer, noted()]).toEqual([at.answerDone, hash]);
    const { slot } = thread.find("a");
    thread.hashWords("another");
    expect(thread.verbs.find(...thread.key("a"), ...hash, 0)).toBe(slot);
    expect(noted()).toEqual(hash);
    thread.hashWords("another");
    expect(thread.verbs.remove(...thread.key("a"), ...hash)).toBe(at.answerDone);
    expect(noted()).toEqual(hash);
    expect(thread.get("a")).toBeUndefined();
  });

  test("publish() leaves the word that find() returns, also for a displaced entry", () => {
    const thread = openThread({ build });
    for (const key of keysOfBucket(thread, 3, 12)) {
      expect(thread.put(key, "value")).toBe(at.answerDone);
      const published = [thread.word(at.resultSlotLow), thread.word(at.resultSlotHigh)];
      const { low, high } = thread.find(key);
      expect(published).toEqual([low, high]);
    }
    expect(displacedOf(thread, 3)).toBe(12 - crowded);
  });

  test("touch() counts a hit and returns the frequency before", () => {
    const thread = openThread({ build });
    thread.put("a", "1");
    const { slot, low, high } = thread.find("a");
    expect([1, 2, 3, 4, 5].map(() => thread.verbs.touch(slot, low, high))).toEqual([0, 1, 2, 3, 3]);
    thread.put("a", "2");
    expect(thread.verbs.touch(slot, low, high)).toBe(0);
    expect(thread.verbs.frequencyOfRecord(thread.find("a").record)).toBe(0);
  });

  test("findKnown() knows the word that find() returned, until the slot has another", () => {
    const thread = openThread({ build });
    thread.put("a", "1");
    const { slot, low, high, record } = thread.find("a");
    const known = (): number => thread.verbs.findKnown(...thread.key("a"), 0, 0, low, high);
    expect(known()).toBe(at.answerKnown);
    expect([thread.word(at.resultSlotLow), thread.word(at.resultSlotHigh)]).toEqual([low, high]);
    // It marked the hit, which is not part of the word.
    expect(thread.verbs.frequencyOfRecord(record)).toBe(1);
    expect(known()).toBe(at.answerKnown);
    expect(thread.verbs.frequencyOfRecord(record)).toBe(2);
    // Else it finds the key as find() does, and marks that once.
    thread.put("a", "2");
    expect(known()).toBe(slot);
    const newer = thread.find("a");
    expect(newer.low).not.toBe(low);
    expect(thread.word(at.resultSlotLow)).toBe(newer.low);
    expect(thread.verbs.frequencyOfRecord(newer.record)).toBe(1);
    thread.remove("a");
    expect(known()).toBe(at.answerMiss);
  });

  test("findKnown() finds a displaced entry by its word", () => {
    const thread = openThread({ build });
    const keys = keysOfBucket(thread, 3, at.bucketSlots + 2);
    for (const key of keys) thread.put(key, `value of ${key}`);
    for (const key of keys) {
      const { low, high } = thread.find(key);
      const answer = thread.verbs.findKnown(...thread.key(key), 0, 0, low, high);
      expect(answer).toBe(at.answerKnown);
    }
  });

  test("an entry whose home bucket is nearly full goes to its other bucket", () => {
    const thread = openThread({ build });
    const keys = keysOfBucket(thread, 3, 12);
    for (const key of keys) thread.put(key, `value of ${key}`);
    expect(displacedOf(thread, 3)).toBe(12 - crowded);
    for (const key of keys) expect(thread.get(key)).toBe(`value of ${key}`);
    // They are replaced in their slots, and counted out when they leave.
    for (const key of keys) thread.put(key, "again");
    expect(displacedOf(thread, 3)).toBe(12 - crowded);
    for (const key of keys) expect(thread.get(key)).toBe("again");
    for (const key of keys) expect(thread.remove(key)).toBe(at.answerDone);
    expect(displacedOf(thread, 3)).toBe(0);
    expect(thread.kernel.total(counter.counterMemoryEntries)).toBe(0);
  });

  test("an index filled far beyond its slots evicts, counts, and never answers wrongly", () => {
    const bucketCount = 64;
    const thread = openThread({ build, bucketCount, memoryBytes: 8 * MiB });
    const slots = bucketCount * at.bucketSlots;
    const versions = new Map<string, number>();
    for (let entry = 0; entry < slots * 20; entry++) {
      const key = `key:${(entry * 7919) % (slots * 5)}`;
      const version = (versions.get(key) ?? 0) + 1;
      versions.set(key, version);
      expect(thread.put(key, `${key}#${version}`)).toBe(at.answerDone);
      expect(thread.get(key)).toBe(`${key}#${version}`);
    }
    let found = 0;
    for (const [key, version] of versions) {
      const value = thread.get(key);
      if (value === undefined) continue;
      found += 1;
      expect(value).toBe(`${key}#${version}`);
    }
    expect(found).toBeGreaterThan(slots * 0.9);
    expect(found).toBeLessThanOrEqual(slots);
    expect(thread.kernel.total(counter.counterMemoryEntries)).toBe(found);
    expect(thread.kernel.total(counter.counterEvictionsIndex)).toBeGreaterThan(slots);
    // Every displaced entry is counted at its home, and none is left when all have left.
    for (const key of versions.keys()) thread.remove(key);
    expect(thread.kernel.total(counter.counterMemoryEntries)).toBe(0);
    for (let bucket = 0; bucket < bucketCount; bucket++)
      expect(displacedOf(thread, bucket)).toBe(0);
  });

  test("a full bucket evicts its least hit entry", () => {
    const thread = openThread({ build, bucketCount: 2 });
    const keys = keysOfBucket(thread, 0, 15);
    for (const key of keys.slice(0, 14)) thread.put(key, key);
    const cold = keys[4] as string;
    for (const key of keys.slice(0, 14)) if (key !== cold) thread.find(key, true);
    thread.put(keys[14] as string, "new");
    expect(thread.get(keys[14] as string)).toBe("new");
    expect(thread.get(cold)).toBeUndefined();
    const kept = keys.slice(0, 14).filter((key) => key !== cold);
    for (const key of kept) expect(thread.get(key)).toBe(key);
  });

  test("clear() ends everything at once, and nothing written later", () => {
    const memory = openMemory({ build });
    const [one, two] = [memory.thread(), memory.thread()];
    for (let entry = 0; entry < 200; entry++) one.put(`key:${entry}`, "x");
    const nearEpoch = one.control(at.controlNearEpoch);
    const epoch = two.verbs.clear();
    expect(epoch).toBe(two.kernel.control.clearEpoch());
    expect(epoch).toBe(two.kernel.control.sequence());
    expect(one.control(at.controlNearEpoch)).toBe(nearEpoch + 1);
    for (let entry = 0; entry < 200; entry++) expect(one.get(`key:${entry}`)).toBeUndefined();
    expect(one.remove("key:1")).toBe(at.answerAbsent);
    one.put("key:1", "after");
    expect(two.get("key:1")).toBe("after");
    two.verbs.clear();
    expect(one.get("key:1")).toBeUndefined();
  });

  test("raiseSequence() continues above what an earlier session wrote and cleared", () => {
    const thread = openThread({ build });
    thread.verbs.raiseSequence(2 ** 40, 2 ** 39);
    expect(thread.kernel.control.sequence()).toBe(2 ** 40);
    expect(thread.kernel.control.clearEpoch()).toBe(2 ** 39);
    thread.put("a", "1");
    expect(thread.find("a").sequence).toBe(2 ** 40 + 1);
  });

  test("tick() sets the coarse clock, which never goes back", () => {
    const thread = openThread({ build });
    const clock = (): number => thread.kernel.views.f64[at.controlClock / 8] as number;
    thread.verbs.tick(1000.5);
    expect(clock()).toBe(1000.5);
    thread.verbs.tick(999);
    expect(clock()).toBe(1000.5);
    thread.verbs.tick(Number.NaN);
    expect(clock()).toBe(1000.5);
    thread.verbs.tick(1001);
    expect(clock()).toBe(1001);
  });
});
