import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { openMemory, openThread, type Thread } from "./opened-kernel.js";
import { counterExpirations } from "../../dist/src/stats/mod.js";

function free(thread: Thread): number {
  return thread.freeSegments();
}

describe("reserve()", () => {
  test("appends records aligned to 8 bytes, unpublished until publish()", () => {
    const thread = openThread();
    const first = thread.verbs.reserve(29, at.logSmall, 0);
    const second = thread.verbs.reserve(24, at.logSmall, 0);
    expect(second - first).toBe(32);
    expect(thread.kernel.views.u32[first / 4]).toBe(29);
    expect(thread.verbs.frequencyOfRecord(first)).toBe(at.answerMiss);
    expect(thread.verbs.dropRecord(first)).toBe(at.answerAbsent);
  });

  test("seals a full segment, rings the doorbell and continues in another", () => {
    const thread = openThread();
    const { segmentBytes, segmentCount } = thread.kernel.geometry;
    const bell = thread.control(at.controlDoorbell);
    const first = thread.verbs.reserve(segmentBytes, at.logSmall, 0);
    const second = thread.verbs.reserve(8, at.logSmall, 0);
    expect(thread.segmentState(1)).toBe(at.segmentSealed);
    expect(thread.segmentThread(1)).toBe(0);
    expect(thread.segmentState(2)).toBe(at.segmentOpen);
    expect(second - first).toBe(segmentBytes);
    expect(thread.control(at.controlDoorbell)).toBe(bell + 1);
    expect(free(thread)).toBe(segmentCount - 2);
  });

  test("leaves the last segments to the janitor, then has none at all", () => {
    const thread = openThread();
    const { segmentBytes, segmentCount, reserveSegments } = thread.kernel.geometry;
    const take = (privileged: number): boolean =>
      thread.verbs.reserve(segmentBytes, at.logSmall, privileged) !== 0;
    for (let taken = 0; taken < segmentCount - reserveSegments; taken++) expect(take(0)).toBe(true);
    expect(take(0)).toBe(false);
    for (let taken = 0; taken < reserveSegments; taken++) expect(take(1)).toBe(true);
    expect(take(1)).toBe(false);
    expect(free(thread)).toBe(0);
  });

  test("refuses what no segment can hold, and keeps the open segment", () => {
    const thread = openThread();
    thread.put("a", "1");
    expect(thread.verbs.reserve(thread.kernel.geometry.segmentBytes + 1, at.logSmall, 1)).toBe(0);
    expect(thread.segmentState(1)).toBe(at.segmentOpen);
  });

  test("gives each thread and each log its own segment", () => {
    const memory = openMemory();
    const [one, two] = [memory.thread(), memory.thread()];
    one.put("a", "1");
    two.put("b", "1");
    one.put("c", "1", { log: at.logMain });
    const segments = [
      one.word(at.threadOpenSegment),
      two.word(at.threadOpenSegment),
      one.word(at.threadOpenMainSegment),
    ];
    expect(new Set(segments).size).toBe(3);
    expect(one.segmentWord((segments[2] as number) - 1, at.segmentLog)).toBe(at.logMain);
    expect(one.segmentThread((segments[1] as number) - 1)).toBe(two.kernel.thread + 1);
  });
});

