import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import * as counter from "../../dist/src/stats/mod.js";
import { MiB, openMemory, openThread, type Thread } from "./opened-kernel.js";

const unitsPerSegment = MiB / 16;

function open(): Thread {
  const thread = openThread({ diskSegments: 8 });
  for (let segment = 0; segment < 8; segment++) {
    thread.verbs.openDisk(segment, segment, 0, segment + 1, 0);
    thread.verbs.extendDisk(segment, 4096, 1, Infinity, 2 ** 40);
  }
  return thread;
}

/** Puts an entry and demotes it to a disk copy at this location. */
function putOnDisk(thread: Thread, key: string, location: number): void {
  thread.put(key, `value of ${key}`);
  const { record } = thread.find(key);
  expect(thread.verbs.reserveDiskLocation(record, location)).toBe(at.answerDone);
  expect(thread.verbs.demote(record)).toBe(at.answerDone);
}

function halves(hash: bigint): [number, number] {
  return [Number(hash & 0xffffffffn), Number(hash >> 32n)];
}

function entries(thread: Thread): { memory: number; disk: number } {
  return {
    memory: thread.kernel.total(counter.counterMemoryEntries),
    disk: thread.kernel.total(counter.counterDiskEntries),
  };
}

function tombstones(thread: Thread): { locations: number[]; announced: number[] } {
  return {
    locations: [thread.double(at.resultTombstone0), thread.double(at.resultTombstone1)],
    announced: [thread.word(at.threadTombstoneSegment0), thread.word(at.threadTombstoneSegment1)],
  };
}

describe("demote()", () => {
  test("leaves a record to its disk copy, and find() says where", () => {
    const thread = open();
    putOnDisk(thread, "a", 3 * unitsPerSegment + 5);
    const found = thread.find("a");
    expect(found.answer).toBeLessThanOrEqual(at.answerDisk);
    expect(found.location).toBe(3 * unitsPerSegment + 5);
    expect(thread.verbs.validate(found.slot, found.low, found.high)).toBe(1);
    const { low, high } = found;
    expect(thread.verbs.findKnown(...thread.key("a"), 0, 0, low, high ^ 1)).toBe(found.answer);
    expect(entries(thread)).toEqual({ memory: 0, disk: 1 });
  });

  test("drops a record without a copy, and does nothing to a dead one", () => {
    const thread = open();
    thread.put("a", "1");
    const { record } = thread.find("a");
    expect(thread.verbs.demote(record)).toBe(at.answerMiss);
    expect(thread.find("a").answer).toBe(at.answerMiss);
    expect(thread.verbs.demote(record)).toBe(at.answerAbsent);
    expect(entries(thread)).toEqual({ memory: 0, disk: 0 });
  });
});

