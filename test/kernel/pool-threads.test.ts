// The thread ids of the pool's workers, beyond those of the user's threads: 64 threads attached
// leave them room, and their ends disturb none who waits for a flight.
import { describe, expect, test } from "vitest";
import * as fl from "../../dist/src/kernel/flight-layout.js";
import * as at from "../../dist/src/kernel/layout.js";
import { flightWordAt } from "../../dist/test/proof/flight-words.js";
import { openMemory, type Thread } from "./opened-kernel.js";

const full = expect.objectContaining({ code: "ERR_TOO_MANY_THREADS" }) as unknown as Error;

function waitingBits(thread: Thread, flight: number): bigint {
  const { buffer } = thread.kernel.views.u8;
  const word = flightWordAt(buffer, flight, fl.flightWaiting) / 8;
  return Atomics.load(new BigUint64Array(thread.kernel.views.i32.buffer), word);
}

describe("the pool's thread ids", () => {
  test("are there when all of the user's are taken, and store", () => {
    const memory = openMemory();
    const users = Array.from({ length: at.userThreadsMax }, () => memory.thread());
    expect(() => memory.thread()).toThrow(full);
    const workers = Array.from({ length: at.poolThreadsMax }, () => memory.poolThread());
    expect(workers.map(({ kernel }) => kernel.thread)).toEqual([64, 65, 66, 67]);
    expect(() => memory.poolThread()).toThrow(full);
    for (const [number, worker] of workers.entries()) {
      expect(worker.put(`k${number}`, `v${number}`)).toBe(at.answerDone);
      expect(users.at(-1)?.get(`k${number}`)).toBe(`v${number}`);
    }
  });

  test("are never given to a thread of the user's; a worker may take one of theirs", () => {
    const memory = openMemory();
    const users = Array.from({ length: at.userThreadsMax }, () => memory.thread());
    const workers = Array.from({ length: at.poolThreadsMax }, () => memory.poolThread());
    workers[1]?.kernel.detach();
    expect(() => memory.thread()).toThrow(full);
    expect(memory.poolThread().kernel.thread).toBe(65);
    users[5]?.kernel.detach();
    expect(memory.poolThread().kernel.thread).toBe(5);
  });

  test("are no bits of a flight's waiters: a worker's end leaves them alone", () => {
    const memory = openMemory();
    const [follower, leader] = [memory.thread(), memory.thread()];
    const words = leader.hashWords("a");
    const flight = leader.verbs.enterFlight(...words, 0, 1, 1000);
    expect(follower.verbs.enterFlight(...words, 0, 1, 1000)).toBe(fl.answerFollow - flight);
    const announced = Atomics.load(follower.kernel.views.i32, at.controlFlightThreads / 4);
    // Their ids, less 64, are those of the follower and the leader.
    for (const worker of [memory.poolThread(), memory.poolThread()]) worker.kernel.detach();
    expect(waitingBits(follower, flight)).toBe(1n);
    expect(Atomics.load(follower.kernel.views.i32, at.controlFlightThreads / 4)).toBe(announced);
    // A write of the key still supersedes the load.
    expect(follower.put("a", "newer")).toBe(at.answerDone);
    expect(leader.put("a", "loaded", { flight })).toBe(at.answerSuperseded);
  });
});
