// When the janitor forgets tags, and what it does before: the order of a sweep, and what holds it
// up.

import { describe, expect, test } from "vitest";

import { TagSweeper } from "../../dist/src/janitor/tag-sweeper.js";
import * as fl from "../../dist/src/kernel/flight-layout.js";
import * as at from "../../dist/src/kernel/layout.js";
import * as tagAt from "../../dist/src/kernel/tag-layout.js";
import { counterTagSweeps } from "../../dist/src/stats/mod.js";
import { openMemory, type Thread } from "../kernel/opened-kernel.js";

const tagBuckets = 8;
const capacity = tagBuckets * tagAt.tagBucketSlots;
/** So many that a sweep is due, and so many that it presses flights. */
const due = capacity / 4;
const pressed = capacity / 2;

function invalidate({ kernel, verbs }: Thread, name: string): void {
  const { low, high } = kernel.tags.hashOf(Buffer.from(name), 0, name.length);
  expect(verbs.invalidateTag(low, high, 0)).toBe(at.answerDone);
}

function open(diskSegments = 0) {
  const memory = openMemory({ tagBuckets, diskSegments });
  const [janitor, thread] = [memory.thread(), memory.thread()];
  const log: string[] = [];
  const answers = { written: true, synced: 3, fails: false };
  const disk = {
    walk: {
      begin: (through: number) => void log.push(`walk ${through}`),
      step: () => "done" as const,
    },
    sync: (segment: number): boolean => {
      if (answers.fails) throw new Error("no sync");
      if (segment < answers.synced) log.push(`sync ${segment}`);
      return segment < answers.synced;
    },
    writeFloor: (floor: number): void => void log.push(`floor ${floor}`),
    writeForgotten: (sequence: number): boolean => {
      log.push(`forgotten ${sequence}, ${tracked()} tracked`);
      return answers.written;
    },
  };
  const writeTombstone = (location: number): void => void log.push(`tombstone ${location}`);
  const sweeper = new TagSweeper(janitor.kernel, diskSegments > 0 ? disk : null, writeTombstone);
  const tracked = (): number => thread.control(at.controlTagsTracked);
  const run = (): void => {
    for (let round = 0; round < 100 && sweeper.run(0); round++);
  };
  const add = (count: number, prefix = "t"): void => {
    for (let tag = 0; tag < count; tag++) invalidate(thread, `${prefix}${tag}`);
  };
  const sweeps = (): number => thread.kernel.total(counterTagSweeps);
  return { thread, janitor, sweeper, log, answers, tracked, run, add, sweeps };
}

test("begins when a quarter of the table is taken, and forgets all of it", () => {
  const { add, run, tracked, sweeps } = open();
  add(due - 1);
  run();
  expect([tracked(), sweeps()]).toEqual([due - 1, 0]);
  add(due);
  run();
  expect([tracked(), sweeps()]).toEqual([0, 1]);
});

test("empties the slots of what the tags void, and wakes who waits", () => {
  const { thread, add, run } = open();
  const tag = thread.kernel.tags.encode(["t3"]);
  thread.put("b", "y", { tags: tag });
  thread.put("c", "z");
  add(due);
  const seen = thread.kernel.tags.sweeps();
  run();
  expect(thread.kernel.tags.waitForSweep(seen, 0)).toBe(true);
  // The table does not know the tag any more, so it is the slot that is empty.
  expect(thread.kernel.tags.areInvalidated(tag, 1)).toBe(false);
  expect([thread.get("b"), thread.get("c")]).toEqual([undefined, "z"]);
});