describe("a write or delete of what is on disk", () => {
  test.each(["set", "delete"])("announces the tombstone of its disk copy: %s", (verb) => {
    const thread = open();
    putOnDisk(thread, "a", 2 * unitsPerSegment + 7);
    const answer = verb === "set" ? thread.put("a", "new") : thread.remove("a");
    expect(answer).toBe(at.answerDone);
    expect(tombstones(thread)).toEqual({
      locations: [2 * unitsPerSegment + 7, 0],
      announced: [3, 0],
    });
    expect(entries(thread)).toEqual({ memory: verb === "set" ? 1 : 0, disk: 0 });
  });

  test("announces the tombstone of a record that is in memory too", () => {
    const thread = open();
    thread.put("a", "1");
    thread.verbs.reserveDiskLocation(thread.find("a").record, 9);
    thread.put("a", "2");
    expect(tombstones(thread)).toEqual({ locations: [9, 0], announced: [1, 0] });
    // The new record has no copy yet.
    expect(thread.remove("a")).toBe(at.answerDone);
    expect(thread.double(at.resultTombstone0)).toBe(0);
  });

  test("the entry that a full bucket evicts gets a tombstone on disk too", () => {
    const thread = openThread({ diskSegments: 4, bucketCount: 2 });
    for (let segment = 0; segment < 4; segment++) {
      thread.verbs.openDisk(segment, 1, 0, 1, 0);
      thread.verbs.extendDisk(segment, 4096, 1, Infinity, 2 ** 40);
    }
    const keys = Array.from({ length: 300 }, (_, number) => `k${number}`);
    const locations = new Map<number, string>();
    const victims: { known: boolean; isAbsent: boolean; announced: number }[] = [];
    for (const [number, key] of keys.entries()) {
      thread.put(key, key);
      const location = thread.double(at.resultTombstone1);
      if (location !== 0) {
        const announced = thread.word(at.threadTombstoneSegment1);
        const victim = locations.get(location);
        const isAbsent = victim !== undefined && thread.find(victim).answer === at.answerMiss;
        victims.push({ known: victim !== undefined, isAbsent, announced });
      }
      locations.set(number + 100, key);
      thread.verbs.reserveDiskLocation(thread.find(key).record, number + 100);
    }
    expect(victims.length).toBeGreaterThan(200);
    // Locations from 100 on are in segment 0, announced as 1.
    for (const victim of victims)
      expect(victim).toEqual({ known: true, isAbsent: true, announced: 1 });
  });
});

describe("reserveDiskLocation()", () => {
  test("refuses a dead, a cleared and an unpublished record", () => {
    const thread = open();
    thread.put("a", "1");
    const { record } = thread.find("a");
    thread.put("a", "2");
    expect(thread.verbs.reserveDiskLocation(record, 5)).toBe(at.answerAbsent);
    const newer = thread.find("a").record;
    thread.verbs.clear();
    expect(thread.verbs.reserveDiskLocation(newer, 5)).toBe(at.answerAbsent);
    const unpublished = thread.append("b", "1");
    expect(thread.verbs.reserveDiskLocation(unpublished?.offset ?? 0, 5)).toBe(at.answerAbsent);
  });
});

describe("promote()", () => {
  test("points an unchanged slot at the copy in memory, with its own sequence", () => {
    const thread = open();
    putOnDisk(thread, "a", 77);
    const { slot, low, high } = thread.find("a");
    const copy = thread.append("a", "value of a");
    const record = copy?.offset ?? 0;
    thread.kernel.views.u8[record + 4] = 0;
    thread.kernel.views.u8[record + 7] = copy?.flags ?? 0;
    thread.kernel.views.u8[record + 8] = 1;
    thread.kernel.views.u8[record + 14] = 1;
    expect(thread.verbs.promote(record, slot, low, high)).toBe(at.answerDone);
    expect(thread.get("a")).toBe("value of a");
    expect(thread.find("a").sequence).toBe(1);
    expect(entries(thread)).toEqual({ memory: 1, disk: 0 });
    // It keeps its copy, and a write gives the copy a tombstone.
    thread.put("a", "new");
    expect(thread.double(at.resultTombstone0)).toBe(77);
  });

  test("loses to a write in between, and leaves a dead record", () => {
    const thread = open();
    putOnDisk(thread, "a", 77);
    const { slot, low, high } = thread.find("a");
    const record = thread.append("a", "value of a")?.offset ?? 0;
    thread.kernel.views.u8[record + 8] = 1;
    thread.kernel.views.u8[record + 14] = 1;
    thread.put("a", "new");
    expect(thread.verbs.promote(record, slot, low, high)).toBe(at.answerAbsent);
    expect(thread.get("a")).toBe("new");
    expect(thread.kernel.views.u8[record + 8]).toBe(0);
  });
});