describe("a sealed segment", () => {
  test("is claimed by one thread, and freed with a new generation", () => {
    const memory = openMemory();
    const [one, two] = [memory.thread(), memory.thread()];
    one.put("a", "1");
    const segment = one.seal(one.find("a").record);
    expect(one.verbs.claimSegment(segment)).toBe(1);
    expect(two.verbs.claimSegment(segment)).toBe(0);
    one.verbs.releaseClaims(one.kernel.thread);
    const generation = one.segmentWord(segment, at.segmentGeneration);
    const before = free(one);
    two.evict(segment);
    expect(one.segmentState(segment)).toBe(at.segmentFree);
    expect(one.segmentWord(segment, at.segmentGeneration)).toBe(generation + 1);
    expect(free(one)).toBe(before + 1);
    expect(one.get("a")).toBeUndefined();
  });

  test("keeps the newest expiry and sequence of its records", () => {
    const thread = openThread();
    const { f64 } = thread.kernel.views;
    thread.put("a", "1", { expiresMs: 500 });
    thread.put("b", "1", { expiresMs: 100 });
    const entry = at.segmentTable + 1 * at.segmentEntrySize;
    expect(f64[(entry + at.segmentMaxExpires) / 8]).toBe(500);
    expect(f64[(entry + at.segmentMaxSequence) / 8]).toBe(2);
    thread.put("c", "1");
    expect(f64[(entry + at.segmentMaxExpires) / 8]).toBe(Infinity);
  });

  test("tells the age of segments that are sealed without a write between", () => {
    const memory = openMemory();
    const threads = [memory.thread(), memory.thread(), memory.thread()];
    for (const [index, thread] of threads.entries()) thread.put(`k${index}`, "1");
    const segments = threads.map(({ kernel }) => {
      return (kernel.views.u32[(kernel.block + at.threadOpenSegment) / 4] as number) - 1;
    });
    for (const thread of threads) thread.verbs.sealOpen(at.logSmall);
    const table = (threads[0] as Thread).kernel.segments;
    expect(segments.map((segment) => table.sealOrder(segment))).toEqual([1, 2, 3]);
  });

  test("raises the near epoch when its generation wraps", () => {
    const thread = openThread();
    const entry = (at.segmentTable + 1 * at.segmentEntrySize + at.segmentGeneration) / 4;
    thread.kernel.views.u32[entry] = 2 ** at.locationGenerationBits - 2;
    const epoch = thread.control(at.controlNearEpoch);
    const words: bigint[] = [];
    for (const raised of [0, 1, 1]) {
      thread.put("a", "1");
      const { record, answer } = thread.find("a");
      words.push(thread.slotWord(answer));
      const segment = thread.seal(record);
      thread.verbs.claimSegment(segment);
      thread.verbs.dropRecord(record);
      thread.verbs.freeSegment(segment);
      expect(segment).toBe(1);
      expect(thread.control(at.controlNearEpoch)).toBe(epoch + raised);
      // The search for a free segment continues where it stopped: one full round brings it back to
      // the first.
      for (let step = 1; step < thread.kernel.geometry.segmentCount; step++) {
        const other = thread.verbs.reserve(8, at.logSmall, 1);
        thread.evict(thread.seal(other));
      }
    }
    expect(new Set(words).size).toBe(3);
  });
});

describe("pinSegment()", () => {
  test("keeps a segment from being claimed until it is unpinned", () => {
    const memory = openMemory();
    const [reader, evictor] = [memory.thread(), memory.thread()];
    evictor.put("a", "1");
    const segment = evictor.seal(evictor.find("a").record);
    expect(reader.verbs.pinSegment(segment)).toBe(1);
    expect(evictor.verbs.claimSegment(segment)).toBe(0);
    expect(reader.segmentState(segment)).toBe(at.segmentSealed);
    reader.verbs.unpinSegment(segment);
    expect(evictor.verbs.claimSegment(segment)).toBe(1);
    expect(reader.verbs.pinSegment(segment)).toBe(0);
    expect(reader.segmentWord(segment, at.segmentPin)).toBe(0);
    expect(reader.verbs.pinSegment(5)).toBe(0);
  });

  test("releaseClaims() gives back what a dead thread had claimed, and only that", () => {
    const memory = openMemory();
    const [dead, living] = [memory.thread(), memory.thread()];
    const segments = [dead, living].map((thread) => {
      thread.put("a", "1");
      const segment = thread.seal(thread.find("a").record);
      expect(thread.verbs.claimSegment(segment)).toBe(1);
      return segment;
    });
    living.verbs.releaseClaims(dead.kernel.thread);
    const states = segments.map((segment) => living.segmentState(segment));
    expect(states[0]).toBe(at.segmentSealed);
    expect(states[1]).toBe(at.segmentEvicting);
  });
});

test("sealOrphans() seals what a dead thread had open, and only that", () => {
  const memory = openMemory();
  const [dead, owner] = [memory.thread(), memory.thread()];
  dead.put("a", "1");
  dead.put("b", "1", { log: at.logMain });
  owner.put("c", "1");
  owner.verbs.sealOrphans(dead.kernel.thread);
  const stateOf = (open: number): number => owner.segmentState(open - 1);
  expect(stateOf(dead.word(at.threadOpenSegment))).toBe(at.segmentSealed);
  expect(stateOf(dead.word(at.threadOpenMainSegment))).toBe(at.segmentSealed);
  expect(stateOf(owner.word(at.threadOpenSegment))).toBe(at.segmentOpen);
  expect(owner.get("a")).toBe("1");
});

test("setFlushed() records how far a segment is on disk", () => {
  const thread = openThread();
  thread.verbs.setFlushed(5, 4096, 0);
  expect(thread.segmentWord(5, at.segmentFlushedOffset)).toBe(4096);
  // A report about an earlier generation of the segment comes too late.
  thread.verbs.setFlushed(5, 8192, 1);
  expect(thread.segmentWord(5, at.segmentFlushedOffset)).toBe(4096);
});