describe("a flight", () => {
  test("that is older keeps the tags that would refuse what it brings", () => {
    const { thread, add, run, tracked, sweeps } = open();
    add(due);
    const flight = thread.verbs.beginFlight(...thread.hashWords("k"));
    add(5, "later");
    run();
    expect([tracked(), sweeps()]).toEqual([5, 1]);
    // Nothing would come of another sweep.
    add(due, "more");
    run();
    expect([tracked(), sweeps()]).toEqual([due + 5, 1]);
    thread.verbs.endFlight(flight, fl.flightAgain, 0);
    run();
    expect(tracked()).toBe(0);
  });

  test("is superseded once it has held up a whole sweep of a table that is half full", () => {
    const { thread, add, run, tracked } = open();
    const flight = thread.verbs.beginFlight(...thread.hashWords("k"));
    add(due);
    run();
    expect([tracked(), thread.kernel.flights.state(flight)]).toEqual([due, fl.flightActive]);
    add(pressed, "more");
    run();
    expect([tracked(), thread.kernel.flights.state(flight)]).toEqual([0, fl.flightSuperseded]);
    thread.verbs.endFlight(flight, fl.flightAgain, 0);
  });
});

describe("with a disk", () => {
  test("walks it, syncs it and writes down what is forgotten, and then forgets", () => {
    const { add, run, log, tracked } = open(3);
    add(due);
    const through = due * 2;
    run();
    expect(log).toEqual([
      `walk ${through}`,
      "sync 0",
      "sync 1",
      "sync 2",
      `forgotten ${through}, ${due} tracked`,
    ]);
    expect(tracked()).toBe(0);
  });

  test("forgets nothing if that cannot be written, or synced", () => {
    const { add, run, answers, tracked, sweeper, sweeps } = open(3);
    add(due);
    answers.written = false;
    run();
    expect([tracked(), sweeps()]).toEqual([due, 0]);
    answers.written = true;
    answers.fails = true;
    expect(run).toThrow("no sync");
    sweeper.abandon();
    expect([tracked(), sweeps()]).toEqual([due, 0]);
    answers.fails = false;
    run();
    expect([tracked(), sweeps()]).toEqual([0, 1]);
  });

  test("waits for a tombstone that another thread has announced and not written", () => {
    const { thread, add, run, tracked, log } = open(3);
    add(due);
    const { i32 } = thread.kernel.views;
    const word = (thread.kernel.block + at.threadTombstoneSegment0) / 4;
    i32[word] = 1;
    run();
    run();
    expect([tracked(), log.length]).toEqual([due, 1]);
    i32[word] = 0;
    run();
    expect(tracked()).toBe(0);
  });

  test("writes the tombstone of a copy before the tag is forgotten", () => {
    const { thread, add, run, log } = open(3);
    thread.put("a", "x", { tags: thread.kernel.tags.encode(["t0"]) });
    const { record } = thread.find("a");
    expect(thread.verbs.reserveDiskLocation(record, 77)).toBe(at.answerDone);
    add(due);
    run();
    expect(log[0]).toBe("tombstone 77");
    expect(thread.find("a").answer).toBe(at.answerMiss);
  });
});

test("a lock that stays taken holds a sweep up, and nothing is forgotten meanwhile", () => {
  const { thread, add, run, tracked } = open();
  thread.put("a", "x", { tags: thread.kernel.tags.encode(["t0"]) });
  const { bucketBase } = thread.kernel.geometry;
  const bucket = thread.find("a").slot >> 3;
  const { i32 } = thread.kernel.views;
  i32[(bucketBase + bucket * at.bucketSize) / 4] = 63;
  add(due);
  run();
  expect(tracked()).toBe(due);
  i32[(bucketBase + bucket * at.bucketSize) / 4] = 0;
  run();
  expect(tracked()).toBe(0);
  expect(thread.find("a").answer).toBe(at.answerMiss);
});

test("what the floor or a clear covers is forgotten without a sweep", () => {
  const { thread, sweeper, add, tracked, sweeps } = open();
  add(due);
  thread.verbs.beginFlight(...thread.hashWords("k"));
  thread.verbs.raiseTagFloor(thread.kernel.control.sequence());
  sweeper.run(0);
  expect([tracked(), sweeps()]).toEqual([0, 0]);
  add(due, "u");
  sweeper.run(thread.verbs.clear());
  expect(tracked()).toBe(0);
});
