// The tag table: which tags were invalidated since a record was written, exactly, while the table
// has room; what happens when it has none; and what is left when tags are forgotten.

import { randomBytes } from "node:crypto";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import * as fl from "../../dist/src/kernel/flight-layout.js";
import * as at from "../../dist/src/kernel/layout.js";
import * as tagAt from "../../dist/src/kernel/tag-layout.js";
import { counterTagOverflows } from "../../dist/src/stats/mod.js";
import { openMemory, openThread, type OpenOptions, type Thread } from "./opened-kernel.js";

/** A thread's view of tags by name. */
function tagsOf(thread: Thread) {
  const { verbs, kernel } = thread;
  const hash = (name: string) => {
    const bytes = Buffer.from(name);
    return kernel.tags.hashOf(bytes, 0, bytes.length);
  };
  return {
    invalidate: (name: string, force = 0): number => {
      const { low, high } = hash(name);
      return verbs.invalidateTag(low, high, force);
    },
    restore: (name: string, sequence: number): void => {
      const { low, high } = hash(name);
      verbs.restoreTag(low, high, sequence);
    },
    /** Whether a record with this tag and sequence is void. */
    voids: (name: string, sequence: number): boolean =>
      kernel.tags.areInvalidated(kernel.tags.encode([name]), sequence),
    sequence: (): number => kernel.control.sequence(),
    tracked: (): number => thread.control(at.controlTagsTracked),
    forget: (through: number): number => verbs.forgetTags(0, kernel.geometry.tagBuckets, through),
    overflows: (): number => kernel.total(counterTagOverflows),
    capacity: kernel.tags.capacity,
  };
}

function open(options: OpenOptions = {}) {
  return tagsOf(openThread(options));
}

/** Invalidates until a tag finds no slot; answers those that did. */
function fill(tags: ReturnType<typeof open>): string[] {
  const names: string[] = [];
  while (tags.invalidate(`fill:${names.length}`) === at.answerDone)
    names.push(`fill:${names.length}`);
  return names;
}

/** The displaced counts of all homes together. */
function displaced({ kernel }: Thread): number {
  const { tagBase, tagBuckets } = kernel.geometry;
  let sum = 0;
  for (let bucket = 0; bucket < tagBuckets; bucket++) {
    const word = (tagBase + bucket * tagAt.tagBucketSize + tagAt.tagBucketDisplaced) / 4;
    sum += kernel.views.u32[word] as number;
  }
  return sum;
}

test("a tag voids what was written before, and nothing else", () => {
  const tags = open();
  expect(tags.invalidate("a")).toBe(at.answerDone);
  const first = tags.sequence();
  expect([tags.voids("a", first), tags.voids("a", first + 1)]).toEqual([true, false]);
  expect([tags.voids("b", 1), tags.voids("", 1)]).toEqual([false, false]);
  tags.invalidate("b");
  tags.invalidate("a");
  expect([tags.voids("a", tags.sequence()), tags.voids("b", tags.sequence())]).toEqual([
    true,
    false,
  ]);
  expect(tags.tracked()).toBe(2);
});

test("one of several tags is enough, and a record without the flag has none", () => {
  const { kernel } = openThread();
  const field = kernel.tags.encode(["a", "b", "c"]);
  const { low, high } = kernel.tags.hashOf(Buffer.from("c"), 0, 1);
  expect(kernel.tags.areInvalidated(field, 1)).toBe(false);
  kernel.verbs.invalidateTag(low, high, 0);
  expect(kernel.tags.areInvalidated(field, 1)).toBe(true);
  expect(kernel.tags.areHashesInvalidated(field.subarray(8, 32), 1)).toBe(true);
  expect(kernel.tags.areHashesInvalidated(field.subarray(8, 24), 1)).toBe(false);
});

