// The tuner: what it chooses, when it keeps its choice, and what it forgets.

import { expect, test } from "vitest";
import { seededRandom } from "../../dist/bench/workload.js";

import { KeyTable } from "../../dist/src/policy/key-table.js";
import {
  candidates,
  candidatesFor,
  loadClassOf,
  loadMsOf,
  LogPolicy,
  SegmentedLog,
  type Setting,
  settingOf,
  Tuner,
  type TunerOptions,
  type Worth,
  worths,
} from "../../dist/src/policy/mod.js";
import { hashesOf, loop, zipf } from "./generated.js";

const keys = 20_000;
const hashes = hashesOf(keys);

function tunedBy(requests: Iterable<number>, options: TunerOptions): Tuner {
  const tuner = new Tuner(options);
  for (const key of requests) tuner.observe(hashes[key] as number, 1);
  return tuner;
}

test("auto begins with the first of its candidates", () => {
  expect(settingOf("auto")).toEqual(candidates[0]);
  expect(new Tuner({ capacity: 100, entries: 100 }).setting).toEqual(candidates[0]);
});

test("a cache below 2,000 entries is simulated whole, a larger one by a sample of keys", () => {
  const maskOf = (entries: number): number => new Tuner({ capacity: entries, entries }).sampleMask;
  expect([1, 1999, 2000, 4000, 1_000_000].map(maskOf)).toEqual([0, 0, 1, 3, 511]);
});

test("it changes from a losing setting to a winning one, and reports that once", () => {
  const [lru, lfu] = [settingOf("lru"), settingOf("lfu")];
  const tuner = new Tuner({ capacity: 100, entries: 100, settings: [lru, lfu] });
  let changes = 0;
  for (const key of loop(0, 150, 20_000)) {
    if (tuner.observe(hashes[key] as number, 1)) changes += 1;
  }
  expect(tuner.setting).toEqual(lfu);
  expect(changes).toBe(1);
  expect(tuner.switches).toBe(1);
});

test("it keeps its setting while requests are lost, and for a while after", () => {
  const [lru, fifo] = [settingOf("lru"), settingOf("fifo")];
  const requests = Array.from(zipf(4000, 40_000, 0.9, 7));
  const tunedWith = (lostOf: (index: number) => number): Tuner => {
    const tuner = new Tuner({ capacity: 400, entries: 400, settings: [fifo, lru] });
    for (const [index, key] of requests.entries()) {
      tuner.noteLost(lostOf(index));
      tuner.observe(hashes[key] as number, 1);
    }
    return tuner;
  };
  // LRU has about a tenth fewer misses: enough where every request is heard.
  expect(tunedWith(() => 0).setting).toEqual(lru);
  const lossy = tunedWith((index) => (index % 10 === 0 ? 1 : 0));
  expect([lossy.setting, lossy.lossyWindows]).toEqual([fifo, 100]);
  // The first windows are lossy only, and those after them count again.
  const late = tunedWith((index) => (index < 1600 && index % 10 === 0 ? 1 : 0));
  expect([late.setting, late.lossyWindows]).toEqual([lru, 0]);
});

test("it leaves a setting that loses by far, although requests are lost", () => {
  const [lru, lfu] = [settingOf("lru"), settingOf("lfu")];
  const tuner = new Tuner({ capacity: 100, entries: 100, settings: [lru, lfu] });
  for (const [index, key] of [...loop(0, 150, 20_000)].entries()) {
    if (index % 10 === 0) tuner.noteLost(1);
    tuner.observe(hashes[key] as number, 1);
  }
  expect(tuner.setting).toEqual(lfu);
});

test("thinned, it samples half as many keys for caches half as large", () => {
  const mask = (thinning: number): number =>
    new Tuner({ capacity: 4000, entries: 4000, thinning }).sampleMask;
  expect([0, 1, 2].map(mask)).toEqual([3, 7, 15]);
});

test("it changes back when the requests do", () => {
  const [lru, lfu] = [settingOf("lru"), settingOf("lfu")];
  const random = seededRandom(5);
  // Each key is requested three times in a short time, and then never again.
  const recent = Array.from(
    { length: 60_000 },
    (_, index) => Math.floor(index / 3) + Math.floor(random() * 60),
  ).filter((key) => key < keys);
  const tuner = tunedBy([...loop(0, 150, 60_000), ...recent], {
    capacity: 100,
    entries: 100,
    settings: [lru, lfu],
  });
  expect(tuner.setting).toEqual(lru);
});

