// Flights that threads join: who leads, who waits, and what is left when one of them ends, leaves
// or dies.

import { describe, expect, test } from "vitest";

import * as fl from "../../dist/src/kernel/flight-layout.js";
import * as at from "../../dist/src/kernel/layout.js";
import { flightWordAt } from "../../dist/test/proof/flight-words.js";
import { openMemory, type Thread } from "./opened-kernel.js";

const lease = 1000;

function enter(
  thread: Thread,
  key: string,
  { forced = 0, mayClaim = 1, until = lease } = {},
): number {
  return thread.verbs.enterFlight(...thread.hashWords(key), forced, mayClaim, until);
}

function follow(flight: number): number {
  return fl.answerFollow - flight;
}

function wordOf(thread: Thread, flight: number, word: number): number {
  return flightWordAt(thread.kernel.views.i32.buffer, flight, word) / 4;
}

function read(thread: Thread, flight: number, word: number): number {
  return Atomics.load(thread.kernel.views.i32, wordOf(thread, flight, word));
}

function stateOf(thread: Thread, flight: number): number {
  return read(thread, flight, fl.flightState) & fl.flightStateMask;
}

/** A leader, and two threads that wait for it. */
function openThree(): { leader: Thread; one: Thread; two: Thread; flight: number } {
  const memory = openMemory();
  const [leader, one, two] = [memory.thread(), memory.thread(), memory.thread()];
  const flight = enter(leader, "a");
  expect(enter(one, "a")).toBe(follow(flight));
  expect(enter(two, "a")).toBe(follow(flight));
  return { leader, one, two, flight };
}

