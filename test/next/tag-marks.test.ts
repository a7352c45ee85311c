// The marks of tags by themselves, against a list of all invalidations that forgets nothing.
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { marked, softMarksMax, type TagMarks, verdictOf } from "../../dist/src/next/tag-marks.js";
import {
  emptyShard,
  shardTagsMax,
  shardVerdict,
  withMarks,
} from "../../dist/src/next/tag-shard.js";

/** An invalidation at a time, of what may be served as stale for `life`. */
interface Invalidation {
  readonly at: number;
  readonly life: number;
}

const none: TagMarks = { gone: -Infinity, soft: [] };

function marksOf(invalidations: readonly Invalidation[]): TagMarks {
  return invalidations.reduce((marks, { at, life }) => marked(marks, at, life), none);
}

/** What each invalidation says by itself, the strictest. */
function expected(invalidations: readonly Invalidation[], time: number, now: number): string {
  const concerned = invalidations.filter(({ at }) => time <= at);
  if (concerned.some(({ at, life }) => at + life <= now)) return "gone";
  return concerned.length > 0 ? "stale" : "fresh";
}

const strictness = ["fresh", "stale", "gone"];

const histories = (maxLength: number): fc.Arbitrary<Invalidation[]> =>
  fc
    .array(
      fc.record({
        at: fc.integer({ min: 0, max: 60 }),
        life: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 80 }), fc.constant(Infinity)),
      }),
      { maxLength },
    )
    .map((all) => all.toSorted((left, right) => left.at - right.at));

describe("marks", () => {
  test("say what the invalidations of a tag say", () => {
    fc.assert(
      fc.property(
        histories(softMarksMax),
        fc.integer({ min: -1, max: 61 }),
        fc.integer({ min: 0, max: 100 }),
        (history, time, after) => {
          const now = (history.at(-1)?.at ?? 0) + after;
          expect(verdictOf(marksOf(history), time, now)).toBe(expected(history, time, now));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("of more invalidations than there is room for are stricter, and never weaker", () => {
    fc.assert(
      fc.property(
        histories(40),
        fc.integer({ min: -1, max: 61 }),
        fc.integer({ min: 0, max: 100 }),
        (history, time, after) => {
          const now = (history.at(-1)?.at ?? 0) + after;
          const marks = marksOf(history);
          expect(marks.soft.length).toBeLessThanOrEqual(softMarksMax);
          const [said, right] = [verdictOf(marks, time, now), expected(history, time, now)];
          expect(strictness.indexOf(said)).toBeGreaterThanOrEqual(strictness.indexOf(right));
          expect(said === "fresh").toBe(right === "fresh");
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("a soft invalidation does not bring back what one at once has ended", () => {
    const marks = marksOf([
      { at: 10, life: 0 },
      { at: 20, life: 1000 },
    ]);
    expect(verdictOf(marks, 5, 30)).toBe("gone");
    expect(verdictOf(marks, 15, 30)).toBe("stale");
    expect(verdictOf(marks, 15, 1020)).toBe("gone");
    expect(verdictOf(marks, 21, 5000)).toBe("fresh");
  });
});

describe("a shard", () => {
  test("that is full forgets the older half, which its floor covers", () => {
    let shard = emptyShard(-Infinity);
    for (let at = 0; at < shardTagsMax; at++) shard = withMarks(shard, [`t${at}`], at, 0);
    expect(shardVerdict(shard, ["other"], -5, 5000)).toBe("fresh");
    shard = withMarks(shard, ["last"], shardTagsMax, 0);
    expect(shard.marks.size).toBe(shardTagsMax / 2);
    for (let at = 0; at <= shardTagsMax - 1; at++) {
      expect(shardVerdict(shard, [`t${at}`], at, 5000)).toBe("gone");
    }
    // What it remembers concerns no other tag; what it forgot concerns all.
    const floor = shardTagsMax / 2;
    expect(shardVerdict(shard, ["other"], floor, 5000)).toBe("gone");
    expect(shardVerdict(shard, ["other"], floor + 1, 5000)).toBe("fresh");
    expect(shardVerdict(shard, ["last"], shardTagsMax, 5000)).toBe("gone");
  });

  test("says the strictest of its tags", () => {
    const shard = withMarks(withMarks(emptyShard(0), ["soft"], 10, 100), ["hard"], 20, 0);
    expect(shardVerdict(shard, ["soft", "none"], 5, 30)).toBe("stale");
    expect(shardVerdict(shard, ["soft", "hard"], 5, 30)).toBe("gone");
    expect(shardVerdict(shard, ["none"], 5, 30)).toBe("fresh");
    expect(shardVerdict(shard, ["none"], 0, 30)).toBe("gone");
  });
});