describe("hashOf()", () => {
  test("differs for names that differ anywhere, however long", () => {
    const { tags } = openThread().kernel;
    for (const length of [1, 8, 183, 184, 185, 191, 192, 193, 376, 377, 1000]) {
      const name = randomBytes(length);
      const { low, high } = tags.hashOf(name, 0, length);
      expect(tags.hashOf(Buffer.from(name), 0, length)).toEqual({ low, high });
      for (const byte of [0, length >> 1, length - 1]) {
        const other = Buffer.from(name);
        other[byte] = (other[byte] as number) ^ 1;
        expect(tags.hashOf(other, 0, length)).not.toEqual({ low, high });
      }
      expect(tags.hashOf(name, 0, length - 1)).not.toEqual({ low, high });
    }
  });

  test("is the same in every thread, and of the cache's seed", () => {
    const memory = openMemory();
    const [one, two] = [memory.thread(), memory.thread()];
    const name = Buffer.from("user:7");
    expect(one.kernel.tags.hashOf(name, 0, 6)).toEqual(two.kernel.tags.hashOf(name, 0, 6));
    const other = openThread({ seed: 8n });
    expect(other.kernel.tags.hashOf(name, 0, 6)).not.toEqual(one.kernel.tags.hashOf(name, 0, 6));
  });
});

test("a full table takes no more, and changes nothing; most of it is taken by then", () => {
  const thread = openThread({ tagBuckets: 64 });
  const tags = tagsOf(thread);
  const names = fill(tags);
  expect(names.length).toBeGreaterThan(tags.capacity * 0.8);
  expect(tags.tracked()).toBe(names.length);
  const before = tags.sequence();
  expect(tags.invalidate(`fill:${names.length}`)).toBe(fl.answerFull);
  expect([tags.sequence(), tags.tracked(), tags.overflows()]).toEqual([before, names.length, 0]);
  expect(thread.kernel.tags.floor()).toBe(0);
  // Those that are there can be invalidated again, and none was lost.
  for (const name of names) expect(tags.voids(name, 1)).toBe(true);
  expect(tags.invalidate(names[3] as string)).toBe(at.answerDone);
  expect(displaced(thread)).toBeGreaterThan(10);
});

test("by force a tag takes the slot of the oldest, which the floor covers", () => {
  const thread = openThread({ tagBuckets: 64 });
  const tags = tagsOf(thread);
  const names = fill(tags);
  const newest = tags.sequence();
  for (let more = 0; more < 40; more++) {
    const record = tags.sequence();
    expect(tags.invalidate(`more:${more}`, 1)).toBe(at.answerDone);
    expect([tags.voids(`more:${more}`, record), tags.voids(`more:${more}`, record + 2)]).toEqual([
      true,
      true,
    ]);
  }
  expect(tags.overflows()).toBeGreaterThan(0);
  const floor = thread.kernel.tags.floor();
  expect(floor).toBeGreaterThan(0);
  // Older tags than the newest of the table: younger records of other tags stay.
  expect(floor).toBeLessThan(newest);
  expect([tags.voids("none", floor), tags.voids("none", floor + 1)]).toEqual([true, false]);
  for (const name of names) expect(tags.voids(name, 1)).toBe(true);
  expect(tags.tracked()).toBeLessThanOrEqual(tags.capacity);
});

test("without the lock the floor rises to the invalidation itself", () => {
  const thread = openThread({ tagBuckets: 2 });
  const tags = tagsOf(thread);
  const { tagBase } = thread.kernel.geometry;
  const { i32 } = thread.kernel.views;
  // Locks of a thread that lives and does not go on.
  for (const bucket of [0, 1]) i32[(tagBase + bucket * tagAt.tagBucketSize) / 4] = 63;
  expect(tags.invalidate("a")).toBe(at.answerDone);
  expect(thread.word(at.resultTagSlot)).toBe(tagAt.noTagSlot);
  const sequence = tags.sequence();
  expect([tags.voids("a", sequence), tags.voids("b", sequence)]).toEqual([true, true]);
  expect([tags.voids("b", sequence + 1), tags.overflows()]).toEqual([false, 1]);
  expect(thread.verbs.beginTagSweep()).toBe(-1);
});