describe("move()", () => {
  test("moves a live record with its bytes, sequence and a new frequency", () => {
    const thread = openThread();
    thread.put("a", "value", { expiresMs: 9000 });
    thread.find("a", true);
    const before = thread.find("a");
    expect(thread.verbs.move(before.record, at.logMain, 2)).toBe(at.answerDone);
    const after = thread.find("a");
    expect(after.record).not.toBe(before.record);
    expect(after.sequence).toBe(before.sequence);
    expect(after.slot).toBe(before.slot);
    expect(thread.double(at.resultExpires)).toBe(9000);
    expect(thread.get("a")).toBe("value");
    expect(thread.verbs.frequencyOfRecord(after.record)).toBe(2);
    // The first copy is dead.
    expect(thread.verbs.frequencyOfRecord(before.record)).toBe(at.answerMiss);
    expect(thread.verbs.move(before.record, at.logMain, 0)).toBe(at.answerAbsent);
    expect(thread.verbs.validate(before.slot, before.low, before.high)).toBe(0);
  });

  test("answers that there is no room, and leaves the record", () => {
    const thread = openThread();
    thread.put("a", "value");
    const { record } = thread.find("a");
    while (thread.verbs.reserve(thread.kernel.geometry.segmentBytes, at.logSmall, 1) !== 0);
    expect(thread.verbs.move(record, at.logMain, 0)).toBe(at.answerNoRoom);
    expect(thread.get("a")).toBe("value");
  });
});

test("sweep() removes what has expired or was cleared, and counts the expired", () => {
  const thread = openThread();
  const { bucketCount } = thread.kernel.geometry;
  for (let entry = 0; entry < 50; entry++) {
    thread.put(`short:${entry}`, "x", { expiresMs: 100 });
    thread.put(`long:${entry}`, "x", { expiresMs: 200 });
    thread.put(`ever:${entry}`, "x");
  }
  const expired = (now: number): number => {
    const before = thread.kernel.total(counterExpirations);
    expect(thread.verbs.sweep(0, bucketCount, now)).toBe(bucketCount);
    return thread.kernel.total(counterExpirations) - before;
  };
  expect([expired(99), expired(100), expired(100)]).toEqual([0, 50, 0]);
  expect(thread.find("short:1").answer).toBe(at.answerMiss);
  expect(thread.get("long:1")).toBe("x");
  thread.verbs.clear();
  expect(expired(100)).toBe(0);
  // No slot is taken.
  const slots = new BigUint64Array(
    thread.kernel.views.u8.buffer,
    thread.kernel.geometry.bucketBase,
    bucketCount * 8,
  );
  expect(slots.every((word) => word === 0n)).toBe(true);
});

describe("what wakes the janitor", () => {
  test("a write rings once when the janitor sleeps until something changes", () => {
    const thread = openThread();
    const { control } = thread.kernel;
    const bell = control.doorbell();
    thread.put("a", "value");
    expect(control.doorbell()).toBe(bell);
    control.fallAsleep();
    thread.put("a", "other");
    thread.put("b", "value");
    expect(control.doorbell()).toBe(bell + 1);
    control.fallAsleep();
    thread.verbs.invalidateTag(1, 2, 0);
    expect(control.doorbell()).toBe(bell + 2);
    control.fallAsleep();
    control.wakeUp();
    thread.put("c", "value");
    expect(control.doorbell()).toBe(bell + 2);
  });

  test("the soonest deadline is that of all entries in memory", () => {
    const thread = openThread();
    const { control, geometry } = thread.kernel;
    thread.put("a", "value", { expiresMs: 300 });
    // Unknown before the first sweep.
    expect(control.soonestDeadline()).toBe(0);
    control.forgetDeadlines();
    thread.put("ever", "value");
    expect(control.soonestDeadline()).toBe(Infinity);
    thread.put("b", "value", { expiresMs: 400 });
    expect(control.soonestDeadline()).toBe(400);
    thread.verbs.sweep(0, geometry.bucketCount, 200);
    expect(control.soonestDeadline()).toBe(300);
    thread.put("c", "value", { expiresMs: 350 });
    expect(control.soonestDeadline()).toBe(300);
    control.forgetDeadlines();
    thread.verbs.sweep(0, geometry.bucketCount, 300);
    expect(control.soonestDeadline()).toBe(350);
  });

  test("an injected clock wakes it when an entry has ended, and not before", () => {
    const thread = openThread();
    const { control } = thread.kernel;
    control.forgetDeadlines();
    thread.put("a", "value", { expiresMs: 300 });
    const bell = control.doorbell();
    control.fallAsleep();
    thread.verbs.tick(299);
    expect(control.doorbell()).toBe(bell);
    thread.verbs.tick(300);
    expect(control.doorbell()).toBe(bell + 1);
  });
});
