import { describe, expect, test } from "vitest";

import * as fl from "../../dist/src/kernel/flight-layout.js";
import * as at from "../../dist/src/kernel/layout.js";
import { divide } from "../../dist/src/kernel/mod.js";
import { flightStatesOf, flightWordAt } from "../../dist/test/proof/flight-words.js";
import { MiB, openMemory, openThread, type Thread } from "./opened-kernel.js";

/** The most flights that a key can have. */
const flightsOfKey = fl.flightWindow * fl.flightWindows;

/** Begins a flight of a key as a fill does: hash first, then the flight, then the look at the
 *  source. */
function begin(thread: Thread, key: string): number {
  return thread.verbs.beginFlight(...thread.hashWords(key));
}

describe("a flight", () => {
  test("that nothing supersedes publishes and ends", () => {
    const thread = openThread();
    const flight = begin(thread, "a");
    expect(flight).toBeGreaterThanOrEqual(0);
    expect([thread.flightsTaken(), thread.announcesFlights()]).toEqual([1, true]);
    thread.put("b", "another key");
    expect(thread.put("a", "filled", { flight })).toBe(at.answerDone);
    thread.verbs.endFlight(flight, fl.flightAgain, 0);
    expect(thread.get("a")).toBe("filled");
    expect([thread.flightsTaken(), thread.announcesFlights()]).toEqual([0, false]);
  });

  test.each([
    ["a set", (other: Thread) => void other.put("a", "newer"), "newer"],
    ["a delete", (other: Thread) => void other.remove("a"), undefined],
    ["a clear", (other: Thread) => void other.verbs.clear(), undefined],
    [
      "a set and a delete",
      (other: Thread) => {
        other.put("a", "newer");
        other.remove("a");
      },
      undefined,
    ],
  ])("superseded by %s of another thread is refused", (_name, write, value) => {
    const memory = openMemory();
    const [thread, other] = [memory.thread(), memory.thread()];
    const flight = begin(thread, "a");
    write(other);
    expect(thread.put("a", "filled", { flight })).toBe(at.answerSuperseded);
    thread.verbs.endFlight(flight, fl.flightAgain, 0);
    expect(thread.get("a")).toBe(value);
    // The next flight is not superseded.
    const second = begin(thread, "a");
    expect(thread.put("a", "second", { flight: second })).toBe(at.answerDone);
    thread.verbs.endFlight(second, fl.flightAgain, 0);
  });

  test("is not superseded by what came before it", () => {
    const thread = openThread();
    thread.put("a", "1");
    thread.remove("a");
    thread.verbs.clear();
    const flight = begin(thread, "a");
    expect(thread.put("a", "filled", { flight })).toBe(at.answerDone);
    thread.verbs.endFlight(flight, fl.flightAgain, 0);
  });

  test("of the same key supersedes the other: one of two fills is published", () => {
    const memory = openMemory();
    const [one, two] = [memory.thread(), memory.thread()];
    const first = begin(one, "a");
    const second = begin(two, "a");
    expect(second).not.toBe(first);
    expect(two.put("a", "second", { flight: second })).toBe(at.answerDone);
    expect(one.put("a", "first", { flight: first })).toBe(at.answerSuperseded);
    expect(one.get("a")).toBe("second");
  });

  test("finds no entry once all for its hash are taken; other hashes still do", () => {
    const thread = openThread();
    const flights = Array.from({ length: flightsOfKey }, () => begin(thread, "a"));
    expect(new Set(flights).size).toBe(flightsOfKey);
    expect(begin(thread, "a")).toBe(-1);
    expect(thread.flightsTaken()).toBe(flightsOfKey);
    // One write supersedes all of them.
    thread.remove("a");
    for (const flight of flights) {
      expect(thread.put("a", "filled", { flight })).toBe(at.answerSuperseded);
      thread.verbs.endFlight(flight, fl.flightAgain, 0);
    }
    expect(thread.flightsTaken()).toBe(0);
    expect(begin(thread, "a")).toBeGreaterThanOrEqual(0);
  });

  test("of a dead thread is ended by endFlightsOf()", () => {
    const memory = openMemory();
    const [dead, owner] = [memory.thread(), memory.thread()];
    const kept = begin(owner, "mine");
    for (const key of ["a", "b", "c"]) expect(begin(dead, key)).toBeGreaterThanOrEqual(0);
    owner.verbs.endFlightsOf(dead.kernel.thread);
    expect(owner.flightsTaken()).toBe(1);
    expect(owner.put("mine", "filled", { flight: kept })).toBe(at.answerDone);
    owner.verbs.endFlight(kept, fl.flightAgain, 0);
    expect(owner.flightsTaken()).toBe(0);
  });
});