describe("a load that threads join", () => {
  test("has one leader, and an entry until the last waiter has left", () => {
    const { leader, one, two, flight } = openThree();
    expect(enter(one, "b")).toBeGreaterThanOrEqual(0);
    expect(leader.put("a", "loaded", { flight })).toBe(at.answerDone);
    leader.verbs.endFlight(flight, fl.flightNegative, 42);
    for (const thread of [one, two]) {
      expect(stateOf(thread, flight)).toBe(fl.flightDone);
      expect(read(thread, flight, fl.flightOutcome)).toBe(fl.flightNegative);
      expect(thread.kernel.views.f64[wordOf(thread, flight, fl.flightArgument) / 2]).toBe(42);
    }
    expect(one.verbs.leaveFlight(flight)).toBe(0);
    // Done, but not free: a new flight of the key gets another entry.
    const next = enter(leader, "a");
    expect(next).toBeGreaterThanOrEqual(0);
    expect(next).not.toBe(flight);
    expect(two.verbs.leaveFlight(flight)).toBe(1);
    expect(read(two, flight, fl.flightState)).toBe(fl.flightFree);
    leader.verbs.endFlight(next, fl.flightAgain, 0);
    expect(leader.flightsTaken()).toBe(1); // that of "b"
  });

  test("wakes its waiters when it ends, and its leader when the last has left", async () => {
    const { leader, one, two, flight } = openThree();
    type WaitAsync = (
      words: Int32Array,
      index: number,
      value: number,
    ) => { value: Promise<string> };
    const { waitAsync } = Atomics as unknown as { waitAsync: WaitAsync };
    const wait = (thread: Thread): Promise<string> => {
      const turn = read(thread, flight, fl.flightSignal);
      return waitAsync(thread.kernel.views.i32, wordOf(thread, flight, fl.flightSignal), turn)
        .value;
    };
    const unfollowed = wait(leader);
    one.verbs.leaveFlight(flight);
    two.verbs.leaveFlight(flight);
    expect(await unfollowed).toBe("ok");
    expect(enter(one, "a")).toBe(follow(flight));
    const ended = wait(one);
    leader.verbs.endFlight(flight, fl.flightStored, 0);
    expect(await ended).toBe("ok");
  });

  test.each<[string, (thread: Thread) => unknown]>([
    ["a set", (thread) => thread.put("a", "newer")],
    ["a delete", (thread) => thread.remove("a")],
    ["a clear", (thread) => thread.verbs.clear()],
  ])("that %s superseded is joined by nobody", (_name, write) => {
    const { leader, one, two, flight } = openThree();
    one.verbs.leaveFlight(flight);
    write(two);
    const next = enter(one, "a");
    expect(next).toBeGreaterThanOrEqual(0);
    expect(leader.put("a", "older", { flight })).toBe(at.answerSuperseded);
    expect(one.put("a", "loaded after", { flight: next })).toBe(at.answerDone);
  });

  test("is taken over by one thread when its lease ends, and then publishes nothing", () => {
    const { leader, one, two, flight } = openThree();
    expect(one.verbs.expireFlight(flight, lease - 1)).toBe(0);
    leader.verbs.renewFlight(flight, 2 * lease);
    expect(one.verbs.expireFlight(flight, lease)).toBe(0);
    expect(one.verbs.expireFlight(flight, 2 * lease)).toBe(1);
    expect(two.verbs.expireFlight(flight, 2 * lease)).toBe(0);
    one.verbs.leaveFlight(flight);
    two.verbs.leaveFlight(flight);
    const next = enter(two, "a");
    expect(next).toBeGreaterThanOrEqual(0);
    expect(enter(one, "a")).toBe(follow(next));
    expect(leader.put("a", "late", { flight })).toBe(at.answerSuperseded);
    expect(two.put("a", "taken over", { flight: next })).toBe(at.answerDone);
    // Its entry belongs to its leader until the leader has ended it.
    expect(stateOf(one, flight)).toBe(fl.flightExpired);
    leader.verbs.endFlight(flight, fl.flightAgain, 0);
    expect(read(one, flight, fl.flightState)).toBe(fl.flightFree);
  });

  test("of a dead thread is lost, and one waiter takes it over", () => {
    const { leader, one, two, flight } = openThree();
    one.verbs.endFlightsOf(leader.kernel.thread);
    expect(stateOf(one, flight)).toBe(fl.flightDone);
    expect(read(one, flight, fl.flightOutcome)).toBe(fl.flightLost);
    one.verbs.leaveFlight(flight);
    two.verbs.leaveFlight(flight);
    const next = enter(one, "a");
    expect(next).toBeGreaterThanOrEqual(0);
    expect(enter(two, "a")).toBe(follow(next));
    expect(one.flightsTaken()).toBe(1);
  });

  test("is not held by a dead thread that waited", () => {
    const { leader, one, two, flight } = openThree();
    one.verbs.leaveFlight(flight);
    leader.verbs.endFlight(flight, fl.flightStored, 0);
    expect(leader.flightsTaken()).toBe(1);
    leader.verbs.endFlightsOf(two.kernel.thread);
    expect(leader.flightsTaken()).toBe(0);
    expect(read(one, flight, fl.flightState)).toBe(fl.flightFree);
  });

  test("whose leader died while ending it wakes its waiters, and is freed", async () => {
    const { leader, one, two, flight } = openThree();
    const { i32 } = one.kernel.views;
    type WaitAsync = (
      words: Int32Array,
      index: number,
      value: number,
    ) => { value: Promise<string> };
    const { waitAsync } = Atomics as unknown as { waitAsync: WaitAsync };
    const woken = waitAsync(
      i32,
      wordOf(one, flight, fl.flightSignal),
      read(one, flight, fl.flightSignal),
    );
    // Its last store: the outcome is written, and nobody was woken.
    Atomics.store(i32, wordOf(one, flight, fl.flightOutcome), fl.flightStored);
    const life = read(one, flight, fl.flightGeneration);
    Atomics.store(
      i32,
      wordOf(one, flight, fl.flightState),
      fl.flightDone | (life << fl.flightStateShift),
    );
    one.verbs.endFlightsOf(leader.kernel.thread);
    expect(await woken.value).toBe("ok");
    expect(read(one, flight, fl.flightOutcome)).toBe(fl.flightStored);
    one.verbs.leaveFlight(flight);
    // The last waiter dies between removing its bit and freeing the entry.
    Atomics.store(i32, wordOf(one, flight, fl.flightWaiting), 0);
    Atomics.store(i32, wordOf(one, flight, fl.flightWaiting) + 1, 0);
    one.verbs.endFlightsOf(two.kernel.thread);
    expect(read(one, flight, fl.flightState)).toBe(fl.flightFree);
    expect(one.flightsTaken()).toBe(0);
  });

  test("is not waited for twice by one thread, nor by its own leader", () => {
    const { leader, one } = openThree();
    expect(enter(one, "a")).toBe(fl.answerTwice);
    expect(enter(leader, "a")).toBe(fl.answerTwice);
  });

  test("that is forced replaces all before it, in any thread, and others join it", () => {
    const { leader, one, two, flight } = openThree();
    two.verbs.leaveFlight(flight);
    const forced = enter(two, "a", { forced: 1 });
    expect(forced).toBeGreaterThanOrEqual(0);
    expect(leader.put("a", "ordinary", { flight })).toBe(at.answerSuperseded);
    leader.verbs.endFlight(flight, fl.flightAgain, 0);
    one.verbs.leaveFlight(flight);
    expect(enter(one, "a")).toBe(follow(forced));
    const newer = enter(leader, "a", { forced: 1 });
    expect(newer).toBeGreaterThanOrEqual(0);
    expect(two.put("a", "forced", { flight: forced })).toBe(at.answerSuperseded);
    const newest = enter(leader, "a", { forced: 1 });
    expect(newest).toBeGreaterThanOrEqual(0);
    expect(leader.put("a", "newer", { flight: newer })).toBe(at.answerSuperseded);
    expect(enter(two, "a")).toBe(follow(newest));
    expect(leader.put("a", "newest", { flight: newest })).toBe(at.answerDone);
  });

  test("is followed by a thread that may not claim, which begins and replaces none", () => {
    const { leader, one, two, flight } = openThree();
    two.verbs.leaveFlight(flight);
    expect(enter(two, "a", { mayClaim: 0 })).toBe(follow(flight));
    expect(enter(two, "b", { mayClaim: 0 })).toBe(fl.answerFull);
    one.verbs.leaveFlight(flight);
    expect(enter(one, "a", { mayClaim: 0, forced: 1 })).toBe(fl.answerFull);
    expect(leader.put("a", "loaded", { flight })).toBe(at.answerDone);
    expect(leader.flightsTaken()).toBe(1);
  });

  test("has no entry when all for its hash are taken, nor without the key's lock", () => {
    const memory = openMemory();
    const [thread, other] = [memory.thread(), memory.thread()];
    thread.verbs.hashKey(...thread.key("a"));
    const { i32 } = thread.kernel.views;
    const block = thread.kernel.block / 4;
    const high = thread.kernel.views.u32[block + at.resultHashHigh / 4] as number;
    const { bucketCount, bucketBase } = memory.geometry;
    const home = Math.floor((high * bucketCount) / 2 ** 32);
    const lock = (bucketBase + home * at.bucketSize + at.bucketLock) / 4;
    Atomics.store(i32, lock, 99);
    expect(enter(thread, "a")).toBe(at.answerBusy);
    Atomics.store(i32, lock, 0);
    for (let taken = 0; taken < fl.flightWindow * fl.flightWindows; taken++) {
      // Fills are not joined.
      expect(thread.verbs.beginFlight(...thread.hashWords("a"))).toBeGreaterThanOrEqual(0);
    }
    expect(enter(other, "a")).toBe(fl.answerFull);
    expect(Atomics.load(i32, lock)).toBe(0);
  });
});
