// The judge of histories, on histories made by hand: it accepts each race that is allowed and
// reports each fault.

import { describe, expect, test } from "vitest";

import {
  atBegin,
  atDeadline,
  atEnd,
  atKey,
  atKind,
  atLoad,
  atTag,
  atTime,
  atValue,
  createRound,
  kindClear,
  kindDelete,
  kindDeleteByTag,
  kindFetch,
  kindRead,
  kindRefused,
  kindSet,
  recordWords,
} from "./operations.js";
import { Judge, type Verdict } from "./zones.js";

/** One operation; its position in the list is its value's number. */
interface Operation {
  readonly kind: number;
  /** Tickets before and after; an end of 0 = it did not return. */
  readonly span: readonly [number, number];
  readonly key?: number;
  /** The position of the write whose value it returned. */
  readonly gave?: number;
  readonly load?: number;
  readonly tag?: number;
  readonly beganUs?: number;
  readonly deadlineUs?: number;
}

type Extras = Omit<Operation, "kind" | "span">;

const set = (from: number, to: number, more: Extras = {}): Operation => ({
  kind: kindSet,
  span: [from, to],
  ...more,
});
const refused = (from: number, to: number): Operation => ({ kind: kindRefused, span: [from, to] });
const remove = (from: number, to: number, more: Extras = {}): Operation => ({
  kind: kindDelete,
  span: [from, to],
  ...more,
});
const clear = (from: number, to: number): Operation => ({ kind: kindClear, span: [from, to] });
const removeTag = (from: number, to: number, tag: number): Operation => ({
  kind: kindDeleteByTag,
  span: [from, to],
  key: tag,
});
const read = (
  gave: number | undefined,
  from: number,
  to: number,
  more: Extras = {},
): Operation => ({
  kind: kindRead,
  span: [from, to],
  ...(gave === undefined ? {} : { gave }),
  ...more,
});
/** A fetch whose loader ran returns its own value unless another is named. */
const fetched = (gave: number, from: number, to: number, load = 0): Operation => ({
  kind: kindFetch,
  span: [from, to],
  gave,
  load,
});

function judge(...operations: readonly Operation[]): Verdict {
  const schema = { threads: 1, operations: operations.length + 8, keys: 4, tags: 4 };
  const round = createRound(schema);
  for (const [index, operation] of operations.entries()) {
    const record = index * recordWords;
    const { kind, span, key, gave, load, tag, beganUs, deadlineUs } = operation;
    round.words[record + atKind] = kind;
    round.words[record + atKey] = key ?? 0;
    round.words[record + atValue] = gave === undefined ? 0 : gave + 1;
    round.words[record + atBegin] = span[0];
    round.words[record + atEnd] = span[1];
    round.words[record + atLoad] = load ?? 0;
    round.words[record + atTag] = tag === undefined ? 0 : tag + 1;
    round.words[record + atTime] = beganUs ?? 0;
    round.words[record + atDeadline] = deadlineUs ?? 0;
  }
  return new Judge(round).verdict();
}

describe("the judge accepts", () => {
  test.each<[string, readonly Operation[]]>([
    ["a read after its write", [set(1, 2), read(0, 3, 4)]],
    ["a miss at any time", [set(1, 2), read(undefined, 3, 4), read(0, 5, 6)]],
    ["a read during its write", [set(1, 4), read(0, 2, 3)]],
    ["the older value while the newer is written", [set(1, 2), set(3, 6), read(0, 4, 5)]],
    ["either of two writes at once", [set(1, 4), set(2, 3), read(0, 5, 6), read(undefined, 7, 8)]],
    [
      "both of two writes, one read before it returned",
      [set(1, 8), set(2, 3), read(1, 4, 5), read(0, 6, 7)],
    ],
    ["a value being deleted", [set(1, 2), remove(3, 6), read(0, 4, 5)]],
    ["a read that began before the delete ended", [set(1, 2), remove(3, 5), read(0, 4, 6)]],
    ["a set during a delete", [remove(1, 4), set(2, 3), read(1, 5, 6)]],
    ["a set during a clear", [clear(1, 4), set(2, 3), read(1, 5, 6)]],
    ["another key's delete", [set(1, 2), remove(3, 4, { key: 1 }), read(0, 5, 6)]],
    ["another tag's deletion", [set(1, 2, { tag: 1 }), removeTag(3, 4, 2), read(0, 5, 6)]],
    ["a deletion by tag of what has none", [set(1, 2), removeTag(3, 4, 0), read(0, 5, 6)]],
    ["a write that did not return", [set(1, 2), set(3, 0), read(1, 4, 5), read(1, 6, 7)]],
    ["a delete that did not return", [set(1, 2), remove(3, 0), read(0, 4, 5)]],
    ["a read that did not return", [set(1, 2), remove(3, 4), read(0, 5, 0)]],
    ["a fill that is read", [fetched(0, 1, 3, 2), read(0, 4, 5)]],
    ["a superseded fill, for who waited for it", [fetched(0, 1, 5, 2), set(3, 4), read(1, 6, 7)]],
    [
      "a fill for who joined before it was superseded",
      [fetched(0, 1, 7, 2), fetched(0, 3, 8), set(4, 5)],
    ],
    [
      "a fill that came after an older value had been missed",
      [set(1, 2), fetched(1, 3, 9, 4), read(0, 5, 6), read(1, 10, 11)],
    ],
    [
      "what a loader brings for others once its own fetch has another answer",
      [set(3, 4), fetched(0, 1, 6, 7), read(0, 8, 9), read(1, 10, 11)],
    ],
    [
      "what a loader brings for others that was called as its own fetch ended",
      [set(3, 4), fetched(0, 1, 7, 6), read(0, 8, 9), read(1, 10, 11)],
    ],
    [
      "a clear between a fetch's other answer and its load",
      [set(1, 2), fetched(0, 1, 4, 7), clear(5, 6), read(1, 8, 9)],
    ],
    [
      "a value read in its last moment",
      [set(1, 2, { deadlineUs: 5000 }), read(0, 3, 4, { beganUs: 5900 })],
    ],
  ])("%s", (_, operations) => {
    expect(judge(...operations).told).toEqual([]);
  });
});

