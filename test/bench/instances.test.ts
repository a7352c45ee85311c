// The model of many instances that bench/machines/simulate.js runs: what it says can be repeated,
// and keeps the bounds that it stands for.
import { expect, test } from "vitest";
import { type Design, EventQueue, simulate } from "../../dist/bench/machines/instances.js";

const news: Design = { kind: "news", ttlMs: 60_000, newsMs: 2, lossShare: 0, reloadMs: 0 };
const ttl: Design = { ...news, kind: "ttl", ttlMs: 2000 };

test("events come in the order of their times, and those of one time as they were added", () => {
  const queue = new EventQueue<string>();
  for (const [atMs, event] of [
    [5, "d"],
    [1, "a"],
    [3, "b"],
    [3, "c"],
    [9, "e"],
  ] as const) {
    queue.add(atMs, event);
  }
  const taken = Array.from({ length: 6 }, () => queue.take()?.event);
  expect(taken).toEqual(["a", "b", "c", "d", "e", undefined]);
});

test("a run can be repeated", () => {
  expect(simulate(40, { ...news, lossShare: 0.1 })).toEqual(
    simulate(40, { ...news, lossShare: 0.1 }),
  );
});

test("a time to live bounds how old an answer is, and so do news that are cut off", () => {
  const late = simulate(60, ttl);
  expect(late.stalePercent).toBeGreaterThan(0);
  // An entry may be as old as its load and its time to live.
  expect(late.staleMaxMs).toBeLessThanOrEqual(2000 + 30);
  const cut = simulate(60, { ...news, lossShare: 0.5 });
  expect(cut.stalePercent).toBeGreaterThan(0);
  expect(cut.staleMaxMs).toBeLessThanOrEqual(2000);
});

test("a shared tier saves loads, and news save those that a short time to live costs", () => {
  const alone = simulate(60, { ...ttl, kind: "alone" });
  const [shared, told] = [simulate(60, ttl), simulate(60, news)];
  expect(shared.loads).toBeLessThan(alone.loads);
  expect(told.loads).toBeLessThan(shared.loads);
  expect(told.stalePercent).toBeLessThan(shared.stalePercent);
});
