// Verbs that meet other threads halfway: segments that are read or claimed, keys that are locked,
// disk copies that are dropped.

import { expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { recordHeaderSize } from "../../dist/src/record/mod.js";
import { MiB, openMemory, openThread, type Thread } from "./opened-kernel.js";

const unitsPerSegment = MiB / 16;

function open(): Thread {
  const thread = openThread({ diskSegments: 4 });
  for (let segment = 0; segment < 4; segment++) {
    thread.verbs.openDisk(segment, segment, 0, segment + 1, 0);
    thread.verbs.extendDisk(segment, 4096, 1, Infinity, 2 ** 40);
  }
  return thread;
}

function diskLocation(thread: Thread, record: number): number {
  return thread.kernel.views.u32[(record + recordHeaderSize) / 4] as number;
}

test("a pinned segment cannot be claimed, and a claimed one cannot be pinned", () => {
  const thread = openThread();
  thread.put("a", "1");
  const segment = thread.seal(thread.find("a").record);
  expect(thread.verbs.pinSegment(segment)).toBe(1);
  expect(thread.verbs.claimSegment(segment)).toBe(0);
  expect(thread.segmentState(segment)).toBe(at.segmentSealed);
  thread.verbs.unpinSegment(segment);
  expect(thread.verbs.claimSegment(segment)).toBe(1);
  expect(thread.verbs.pinSegment(segment)).toBe(0);
  expect(thread.segmentWord(segment, at.segmentPin)).toBe(0);
});

test("a dead thread's claims are released, a live thread's are not", () => {
  const memory = openMemory();
  const [live, dead] = [memory.thread(), memory.thread()];
  live.put("a", "1");
  dead.put("b", "1");
  const first = live.seal(live.find("a").record);
  const second = dead.seal(dead.find("b").record);
  expect(live.verbs.claimSegment(first)).toBe(1);
  expect(dead.verbs.claimSegment(second)).toBe(1);
  live.verbs.releaseClaims(dead.kernel.thread);
  expect(live.segmentState(first)).toBe(at.segmentEvicting);
  expect(live.segmentState(second)).toBe(at.segmentSealed);
});

test("a flush of an earlier generation of a segment does not count for this one", () => {
  const thread = openThread();
  thread.put("a", "1");
  const segment = thread.seal(thread.find("a").record);
  const generation = thread.segmentWord(segment, at.segmentGeneration);
  thread.verbs.setFlushed(segment, 32, generation + 1);
  expect(thread.segmentWord(segment, at.segmentFlushedOffset)).toBe(0);
  thread.verbs.setFlushed(segment, 32, generation);
  expect(thread.segmentWord(segment, at.segmentFlushedOffset)).toBe(32);
});

test("a record that has a disk copy gets no other", () => {
  const thread = open();
  thread.put("a", "1");
  const { record } = thread.find("a");
  expect(thread.verbs.reserveDiskLocation(record, unitsPerSegment)).toBe(at.answerDone);
  expect(thread.verbs.reserveDiskLocation(record, 2 * unitsPerSegment)).toBe(at.answerAbsent);
  expect(diskLocation(thread, record)).toBe(unitsPerSegment);
});

test("a record whose key is locked is not taken as dead", () => {
  const thread = open();
  thread.put("a", "1");
  const { record } = thread.find("a");
  const lock = thread.bucketAt(thread.home("a")) / 4;
  thread.kernel.views.i32[lock] = 0x7fff_ff40;
  expect(thread.verbs.reserveDiskLocation(record, 1)).toBe(at.answerBusy);
  expect(thread.verbs.demote(record)).toBe(at.answerBusy);
  expect(thread.verbs.frequencyOfRecord(record)).toBe(at.answerBusy);
  thread.kernel.views.i32[lock] = 0;
  expect(thread.verbs.reserveDiskLocation(record, 1)).toBe(at.answerDone);
});

test("dropping a disk segment ends its entries and memory's links to it, nothing else", () => {
  const thread = open();
  for (const [key, segment] of [
    ["on disk", 1],
    ["in memory", 1],
    ["elsewhere", 2],
  ] as const) {
    thread.put(key, key);
    const location = segment * unitsPerSegment + 8 + key.length;
    expect(thread.verbs.reserveDiskLocation(thread.find(key).record, location)).toBe(at.answerDone);
  }
  thread.verbs.demote(thread.find("on disk").record);
  expect(thread.verbs.dropUnits(unitsPerSegment, 2 * unitsPerSegment)).toBe(0);
  expect(thread.find("on disk").answer).toBe(at.answerMiss);
  expect(thread.get("in memory")).toBe("in memory");
  const { record } = thread.find("in memory");
  expect(diskLocation(thread, record)).toBe(0);
  expect(thread.segmentWord(thread.seal(record), at.segmentDiskCopyLost)).toBe(1);
  expect(diskLocation(thread, thread.find("elsewhere").record)).toBe(2 * unitsPerSegment + 17);
});

test("an index read from a snapshot has no locks, no memory entries and no free files", () => {
  const thread = open();
  for (const [key, segment] of [
    ["kept", 1],
    ["freed", 2],
  ] as const) {
    thread.put(key, key);
    thread.verbs.reserveDiskLocation(thread.find(key).record, segment * unitsPerSegment + 8);
    thread.verbs.demote(thread.find(key).record);
  }
  thread.put("in memory", "1");
  thread.verbs.setDiskState(2, at.diskFree);
  thread.kernel.views.i32[thread.bucketAt(thread.home("kept")) / 4] = 0x7fff_ff40;
  expect(thread.verbs.reconcileIndex()).toBe(1);
  expect(thread.find("kept").location).toBe(unitsPerSegment + 8);
  expect(thread.find("freed").answer).toBe(at.answerMiss);
  expect(thread.find("in memory").answer).toBe(at.answerMiss);
  expect(thread.remove("kept")).toBe(at.answerDone);
});