test("settings that are alike do not alternate", () => {
  const settings = [settingOf("s3-fifo"), { ...settingOf("s3-fifo"), smallShare: 0.12 }];
  const tuner = tunedBy(zipf(keys, 100_000, 0.9, 3), { capacity: 200, entries: 200, settings });
  expect(tuner.switches).toBeLessThan(5);
});

test("the same requests give the same settings", () => {
  const requests = zipf(keys, 50_000, 0.7, 9);
  const [one, other] = [0, 1].map(() => tunedBy(requests, { capacity: 300, entries: 300 }));
  expect(one?.setting).toEqual(other?.setting);
  expect(one?.switches).toBe(other?.switches);
});

test("entries smaller than expected are dropped and counted", () => {
  const tuner = new Tuner({ capacity: 20_000, entries: 10 });
  for (let key = 0; key < 1000; key++) tuner.observe(hashes[key] as number, 1);
  expect(tuner.dropped).toBe(1000 - (candidates.length + 2) * (10 + 16));
});

test("auto is not worse than its worst candidate, nor far from the best, on mixed requests", () => {
  const capacity = 500;
  const requests = [
    ...zipf(5000, 60_000, 0.8, 1),
    ...loop(6000, 900, 30_000),
    ...zipf(5000, 60_000, 0.8, 2),
  ];
  const missesWith = (tuner: Tuner | undefined, live: LogPolicy): number => {
    const log = new SegmentedLog(live, { capacity, keys, hashes });
    let misses = 0;
    for (const key of requests) {
      if (tuner?.observe(hashes[key] as number, 1) === true) live.adopt(tuner.setting);
      if (log.hit(key)) continue;
      misses += 1;
      log.insert(key, 1);
    }
    return misses;
  };
  const fixed = candidates.map((candidate) =>
    missesWith(undefined, LogPolicy.alone(candidate, capacity, capacity)),
  );
  const tuner = new Tuner({ capacity, entries: capacity });
  const auto = missesWith(tuner, LogPolicy.alone(settingOf("auto"), capacity, capacity));
  expect(auto).toBeLessThan(Math.min(...fixed) * 1.02);
});

test("a number is kept until it is recycled, and then used again", () => {
  const table = new KeyTable(3);
  const numbers = [11, 22, 33].map((hash) => table.numberOf(hash));
  expect(new Set(numbers).size).toBe(3);
  expect(table.numberOf(44)).toBe(-1);
  expect([11, 22, 33].map((hash) => table.numberOf(hash))).toEqual(numbers);
  table.recycle((number) => number !== numbers[1]);
  expect(table.numberOf(44)).toBe(numbers[1]);
  expect(table.numberOf(33)).toBe(numbers[2]);
  expect(table.numberOf(22)).toBe(-1);
});

test("with worth load-time it chooses the setting that saves time, not loads", () => {
  // A tenth of the keys take a second to load, and each is asked for half as often as the others.
  const requests: (readonly [key: number, loadClass: number])[] = [];
  const random = seededRandom(11);
  for (let at = 0; at < 60_000; at++) {
    const isSlow = random() < 1 / 20;
    const key = Math.floor(random() * (isSlow ? 60 : 540));
    requests.push(isSlow ? [key, 6] : [1000 + key, 2]);
  }
  const [plain, weighed] = [settingOf("lfu"), settingOf("lfu", "load-time")];
  const tunedFor = (worth: Worth): Setting => {
    const tuner = new Tuner({ capacity: 200, entries: 200, settings: [plain, weighed], worth });
    for (const [key, loadClass] of requests) tuner.observe(hashes[key] as number, 1, loadClass);
    return tuner.setting;
  };
  expect(tunedFor("hits")).toEqual(plain);
  expect(tunedFor("load-time")).toEqual(weighed);
});

test("each worth has settings of its own to try, and begins with that of its policy", () => {
  for (const worth of worths) {
    expect(candidatesFor(worth)[0]).toEqual(settingOf("auto", worth));
    expect(new Tuner({ capacity: 10, entries: 10, worth }).setting).toEqual(
      settingOf("auto", worth),
    );
  }
  expect(candidatesFor("bytes").every(({ sizePower }) => sizePower === 0)).toBe(true);
  expect(candidatesFor("hits")).toBe(candidates);
});

test("load times are kept in classes of a factor of four", () => {
  const times = [0, 0.99, 1, 3.9, 4, 15, 16, 63, 64, 255, 256, 1023, 1024, 60_000];
  expect(times.map(loadClassOf)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]);
  for (const loadClass of [2, 3, 4, 5, 6]) expect(loadClassOf(loadMsOf(loadClass))).toBe(loadClass);
});
