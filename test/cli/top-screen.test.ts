// The display of `top` by itself: windows over samples, and quantities.
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { screenOf } from "../../dist/src/cli/top/screen.js";
import {
  bar,
  bytes,
  count,
  duration,
  nanoseconds,
  percent,
  printable,
} from "../../dist/src/cli/top/quantity-words.js";
import { History } from "../../dist/src/cli/top/windows.js";
import { type Cache, openCache } from "../../dist/src/mod.js";
import type { Sample } from "../../dist/src/operators/mod.js";

let cache: Cache;
beforeEach(async () => {
  cache = await openCache({ memory: "4mb" });
});
afterEach(() => cache.close());

const sampleNow = (openMs: number, part: Partial<Sample> = {}): Sample => ({
  v: 2,
  pid: 1,
  node: "v20",
  name: "a",
  path: null,
  openMs,
  stats: structuredClone(cache.stats()),
  keys: [],
  keySamples: 0,
  details: null,
  ...part,
});

function ask(hits: number, misses: number): void {
  cache.set("there", 1);
  for (let call = 0; call < hits; call++) cache.getSync("there");
  for (let call = 0; call < misses; call++) cache.getSync("absent");
}

describe("windows", () => {
  test("are differences over at least so many seconds, as far as there are samples", () => {
    const history = new History();
    expect(history.within(1)).toBeUndefined();
    expect(history.within(Infinity)).toBeUndefined();
    ask(100, 0); // before anybody looked
    history.add(sampleNow(5000), 1000);
    expect(history.within(1)).toBeUndefined();
    expect(history.within(Infinity)).toMatchObject({ requests: 100, hitRatio: 1, seconds: 5 });
    for (let second = 2; second <= 100; second++) {
      ask(3, second <= 95 ? 1 : 0);
      history.add(sampleNow(4000 + second * 1000), second * 1000);
    }
    expect(history.within(1)).toMatchObject({ requests: 3, misses: 0, hitRatio: 1, seconds: 1 });
    expect(history.within(10)).toMatchObject({ requests: 35, hitRatio: 30 / 35, seconds: 10 });
    expect(history.within(60)).toMatchObject({ requests: 235, hitRatio: 180 / 235, seconds: 60 });
    expect(history.within(1000)?.seconds).toBe(60);
    expect(history.within(Infinity)).toMatchObject({ requests: 491, seconds: 104 });
    expect(history.spaceWithin("", 10)).toEqual({ requests: 35, hitRatio: 30 / 35 });
    expect(history.spaceWithin("absent", 10)).toEqual({ requests: 0, hitRatio: null });
  });

  test("are of samples that come late, and without requests have no ratio", () => {
    const history = new History();
    history.add(sampleNow(0), 0);
    history.add(sampleNow(950), 950);
    ask(2, 2);
    history.add(sampleNow(2100), 2100);
    expect(history.within(1)).toMatchObject({ requests: 4, hitRatio: 0.5, seconds: 1.15 });
    history.add(sampleNow(3100), 3100);
    expect(history.within(1)).toMatchObject({ requests: 0, hitRatio: null });
    expect(history.within(1)?.latency).toEqual({
      near: null,
      memory: null,
      disk: null,
      load: null,
    });
  });
});

describe("the display", () => {
  test("shows a longer window when it is longer", () => {
    const history = new History();
    const headOf = (): string[] => {
      const line = screenOf(sampleNow(9000), history).find((each) => each.startsWith("loads/s"));
      return (line ?? "").split(/ {2,}/).slice(1); // the cells
    };
    history.add(sampleNow(0), 0);
    history.add(sampleNow(1000), 1000);
    expect(headOf()).toHaveLength(2); // of 1 s, and since open
    history.add(sampleNow(2000), 2000);
    expect(headOf()).toHaveLength(3);
    for (let second = 3; second <= 16; second++) history.add(sampleNow(0), second * 1000);
    expect(headOf()).toHaveLength(4);
  });

  test("shows a dozen namespaces, those with most bytes, and says how many more", () => {
    for (let space = 0; space < 15; space++) {
      cache.namespace(`space ${space}`).set("key", "x".repeat(100 * space));
    }
    const history = new History();
    const lines = screenOf(sampleNow(1), history);
    const begin = lines.findIndex((line) => line.startsWith("namespace"));
    expect(lines[begin + 1]).toMatch(/^space 14 .* 1$/);
    expect(lines[begin + 12]).toMatch(/^space 3 /);
    expect(lines[begin + 13]).toBe("and 4 more");
  });

  test("cannot be commanded by names", () => {
    const name = "a\u001b[2J\u009b\u202e\n";
    const keys = [{ hash: "0", namespace: name, samples: 1, key: name }];
    const text = screenOf(sampleNow(1, { name, node: name, path: name, keys }), new History());
    expect(text.join("")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text[0]).toMatch(/^a\?\[2J\?\?\? · pid 1 /);
  });

  test("shows quantities in words that fit", () => {
    expect([0, 1.25, 99.95, 12_345.6, 1.5e7, 2e9].map(count)).toEqual([
      "0",
      "1.3",
      "100.0",
      "12,346",
      "15.0 M",
      "2.00 G",
    ]);
    expect([0, 1023, 1536, 200 * 1024, 3 * 1024 ** 3].map(bytes)).toEqual([
      "0 B",
      "1023 B",
      "1.5 KiB",
      "200 KiB",
      "3.0 GiB",
    ]);
    expect([null, 0, 0.98765, 1].map(percent)).toEqual(["–", "0.0 %", "98.8 %", "100.0 %"]);
    expect([5, 1500, 2.5e6, 3e9].map(nanoseconds)).toEqual(["5 ns", "1.5 µs", "2.5 ms", "3.00 s"]);
    expect([999, 61_000, 3_700_000, 9e8].map(duration)).toEqual([
      "0 s",
      "1 min 1 s",
      "1 h 1 min",
      "10 d 10 h",
    ]);
    expect([bar(1, 2, 4), bar(5, 2, 4), bar(1, 0, 4)]).toEqual(["[##..]", "[####]", "[....]"]);
    expect(printable("ä✓日")).toBe("ä✓日");
  });
});
