// Four processes share a directory while owners are killed and processes are reloaded: nothing
// stale, no errors. And a broken cache, which is found. `npm run proof -- sharing` does the
// same for longer.
import { afterAll, describe, expect, test } from "vitest";
import { kinds, type Operation } from "../../dist/test/proof/sharing/operation-log.js";
import { SharingRun } from "../../dist/test/proof/sharing/sharing.js";
import { judge } from "../../dist/test/proof/sharing/staleness.js";
import { brokenCopy, makeScratch, type Patch, removeScratch } from "../crash/program.js";

const run = { processes: 4, ends: 6, everyMs: 800, keys: 24 };

test("nothing stale and no errors, whoever dies", { timeout: 300_000 }, async () => {
  const seed = Number(process.env["HISTORY_SEED"] ?? (Math.random() * 2 ** 31) >>> 0);
  const report = await new SharingRun({ ...run, seed }).run(() => undefined);
  expect({ seed, told: report.told, said: report.said }).toEqual({ seed, told: [], said: [] });
  expect(report).toMatchObject({ faults: 0, killed: run.ends / 2, reloaded: run.ends / 2 });
  expect(report.hits).toBeGreaterThan(500);
  expect(report.awaited).toBeGreaterThan(500);
});

describe("a broken cache is detected", () => {
  const folders: string[] = [];
  afterAll(() => folders.forEach(removeScratch));

  const deaf: Patch = {
    file: "src/processes/process-tier.js",
    from: "if (change !== undefined)",
    to: "if (change === null)",
  };

  test("that keeps in memory what others have ended", { timeout: 300_000 }, async () => {
    const folder = makeScratch();
    folders.push(folder);
    const door = brokenCopy(folder, [deaf]);
    let faults = 0;
    for (let round = 0; faults === 0 && round < 6; round++) {
      const options = { ...run, ends: 0, everyMs: 3000, seed: round + 1, door };
      faults += (await new SharingRun(options).run(() => undefined)).faults;
    }
    expect(faults).toBeGreaterThan(0);
  });
});

describe("the judge", () => {
  let ids = 0;
  const operation = (given: Partial<Operation>): Operation => ({
    id: ids++,
    process: 0,
    kind: kinds.read,
    key: 1,
    begin: 0,
    end: Infinity,
    value: -1,
    load: 0,
    tag: -1,
    ...given,
  });
  const set = (begin: number, end = Infinity, tag = -1) =>
    operation({ kind: kinds.set, begin, end, tag });
  const reads = (write: Operation, begin: number, end: number) =>
    operation({ value: write.id, begin, end });
  const faultsOf = (...operations: Operation[]) => judge(operations).faults;

  test("tells a read after an awaited write, delete, deletion by tag or clear", () => {
    for (const kind of [kinds.set, kinds.delete, kinds.deleteByTag, kinds.clear]) {
      const old = set(1, 2, 3);
      const ended = operation({ kind, key: kind === kinds.deleteByTag ? 3 : 1, begin: 3, end: 4 });
      expect(faultsOf(old, ended, reads(old, 5, 6))).toBe(1);
      expect(faultsOf(old, ended, reads(old, 3.5, 6))).toBe(0);
      expect(faultsOf(old, { ...ended, end: Infinity }, reads(old, 5, 6))).toBe(0);
      expect(faultsOf(old, { ...ended, key: 7 }, reads(old, 5, 6))).toBe(
        kind === kinds.clear ? 1 : 0,
      );
    }
  });

  test("takes a write that was not awaited for older only once it was read", () => {
    const old = set(1);
    const newer = set(3, 4);
    expect(faultsOf(old, newer, reads(old, 5, 6))).toBe(0);
    expect(faultsOf(old, reads(old, 1, 2), newer, reads(old, 5, 6))).toBe(1);
  });

  test("takes a loaded value for as old as the call of its loader", () => {
    const fill = operation({ kind: kinds.fetch, begin: 1, load: 2, end: 9 });
    const deleted = operation({ kind: kinds.delete, begin: 3, end: 4 });
    expect(faultsOf(fill, deleted, reads(fill, 10, 11))).toBe(1);
    expect(faultsOf({ ...fill, load: 3.5 }, deleted, reads(fill, 10, 11))).toBe(0);
  });

  test("tells of values that nobody wrote, of another key, or before they were written", () => {
    const one = set(5, 6);
    expect(faultsOf(one, operation({ value: 9999, begin: 1, end: 2 }))).toBe(1);
    expect(faultsOf(one, operation({ value: one.id, key: 2, begin: 7, end: 8 }))).toBe(1);
    expect(faultsOf(one, reads(one, 1, 2))).toBe(1);
    expect(judge([one, operation({ begin: 7, end: 8 })])).toMatchObject({ misses: 1, faults: 0 });
  });
});
