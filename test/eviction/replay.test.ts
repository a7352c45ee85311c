// The engine evicts as the model of its policy does: the same misses on a trace of popular keys,
// scans and a loop. `npm run proof -- replay` does it on real traces.

import { expect, test } from "vitest";

import { replay, replayedPolicies } from "../../dist/test/proof/replayed.js";
import { generatedTrace } from "../../dist/test/proof/trace.js";

const trace = generatedTrace(10_000, 4000, 9);
const timeout = 120_000;
const settings = { entries: 640, sized: false, near: false };

test("each policy misses as often as its model, and no two are alike", { timeout }, async () => {
  const engines: number[] = [];
  for (const policy of replayedPolicies) {
    const { engine, model } = await replay(trace, { ...settings, policy });
    expect([policy, Math.abs(engine - model) < 0.01]).toEqual([policy, true]);
    engines.push(engine);
  }
  engines.sort((left, right) => left - right);
  for (let rank = 1; rank < engines.length; rank++) {
    expect((engines[rank] as number) - (engines[rank - 1] as number)).toBeGreaterThan(0.0003);
  }
});

test("each policy does so with values of many sizes too", { timeout }, async () => {
  const { engine, model } = await replay(trace, { ...settings, policy: "s3-fifo", sized: true });
  expect(Math.abs(engine - model)).toBeLessThan(0.01);
});

test.each(["s3-fifo", "lfu", "sieve"] as const)(
  "with %s also where most hits are near",
  { timeout },
  async (policy) => {
    const { engine, model } = await replay(trace, { ...settings, policy, near: true });
    expect(Math.abs(engine - model)).toBeLessThan(0.01);
  },
);