describe("the judge reports", () => {
  test.each<[string, RegExp, readonly Operation[]]>([
    ["an overwritten value", /overwritten/, [set(1, 2), set(3, 4), read(0, 5, 6)]],
    ["a deleted value", /overwritten/, [set(1, 2), remove(3, 4), read(0, 5, 6)]],
    [
      "a value that a refused set took away",
      /overwritten/,
      [set(1, 2), refused(3, 4), read(0, 5, 6)],
    ],
    ["a refused value", /refused/, [refused(1, 2), read(0, 3, 4)]],
    ["a cleared value", /removed/, [set(1, 2), clear(3, 4), read(0, 5, 6)]],
    [
      "a cleared value, read in between too",
      /removed/,
      [set(1, 6), read(0, 2, 3), clear(4, 5), read(0, 7, 8)],
    ],
    ["one of two clears", /removed/, [set(1, 2), clear(3, 6), clear(4, 5), read(0, 7, 8)]],
    [
      "a value deleted by its tag",
      /removed/,
      [set(1, 2, { tag: 2 }), removeTag(3, 4, 2), read(0, 5, 6)],
    ],
    ["a read before the write", /before it was written/, [read(1, 1, 2), set(3, 4)]],
    ["a value of nobody", /nobody/, [read(3, 1, 2)]],
    ["a value of a set that never began", /nobody/, [read(5, 1, 2), set(3, 4)]],
    ["another key's value", /another key/, [set(1, 2, { key: 1 }), read(0, 3, 4)]],
    [
      "an older value after the newer was read",
      /overwritten/,
      [set(1, 2), set(3, 10), read(1, 4, 5), read(0, 6, 7)],
    ],
    [
      "two values in turn",
      /overwritten/,
      [set(1, 9), set(2, 10), read(0, 3, 4), read(1, 5, 6), read(0, 7, 8)],
    ],
    [
      "a value that came back, read twice",
      /overwritten/,
      [set(1, 2), set(3, 8), read(1, 4, 7), read(0, 9, 10)],
    ],
    [
      "an expired value",
      /expired/,
      [set(1, 2, { deadlineUs: 5000 }), read(0, 3, 4, { beganUs: 6100 })],
    ],
    ["a superseded fill", /fill/, [fetched(0, 1, 5, 2), set(3, 4), read(0, 6, 7)]],
    ["a fill that a delete superseded", /fill/, [fetched(0, 1, 5, 2), remove(3, 4), read(0, 6, 7)]],
    ["a fill that a clear superseded", /fill/, [fetched(0, 1, 5, 2), clear(3, 4), read(0, 6, 7)]],
    [
      "a fill handed to who came after it was superseded",
      /fill/,
      [fetched(0, 1, 7, 2), set(3, 4), fetched(0, 5, 8)],
    ],
    [
      "an older value after a fill for others was read",
      /overwritten/,
      [set(1, 2), fetched(0, 3, 4, 5), read(1, 6, 7), read(0, 8, 9)],
    ],
    [
      "a superseded fill for others",
      /fill/,
      [set(1, 2), fetched(0, 3, 4, 5), set(6, 7), read(1, 8, 9)],
    ],
    ["an overwritten fill", /overwritten/, [fetched(0, 1, 3, 2), set(4, 5), read(0, 6, 7)]],
    [
      "an older value after a fill was read",
      /overwritten/,
      [set(1, 2), fetched(1, 3, 5, 4), read(1, 6, 7), read(0, 8, 9)],
    ],
  ])("%s", (_, words, operations) => {
    const { faults, told } = judge(...operations);
    expect(told.join("\n")).toMatch(words);
    expect(faults).toBeGreaterThan(0);
  });
});

test("keys are judged separately, and everything is counted", () => {
  const verdict = judge(
    set(1, 2, { key: 0 }),
    set(3, 4, { key: 1 }),
    read(0, 5, 6, { key: 0 }),
    read(1, 7, 8, { key: 1 }),
    read(undefined, 9, 10),
    fetched(5, 11, 13, 12),
    clear(14, 15),
  );
  expect(verdict).toEqual({
    operations: 7,
    reads: 4,
    misses: 1,
    writes: 2,
    fills: 1,
    byTag: 0,
    faults: 0,
    told: [],
  });
});
