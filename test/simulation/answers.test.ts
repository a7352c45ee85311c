// What the simulator makes of its outcomes: a suggestion and a plot.

import { expect, test } from "vitest";

import type { Worth } from "../../dist/src/policy/mod.js";
import { type Outcome, plotCurves, sizeWords, suggest } from "../../dist/src/simulation/mod.js";

function outcome(policy: Outcome["policy"], capacity: number, missRatio: number): Outcome {
  return {
    trace: "a<b",
    waitRatio: null,
    waitMs: null,
    policy,
    worth: "hits",
    size: capacity / 1000,
    capacity,
    requests: 100,
    misses: missRatio * 100,
    missRatio,
    byteMissRatio: missRatio,
  };
}

const outcomes = [
  outcome("auto", 10, 0.6),
  outcome("lfu", 10, 0.55),
  outcome("belady", 10, 0.1),
  outcome("auto", 100, 0.2),
  outcome("lfu", 100, 0.1995),
  outcome("auto", 500, 0.1),
  outcome("lfu", 500, 0.05),
];

test("the smallest cache that reaches the target is suggested, half its hits in memory", () => {
  expect(suggest(outcomes, { hitRatio: 0.8 })).toMatchObject({
    policy: "auto",
    worth: "hits",
    capacity: 100,
    memory: 10,
    hitRatio: 0.8,
  });
  expect(suggest(outcomes, { hitRatio: 0.92 })).toMatchObject({
    policy: "lfu",
    capacity: 500,
    memory: 100,
    hitRatio: 0.95,
  });
});

test("a target of hits is met by the best policy, though auto is a thousandth from it", () => {
  expect(suggest(outcomes, { hitRatio: 0.8004 })?.policy).toBe("lfu");
});

test("for a wait, the worth that waits least is suggested", () => {
  const timed = (worth: Worth, capacity: number, waitMs: number) => ({
    ...outcome("auto", capacity, 0.2),
    worth,
    waitMs,
    waitRatio: waitMs / 100,
  });
  const all = [timed("hits", 10, 9), timed("load-time", 10, 5), timed("hits", 100, 4)];
  expect(suggest(all, { waitMs: 5 })).toMatchObject({
    worth: "load-time",
    capacity: 10,
    waitMs: 5,
  });
  expect(suggest(all, { waitMs: 4 })).toMatchObject({ worth: "hits", capacity: 100 });
  expect(suggest(all, { waitMs: 3 })).toBeUndefined();
});

test("neither a bound nor an unreachable target is suggested", () => {
  expect(suggest(outcomes, { hitRatio: 0.44 })?.policy).toBe("lfu");
  expect(suggest(outcomes, { hitRatio: 0.96 })).toBeUndefined();
  expect(suggest([outcome("belady", 10, 0)], { hitRatio: 0.5 })).toBeUndefined();
});

test("sizes are printed as options accept them, rounded up", () => {
  expect([5, 1024, 1025, 1 << 20, (1 << 20) + 1].map(sizeWords)).toEqual([
    "5",
    "1kb",
    "2kb",
    "1mb",
    "2mb",
  ]);
});

test("a plot has a line for each policy and a point for each size, and escapes names", () => {
  const svg = plotCurves(outcomes);
  const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map((match) => match[1] ?? "");
  expect(lines.map((line) => line.split(" ").length)).toEqual([3, 3, 1]);
  expect(svg).toContain("a&lt;b");
  expect(svg).not.toContain("a<b");
  expect(svg).not.toContain("NaN");
  expect(plotCurves([outcome("auto", 10, 0.5)])).not.toContain("NaN");
});
