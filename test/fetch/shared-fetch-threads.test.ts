// One load of a key over real threads: side by side, and when the loading thread dies or blocks.

import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, test } from "vitest";
import * as fl from "../../dist/src/kernel/flight-layout.js";
import { flightCountOf, flightWordAt } from "../../dist/test/proof/flight-words.js";
import type { Cache } from "../../dist/src/mod.js";
import { flightsProof } from "../../dist/test/proof/flights.js";
import { open, setUpCaches, until } from "../cache/opened.js";

const threads: Worker[] = [];

setUpCaches();
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.terminate()));
});

const gate = 0;
/** The lease of a load with a hard timeout of 4 s: half of it. */
const leaseMs = 2000;
/** Word n counts the loader calls of key "k<n>"; word 0 is the gate. */
const boardWords = 1024;

type Board = Int32Array<SharedArrayBuffer>;

function makeBoard(): Board {
  return new Int32Array(new SharedArrayBuffer(boardWords * 4));
}

/** A thread that fetches keys with a loader of loading-thread.mjs. */
class Loading {
  readonly worker: Worker;
  #ready: Promise<unknown>;

  constructor(cache: Cache, board: Board, name: string) {
    const workerData = { handle: cache.handle(), board: board.buffer, name };
    this.worker = new Worker(new URL("loading-thread.mjs", import.meta.url), { workerData });
    threads.push(this.worker);
    this.#ready = this.#answer();
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.worker.once("message", ({ values, error }: { values: unknown; error?: Error }) => {
        if (error === undefined) resolve(values);
        else reject(error);
      });
    });
  }

  /** The values, in order. One call at a time. */
  async fetch(keys: readonly string[], loader: string, options = {}): Promise<unknown> {
    await this.#ready;
    const answer = this.#answer();
    this.worker.postMessage({ keys, loader, options });
    return answer;
  }
}

const names = ["a", "b", "c", "d"];

function openGate(board: Board): void {
  Atomics.store(board, gate, 1);
  Atomics.notify(board, gate);
}

describe("threads that fetch the same keys at once", () => {
  test.each([[{}], [{ near: false as const }]])("run one loader per key (%j)", async (options) => {
    const cache = await open({ memory: "8mb", ...options });
    const board = makeBoard();
    const all = names.map((name) => new Loading(cache, board, name));
    const keys = Array.from({ length: 200 }, (_, index) => `k${index + 1}`);
    const answers = await Promise.all(all.map((thread) => thread.fetch(keys, "counted")));
    const { loads, coalescedLoads, hits, misses, flights } = cache.stats();
    expect(Array.from(board.subarray(1, keys.length + 1))).toEqual(keys.map(() => 1));
    expect(loads).toBe(keys.length);
    expect(answers[0]).toMatchObject(keys.map((key) => ({ key })));
    for (const values of answers) expect(values).toEqual(answers[0]);
    expect(hits.total + misses).toBe(keys.length * names.length);
    // No thread asked twice for a key, so none waited for its own load.
    expect(flights).toEqual({
      coalescedAcross: coalescedLoads,
      takeovers: 0,
      leaseExpiries: 0,
      queued: 0,
      cycles: 0,
      alone: { full: 0, busy: 0, twice: 0, unstored: 0 },
    });
  });
});

/** One thread that loads "k1", and three that wait for it. */
async function openLoading(loader: string, timeout: string) {
  const cache = await open();
  const board = makeBoard();
  const [leader, ...others] = names.map((name) => new Loading(cache, board, name)) as [
    Loading,
    ...Loading[],
  ];
  // The others are attached before the leader may block.
  await Promise.all(others.map((thread, index) => thread.fetch([`k${index + 10}`], "quick")));
  const leading = leader.fetch(["k1"], loader, { timeout });
  await until(() => board[1] === 1);
  const following = Promise.all(others.map((thread) => thread.fetch(["k1"], "quick")));
  await until(() => cache.stats().flights.coalescedAcross === 3);
  return { cache, board, leader, leading, following };
}

/** All get the one value of the thread that took over, and that value is stored. */
async function expectTakenOver(cache: Cache, board: Board, following: Promise<unknown>) {
  const values = ((await following) as string[][]).flat();
  expect(new Set(values).size).toBe(1);
  expect(names.slice(1)).toContain(values[0]);
  expect(cache.getSync("k1")).toBe(values[0]);
  expect(board[1]).toBe(2);
  expect(cache.stats().flights.takeovers).toBe(1);
  return values[0];
}

describe("a load is taken over by exactly one waiting thread", () => {
  test("when the loading thread is terminated", async () => {
    const { cache, board, leader, following } = await openLoading("gated", "4s");
    await leader.worker.terminate();
    await expectTakenOver(cache, board, following);
  });

  test("when its event loop blocks, and its late value is not stored", async () => {
    const { cache, board, leading, following } = await openLoading("blocking", "4s");
    const value = await expectTakenOver(cache, board, following);
    expect(cache.stats().flights.leaseExpiries).toBe(1);
    openGate(board);
    expect(await leading).toEqual(["a"]);
    expect(cache.getSync("k1")).toBe(value);
    expect(cache.stats().fillsSuperseded).toBe(1);
  });
});

/** The end of the lease of the one load that is under way, in milliseconds of the shared clock. */
function leaseOf(cache: Cache): number {
  const { buffer } = cache.handle().worker.memory;
  const ends = Array.from({ length: flightCountOf(buffer) }, (_, flight) => {
    const wordAt = (field: number): number => flightWordAt(buffer, flight, field);
    const state = new Int32Array(buffer)[wordAt(fl.flightState) / 4] as number;
    const isActive = (state & fl.flightStateMask) === fl.flightActive;
    return isActive ? (new Float64Array(buffer)[wordAt(fl.flightLease) / 8] as number) : 0;
  }).filter((end) => end !== 0);
  expect(ends).toHaveLength(1);
  return ends[0] as number;
}

test("a load longer than its lease stays with its thread while that is alive", async () => {
  const { cache, board, leading, following } = await openLoading("gated", "4s");
  // Once it was renewed for as long again, the first lease has ended.
  const first = leaseOf(cache);
  await until(() => leaseOf(cache) >= first + leaseMs);
  openGate(board);
  expect(await leading).toEqual(["a"]);
  expect(await following).toEqual([["a"], ["a"], ["a"]]);
  expect(board[1]).toBe(1);
  expect(cache.stats().flights).toMatchObject({ takeovers: 0, leaseExpiries: 0 });
});

test("threads that fetch, delete, clear and die pass the flights proof for 5 seconds", async () => {
  const shown = await flightsProof.run({ seconds: 5, threads: 4, keys: 6, killMs: 2000 }, () => {});
  expect(shown).toMatch(/^[1-9]\d* fetches, [1-9]\d* loads, [1-9]\d* waits across threads/);
});
