// The bounds that the options guarantee, as the system sees them: the memory of the process, the
// bytes of the directory, and what is left of a closed cache. Measured in separate processes.

import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { builtDoor, compile, makeScratch, Program, removeScratch } from "../crash/program.js";
import type { Filled, MeasuredOptions, Reopened } from "./measured.js";

const MiB = 1 << 20;
/** What V8's heaps of two threads and the allocator may take beside the budget; it does not grow
 *  with what is written. */
const slackBytes = 16 * MiB;

let scratch = "";
let program = "";

beforeAll(() => {
  scratch = makeScratch();
  program = compile(scratch, new URL(".", import.meta.url), "measured.ts");
});

afterAll(() => {
  removeScratch(scratch);
});

function measure<T>(options: Omit<MeasuredOptions, "door">): Promise<T> {
  return new Program(program, { door: builtDoor, ...options }).result<T>();
}

test.concurrent("ten times the budget in memory only stays within the budget", async () => {
  const memory = 64 * MiB;
  const filled = await measure<Filled>({ task: "fill", memory, disk: null, amount: 10 * memory });
  expect(filled.rssGrowth).toBeLessThan(memory + slackBytes);
});

test.concurrent("ten times the budget with a disk stays within the budget", async () => {
  const memory = 16 * MiB;
  const disk = { path: join(scratch, "memory"), capacity: 32 * MiB };
  const filled = await measure<Filled>({ task: "fill", memory, disk, amount: 10 * memory });
  expect(filled.rssGrowth).toBeLessThan(memory + slackBytes);
  expect(filled.directoryMost).toBeLessThanOrEqual(disk.capacity);
});

test.concurrent.each([2, 5])(
  "ten times %i MiB of disk never take more than that",
  async (megabytes) => {
    const capacity = megabytes * MiB + 12_345;
    const disk = { path: join(scratch, `disk-${megabytes}`), capacity };
    const filled = await measure<Filled>({
      task: "fill",
      memory: MiB,
      disk,
      amount: 10 * capacity,
    });
    expect(filled.directoryMost).toBeLessThanOrEqual(capacity);
    expect(filled.directoryMost).toBeGreaterThan(capacity * 0.8);
  },
);

test.concurrent("twenty caches opened and closed leave nothing behind", async () => {
  const disk = { path: join(scratch, "reopened"), capacity: 2 * MiB };
  const left = await measure<Reopened>({ task: "reopen", memory: MiB, disk, amount: 20 });
  expect(left.descriptors).toBeLessThanOrEqual(0);
  expect(left.threads).toBeLessThanOrEqual(0);
  // Twenty leaked budgets, workers or segment buffers would be more. A thread that has ended leaves
  // a third of a megabyte with the allocator.
  expect(left.rssGrowth).toBeLessThan(slackBytes);
});
