// Timing. Every contestant runs one batch per round, so that a noisy moment of the machine hits
// them all. The order changes each round: one that follows a contestant that fills the processor's
// caches finds them cold, and one that follows a reader of the same strings finds them warm. One
// batch is one tinybench iteration of thousands of operations, because the two clock reads and the
// call around a task (some 100 ns together) would drown a single get. Called by the suites.

import { Bench } from "tinybench";

import { seededRandom, shuffled } from "./workload.js";

export interface Contestant {
  readonly name: string;
  /** Operations in one batch. */
  readonly size: number;
  /** True if `batch` returns a promise. */
  readonly async: boolean;
  /** Called before each batch, and not timed. */
  readonly prepare?: () => void;
  /** Runs the batch of a round; returns how many operations had the expected answer. */
  readonly batch: (round: number) => number | Promise<number>;
}

/** Nanoseconds per operation over the rounds that counted. */
export interface Timing {
  readonly name: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly rounds: number;
}

const warmupRounds = 3;

/**
 * Times the contestants over `rounds` rounds, after three uncounted ones. Throws if one gives a
 * wrong answer.
 */
export async function timeRounds(
  contestants: readonly Contestant[],
  rounds: number,
): Promise<Timing[]> {
  const samples = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < warmupRounds + rounds; round++) {
    const order = shuffled(contestants.length, seededRandom(round));
    const inTurn = Array.from(order, (index) => contestants[index] as Contestant);
    const times = await timeRound(inTurn, round);
    if (round < warmupRounds) continue;
    for (const [name, time] of times) samples.get(name)?.push(time);
  }
  return contestants.map(({ name }) => summarise(name, samples.get(name) ?? []));
}

async function timeRound(
  order: readonly Contestant[],
  round: number,
): Promise<Map<string, number>> {
  const bench = new Bench({
    iterations: 1,
    time: 0,
    warmup: false,
    throws: true,
    timestampProvider: "hrtimeNow",
  });
  const answers = new Map<string, number>();
  for (const { name, async, batch, prepare } of order) {
    // Collect the garbage of the last contestant, so that the next one does not pay for it. A young
    // collection is enough and quick.
    const beforeEach = (): void => {
      prepare?.();
      globalThis.gc?.({ type: "minor" });
    };
    const run = async
      ? async (): Promise<void> => void answers.set(name, await batch(round))
      : (): void => void answers.set(name, batch(round) as number);
    bench.add(name, run, { async, beforeEach });
  }
  await bench.run();
  const times = new Map<string, number>();
  for (const { name, size } of order) {
    // A cache may have evicted a few entries in a million, as when it was filled.
    if ((answers.get(name) ?? 0) < size * 0.9999) {
      throw new Error(
        `${name} answered ${answers.get(name)} of ${size} as expected in round ${round}`,
      );
    }
    const result = bench.getTask(name)?.result;
    if (result?.state !== "completed") throw new Error(`${name} did not complete round ${round}`);
    times.set(name, (result.latency.min * 1e6) / size);
  }
  return times;
}

function summarise(name: string, samples: readonly number[]): Timing {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? NaN;
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { name, min: at(0), median, max: at(sorted.length - 1), rounds: sorted.length };
}