describe("reclaim", () => {
  test("dropDisk() drops entries that were not hit, and the others if forced", () => {
    const thread = open();
    putOnDisk(thread, "cold", 11);
    putOnDisk(thread, "warm", 12);
    const warm = thread.find("warm");
    thread.verbs.touch(warm.slot, warm.low, warm.high);
    const drop = (key: string, location: number, force: number): number =>
      thread.verbs.dropDisk(...halves(thread.hash(key)), location, force);
    expect(drop("cold", 99, 0)).toBe(at.answerAbsent);
    expect(drop("cold", 11, 0)).toBe(at.answerDone);
    expect(thread.find("cold").answer).toBe(at.answerMiss);
    expect(drop("warm", 12, 0)).toBe(at.answerHit);
    expect(thread.find("warm").location).toBe(12);
    expect(drop("warm", 12, 1)).toBe(at.answerDone);
    expect(entries(thread)).toEqual({ memory: 0, disk: 0 });
  });

  test("relocateDisk() moves an entry and removes one hit", () => {
    const thread = open();
    putOnDisk(thread, "a", 11);
    const found = thread.find("a");
    for (let hit = 0; hit < 3; hit++) thread.verbs.touch(found.slot, found.low, found.high);
    const hash = halves(thread.hash("a"));
    expect(thread.verbs.relocateDisk(...hash, 11, 500)).toBe(at.answerDone);
    const moved = thread.find("a");
    expect(moved.location).toBe(500);
    expect(thread.verbs.touch(moved.slot, moved.low, moved.high)).toBe(2);
    expect(thread.verbs.validate(found.slot, found.low, found.high)).toBe(0);
    expect(thread.verbs.relocateDisk(...hash, 11, 600)).toBe(at.answerAbsent);
  });

  test("a record in memory gets its new disk location in its header, or loses it", () => {
    const thread = open();
    thread.put("a", "1");
    thread.verbs.reserveDiskLocation(thread.find("a").record, 11);
    const hash = halves(thread.hash("a"));
    expect(thread.verbs.dropDisk(...hash, 11, 0)).toBe(at.answerHit);
    expect(thread.verbs.relocateDisk(...hash, 11, 12)).toBe(at.answerDone);
    expect(thread.verbs.dropDisk(...hash, 11, 1)).toBe(at.answerAbsent);
    expect(thread.verbs.dropDisk(...hash, 12, 1)).toBe(at.answerInMemory);
    expect(thread.get("a")).toBe("1");
    // With 3 an entry that is nowhere else stays.
    thread.verbs.reserveDiskLocation(thread.find("a").record, 13);
    expect(thread.verbs.dropDisk(...hash, 13, 3)).toBe(at.answerInMemory);
    putOnDisk(thread, "b", 14);
    expect(thread.verbs.dropDisk(...halves(thread.hash("b")), 14, 3)).toBe(at.answerHit);
    expect(thread.find("b").location).toBe(14);
    expect(thread.get("a")).toBe("1");
    thread.put("a", "2");
    expect(thread.double(at.resultTombstone0)).toBe(0);
  });

  test("dropUnits() drops the entries on disk in a range of units", () => {
    const thread = open();
    for (let number = 0; number < 20; number++) putOnDisk(thread, `key:${number}`, 100 + number);
    thread.put("both", "1");
    const { record } = thread.find("both");
    thread.verbs.reserveDiskLocation(record, 110);
    expect(thread.verbs.dropUnits(105, 115)).toBe(0);
    // Records in memory stay there, and a flush looks at their segment again.
    expect(thread.get("both")).toBe("1");
    thread.put("both", "2");
    expect(thread.double(at.resultTombstone0)).toBe(0);
    expect(thread.segmentWord(thread.seal(record), at.segmentDiskCopyLost)).toBe(1);
    for (let number = 0; number < 20; number++) {
      const { answer } = thread.find(`key:${number}`);
      expect(answer === at.answerMiss).toBe(number >= 5 && number < 15);
    }
  });
});