describe("the flight table", () => {
  const windowsOf = (thread: Thread, key: string): number[] =>
    [0, 1].map((which) => thread.verbs.flightWindowOf(...thread.hashWords(key), which));

  test("has a key's flights in two different windows", () => {
    const thread = openThread();
    const seen = new Set<number>();
    for (let key = 0; key < 500; key++) {
      const windows = windowsOf(thread, `k${key}`);
      expect(windows[0]).not.toBe(windows[1]);
      const window = thread.kernel.flights.windowOf(begin(thread, `k${key}`));
      expect(windows).toContain(window);
      seen.add(window);
    }
    expect(Math.max(...seen)).toBeLessThan(fl.flightCountMin / fl.flightWindow);
    expect(seen.size).toBeGreaterThan(100);
  });

  test.each([1, 64])("of a cache of %i MiB has flights for nine tenths of as many keys", (mib) => {
    const thread = openThread({ memoryBytes: mib * MiB });
    const { flightCount } = thread.kernel.geometry;
    for (let key = 0; key < flightCount; key++) begin(thread, `key ${key}`);
    expect(thread.flightsTaken()).toBeGreaterThan(0.93 * flightCount);
    // A write of one of the keys still finds its flight.
    thread.remove("key 7");
    const states = flightStatesOf(thread.kernel.views.u8.buffer);
    const superseded = states.filter((word) => (word & fl.flightStateMask) === fl.flightSuperseded);
    expect(superseded).toHaveLength(1);
    thread.verbs.endFlightsOf(thread.kernel.thread);
    expect([thread.flightsTaken(), thread.announcesFlights()]).toEqual([0, false]);
  });

  test("of a map is empty", () => {
    const memory = divide({
      memoryBytes: MiB,
      diskCapacityBytes: 0,
      diskSegmentCount: 0,
      diskSegmentBytes: 0,
      remembersSets: false,
      policyBytes: 0,
      samples: false,
      loads: false,
      isMap: true,
    });
    expect([memory.flightCount, memory.keyHistoryBase - memory.flightBase]).toEqual([0, 0]);
  });
});

test("belongs to the thread that claimed its entry, from the first word on", () => {
  const memory = openMemory();
  const [first, second, owner] = [memory.thread(), memory.thread(), memory.thread()];
  const flight = begin(first, "a");
  first.verbs.endFlight(flight, fl.flightAgain, 0);
  // The second thread has claimed the entry and got no further: the owner's word is still the first
  // one's.
  const { i32 } = owner.kernel.views;
  const state = flightWordAt(i32.buffer, flight, fl.flightState) / 4;
  const claimed = fl.flightClaimed | ((second.kernel.thread + 1) << fl.flightStateShift);
  Atomics.store(i32, state, claimed);
  owner.verbs.endFlightsOf(first.kernel.thread);
  expect(Atomics.load(i32, state)).toBe(claimed);
  owner.verbs.endFlightsOf(second.kernel.thread);
  expect(Atomics.load(i32, state)).toBe(fl.flightFree);
  expect(owner.flightsTaken()).toBe(0);
});

test("clear() raises its epoch again above a fill that came in between", () => {
  // The first raise of a clear by hand, with a fill between its two steps: the fill sees no new
  // epoch, and its sequence is above.
  const thread = openThread();
  const flight = begin(thread, "a");
  const words = new BigUint64Array(thread.kernel.views.u8.buffer);
  const first = Atomics.add(words, at.controlSequence / 8, 1n) + 1n;
  expect(thread.put("a", "filled", { flight })).toBe(at.answerDone);
  Atomics.store(words, at.controlClearEpoch / 8, first);
  expect(thread.get("a")).toBe("filled");
  // So the clear takes another sequence and raises the epoch to that.
  const before = thread.kernel.control.sequence();
  expect(thread.verbs.clear()).toBe(before + 2);
  expect(thread.get("a")).toBeUndefined();
});
