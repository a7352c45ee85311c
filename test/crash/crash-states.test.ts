// The share of CI of the proofs of the disk tier in memory: what crashes leave, what damage and
// hostile hands make of files, and that the checkers see faults that are put in on purpose.
// `npm run proof -- crash-states`, `damaged-files`, `disk-mutants` run them for long.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { crashStates } from "../../dist/test/proof/crash-states.js";
import { randomOf } from "./entry-value.js";
import { huntDisk } from "../../dist/test/proof/disk-mutants.js";
import { DamageRunner } from "../../dist/test/proof/disk/damage-runner.js";
import { faultMatrix } from "../../dist/test/proof/fault-matrix.js";
import { diskMutants } from "../../dist/test/proof/disk/disk-mutants.js";
import { type Engine, loadEngine } from "../../dist/test/proof/disk/engine.js";

/** What an idle core does in a minute. */
const states = 10_000;
const flips = 500;
const hostile = 700;
/** Every so many cells of the matrix of faults. */
const cellsStep = 11;

let engine: Engine;

beforeAll(async () => {
  engine = await loadEngine();
});

afterAll(() => {
  engine.remove();
});

test(
  "what crashes leave is opened, and nothing is wrong, old or lost",
  { timeout: 900_000 },
  async () => {
    const account = await crashStates(engine, states, 1);
    expect(account["states"]).toBeGreaterThanOrEqual(states);
    expect(account["again"]).toBeGreaterThan(states / 20);
    expect(account["kept"]).toBeGreaterThan(states);
  },
);

test("a byte that changes makes no answer wrong", { timeout: 300_000 }, async () => {
  const runner = await DamageRunner.make(engine, randomOf(1));
  const masks = [1, 128, 255];
  const step = Math.floor(runner.flipCount(masks) / flips);
  await runner.flips(masks, step, () => undefined);
  expect(runner.account.opens).toBeGreaterThanOrEqual(flips);
  expect(runner.account.refused).toBe(0);
  expect(runner.account.hits).toBeGreaterThan(flips);
});

test("nor do planted and hostile files", { timeout: 300_000 }, async () => {
  const runner = await DamageRunner.make(engine, randomOf(2));
  for (let input = 0; input < hostile; input++) await runner.hurt();
  expect(runner.account.hits).toBeGreaterThan(hostile);
  expect(runner.account.refused).toBeGreaterThan(0);
});

test(
  "whatever call fails, the cache stays right and comes back",
  { timeout: 300_000 },
  async () => {
    const { cells, failed } = await faultMatrix(engine, cellsStep, 1);
    expect(cells).toBeGreaterThan(100);
    expect(failed).toBeGreaterThan(30);
  },
);

describe("the checkers see", () => {
  test.each(diskMutants.map((mutant) => [mutant.name, mutant] as const))(
    "%s: its text is there once",
    (_name, { file, from, to }) => {
      const modules = new URL("../../dist/modules/src/", import.meta.url);
      const text = readFileSync(fileURLToPath(new URL(file, modules)), "utf8");
      expect(text.split(from).length - 1).toBe(1);
      expect(text.replace(from, () => to)).not.toBe(text);
    },
  );

  /** Found within a second; the long command hunts all. */
  const quick = ["no-tombstones", "flush-of-sealed-only", "barrier-before-sync", "names-unsynced"];

  test.each(quick)("%s", { timeout: 300_000 }, async (name) => {
    const mutant = diskMutants.find((one) => one.name === name);
    if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
    expect(await huntDisk(mutant, states, 1)).toMatch(/may be|is lost/);
  });

  test("at least twenty mutants are there", () => {
    expect(diskMutants.length).toBeGreaterThanOrEqual(20);
  });
});