describe("recovery", () => {
  test("insertRecovered() indexes a class once", () => {
    const thread = open();
    const hash = halves(thread.hash("a"));
    expect(thread.verbs.insertRecovered(...hash, 40)).toBe(at.answerDone);
    expect(thread.verbs.insertRecovered(...hash, 41)).toBe(at.answerAbsent);
    expect(thread.find("a").location).toBe(40);
  });

  test("settleIndex() keeps entries of existing disk segments, frees locks, and counts", () => {
    const thread = open();
    for (const key of ["a", "b"]) putOnDisk(thread, key, 40);
    putOnDisk(thread, "gone", 5 * unitsPerSegment + 40);
    thread.put("memory", "1");
    thread.verbs.setDiskState(5, at.diskFree);
    const lock = thread.bucketAt(thread.home("a")) / 4;
    thread.kernel.views.u32[lock] = 77;
    expect(thread.verbs.reconcileIndex()).toBe(2);
    expect(thread.kernel.views.u32[lock]).toBe(0);
    expect(thread.find("a").location).toBe(40);
    expect(thread.find("gone").answer).toBe(at.answerMiss);
    expect(thread.find("memory").answer).toBe(at.answerMiss);
  });

  test("dropSlot() removes a damaged entry if the slot still has it", () => {
    const thread = open();
    putOnDisk(thread, "a", 40);
    const { slot, low, high } = thread.find("a");
    thread.verbs.relocateDisk(...halves(thread.hash("a")), 40, 41);
    expect(thread.verbs.dropSlot(slot, low, high)).toBe(at.answerAbsent);
    const moved = thread.find("a");
    expect(thread.verbs.dropSlot(moved.slot, moved.low, moved.high)).toBe(at.answerDone);
    expect(thread.double(at.resultTombstone0)).toBe(41);
    expect(thread.find("a").answer).toBe(at.answerMiss);
  });

  test("dropSlot() of an entry in memory names the tombstone of its copy on disk", () => {
    const thread = open();
    thread.put("a", "1");
    thread.put("b", "1");
    thread.verbs.reserveDiskLocation(thread.find("a").record, 9);
    for (const [key, tombstone] of [
      ["a", 9],
      ["b", 0],
    ] as const) {
      const { slot, low, high } = thread.find(key);
      expect(thread.verbs.dropSlot(slot, low, high)).toBe(at.answerDone);
      expect(thread.double(at.resultTombstone0)).toBe(tombstone);
      expect(thread.find(key).answer).toBe(at.answerMiss);
      expect(thread.verbs.dropSlot(slot, low, high)).toBe(at.answerAbsent);
    }
  });
});

describe("disk segment table", () => {
  test("a segment that is opened again has a new generation and no tombstones", () => {
    const thread = openMemory({ diskSegments: 4 }).thread();
    const word = (field: number): number =>
      thread.control(thread.kernel.geometry.diskTable + at.diskEntrySize + field);
    thread.verbs.openDisk(1, 5, 6, 7, 8);
    expect(word(at.diskState)).toBe(at.diskOpen);
    expect([thread.verbs.takeTombstoneIndex(1), thread.verbs.takeTombstoneIndex(1)]).toEqual([
      0, 1,
    ]);
    const generation = word(at.diskGeneration);
    thread.verbs.setDiskState(1, at.diskSealed);
    thread.verbs.openDisk(1, 6, 6, 8, 9);
    expect(word(at.diskGeneration)).toBe(generation + 1);
    expect(thread.verbs.takeTombstoneIndex(1)).toBe(0);
    thread.verbs.setTombstoneCount(1, 40);
    expect(thread.verbs.takeTombstoneIndex(1)).toBe(40);
  });

  test("a clear hides entries of segments written before it", () => {
    const thread = openThread({ diskSegments: 4 });
    thread.verbs.openDisk(0, 1, 0, 1, 0);
    putOnDisk(thread, "a", 40);
    thread.verbs.extendDisk(0, 4096, 1, Infinity, thread.kernel.control.sequence());
    expect(thread.find("a").location).toBe(40);
    thread.verbs.clear();
    expect(thread.find("a").answer).toBe(at.answerMiss);
    expect(thread.remove("a")).toBe(at.answerAbsent);
  });
});