test("forgets what is not above a sequence, and its slots are free again", () => {
  const thread = openThread({ tagBuckets: 16 });
  const tags = tagsOf(thread);
  const names = fill(tags);
  const half = names.length >> 1;
  const through = half * 2;
  expect(tags.forget(through)).toBe(half);
  expect(tags.tracked()).toBe(names.length - half);
  for (const [number, name] of names.entries()) expect(tags.voids(name, 1)).toBe(number >= half);
  expect(tags.forget(through)).toBe(0);
  expect(tags.forget(tags.sequence())).toBe(names.length - half);
  expect([tags.tracked(), displaced(thread)]).toEqual([0, 0]);
  expect(fill(tags)).toEqual(names);
});

test("begins a sweep at the newest sequence, and knows the oldest flight", () => {
  const thread = openThread();
  const tags = tagsOf(thread);
  tags.invalidate("a");
  expect(thread.verbs.beginTagSweep()).toBe(tags.sequence());
  expect(thread.verbs.oldestFlight()).toBe(Infinity);
  const first = thread.verbs.beginFlight(...thread.hashWords("k"));
  const began = tags.sequence();
  tags.invalidate("b");
  const second = thread.verbs.beginFlight(...thread.hashWords("l"));
  expect(thread.verbs.oldestFlight()).toBe(began);
  expect(thread.verbs.supersedeFlights(began)).toBe(0);
  expect(thread.verbs.supersedeFlights(began + 1)).toBe(1);
  expect(thread.verbs.oldestFlight()).toBe(tags.sequence());
  expect(thread.put("k", "old", { flight: first })).toBe(at.answerSuperseded);
  expect(thread.put("l", "new", { flight: second })).toBe(at.answerDone);
  for (const flight of [first, second]) thread.verbs.endFlight(flight, fl.flightAgain, 0);
  expect(thread.verbs.oldestFlight()).toBe(Infinity);
});

test("restores tags and a floor, and a restored table that is full covers the rest", () => {
  const tags = open({ tagBuckets: 2 });
  for (let tag = 0; tag < 30; tag++) tags.restore(`t${tag}`, 100 + tag);
  for (let tag = 0; tag < 30; tag++) {
    expect(tags.voids(`t${tag}`, 100 + tag)).toBe(true);
    expect(tags.voids(`t${tag}`, 131)).toBe(false);
  }
  tags.restore("t29", 50);
  expect(tags.voids("t29", 129)).toBe(true);
  expect(tags.overflows()).toBeGreaterThan(10);
  expect(tags.tracked()).toBeLessThanOrEqual(14);
});

test("is what a map of tags to sequences is, but for what the floor adds", () => {
  const name = fc.integer({ min: 0, max: 40 }).map((number) => `t${number}`);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("invalidate" as const), name }),
    fc.record({ kind: fc.constant("force" as const), name }),
    fc.record({ kind: fc.constant("forget" as const), share: fc.double({ min: 0, max: 1 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const thread = openThread({ tagBuckets: 3 });
      const tags = tagsOf(thread);
      const model = new Map<string, number>();
      for (const one of steps) {
        if (one.kind === "forget") {
          const through = Math.floor(tags.sequence() * one.share);
          tags.forget(through);
          for (const [tag, sequence] of model) if (sequence <= through) model.delete(tag);
        } else if (tags.invalidate(one.name, one.kind === "force" ? 1 : 0) === at.answerDone) {
          model.set(one.name, tags.sequence());
        }
        const floor = thread.kernel.tags.floor();
        for (let number = 0; number <= 40; number++) {
          const tag = `t${number}`;
          const newest = Math.max(model.get(tag) ?? 0, floor);
          const isVoid = [tags.voids(tag, Math.max(1, newest)), tags.voids(tag, newest + 1)];
          expect(isVoid).toEqual([newest > 0, false]);
        }
      }
    }),
    { numRuns: 40 },
  );
});
