// What an owner remembers: who ended what lately, and who loads which key; and what a process knows
// of its lease.
import { describe, expect, test } from "vitest";
import { LeaseWords } from "../../dist/src/processes/lease-words.js";
import { type LeaseHolder, LoadLeases } from "../../dist/src/processes/load-leases.js";
import { RecentEnds } from "../../dist/src/processes/recent-ends.js";

describe("recent ends", () => {
  const [one, other] = [{}, {}];

  test("by others count from the one after what was seen; own ones never", () => {
    const ends = new RecentEnds();
    expect(ends.note("a", one)).toBe(1);
    expect(ends.note("b", other)).toBe(2);
    expect(ends.hasOthers("a", one, 0)).toBe(false);
    expect(ends.hasOthers("a", other, 0)).toBe(true);
    expect(ends.hasOthers("a", other, 1)).toBe(false);
    expect([ends.hasAny("a", 0), ends.hasAny("a", 1), ends.hasAny("c", 0)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(ends.number).toBe(2);
  });

  test("by another are not hidden by own ones that come later", () => {
    const ends = new RecentEnds();
    ends.note("a", other);
    ends.note("a", one);
    ends.note("a", one);
    expect(ends.hasOthers("a", one, 0)).toBe(true);
    expect(ends.hasOthers("a", one, 1)).toBe(false);
    expect(ends.hasOthers("a", other, 2)).toBe(true);
  });

  test("that were forgotten count as ended by another", () => {
    const ends = new RecentEnds(0, 2);
    for (const id of ["a", "b", "c"]) ends.note(id, one);
    expect(ends.hasOthers("z", one, 0)).toBe(true);
    expect(ends.hasAny("z", 0)).toBe(true);
    expect(ends.hasOthers("z", one, 1)).toBe(false);
    expect(ends.hasOthers("c", other, 1)).toBe(true);
  });
});

describe("leases of loads", () => {
  const holder = (): LeaseHolder & { freedKeys: string[] } => {
    const freedKeys: string[] = [];
    return { freedKeys, freed: (key) => freedKeys.push(key.toString()) };
  };
  const key = Buffer.from("k");

  test("are given to one at a time; who waits is told when they are released", () => {
    const leases = new LoadLeases();
    const [one, other] = [holder(), holder()];
    expect(leases.ask("k", key, "t1", one)).toBe(0);
    expect(leases.isHeldBy("k", "t1")).toBe(true);
    expect(leases.ask("k", key, "t2", other)).toBeGreaterThan(0);
    leases.release("k", "t2");
    expect(other.freedKeys).toEqual([]);
    leases.release("k", "t1");
    expect(other.freedKeys).toEqual(["k"]);
    expect(leases.ask("k", key, "t2", other)).toBe(0);
    expect(leases.size).toBe(1);
  });

  test("end with their holder, and those that wait with it are not told", () => {
    const leases = new LoadLeases();
    const [one, other] = [holder(), holder()];
    leases.ask("k", key, "t1", one);
    leases.ask("k", key, "t2", other);
    leases.drop(other);
    leases.drop(one);
    expect([leases.size, other.freedKeys.length, one.freedKeys.length]).toEqual([0, 0, 0]);
  });
});

test("a lease is held until its time, and not once it is ended; other threads see it", () => {
  const words = new LeaseWords();
  const thread = new LeaseWords(words.buffer);
  expect(thread.isHeld()).toBe(false);
  words.extend(Number.MAX_SAFE_INTEGER);
  expect(thread.isHeld()).toBe(true);
  words.extend(0.001);
  expect(thread.isHeld()).toBe(false);
  words.extend(Number.MAX_SAFE_INTEGER);
  words.end();
  expect(thread.isHeld()).toBe(false);
  words.role = "guest";
  words.add("requests", 3);
  words.set("guests", 2);
  expect(thread.totals()).toMatchObject({ role: "guest", requests: 3, guests: 2, failures: 0 });
});
