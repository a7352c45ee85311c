// Kill -9 between a write to the source and the cache: with guarded writes no later session finds a
// value that the source no longer has, and no reader is given one. With a set after the write, the
// same sessions find some: so the test would notice.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { builtDoor, compile, makeScratch, Program, removeScratch } from "./program.js";
import type { SourceOptions } from "./source-writer.js";

const keys = 24;
const sessionsMax = 40;

let scratch = "";
let program = "";

beforeAll(() => {
  scratch = makeScratch();
  program = compile(scratch, new URL(".", import.meta.url), "source-writer.ts");
});

afterAll(() => {
  removeScratch(scratch);
});

interface Found {
  /** What sessions found at their open, or what readers were given, that was older than the source.
   *  */
  readonly faults: readonly string[];
  /** Entries that sessions found at their open. */
  readonly found: number;
}

async function sessions(
  way: SourceOptions["way"],
  enough: (found: Found) => boolean,
): Promise<Found> {
  const faults: string[] = [];
  let found = 0;
  for (let session = 0; session < sessionsMax; session++) {
    const report = join(scratch, `${way}-${session}`);
    const running = new Program(program, {
      door: builtDoor,
      path: join(scratch, way),
      source: join(scratch, `${way}.source`),
      report,
      keys,
      way,
    } satisfies SourceOptions);
    await running.said("working");
    await sleep(40 + Math.random() * 160);
    running.kill("SIGKILL");
    const { errors } = await running.ended;
    expect(errors).toBe("");
    if (!existsSync(report)) continue;
    for (const line of readFileSync(report, "utf8").split("\n").slice(0, -1)) {
      if (line === "found") found += 1;
      else faults.push(`session ${session}: ${line}`);
    }
    if (enough({ faults, found })) break;
  }
  return { faults, found };
}

test("no guarded write leaves a stale entry", { timeout: 300_000 }, async () => {
  const { faults, found } = await sessions("write", (so) => so.found > 12 * keys);
  expect(faults).toEqual([]);
  expect(found).toBeGreaterThan(keys);
});

test("a set after the write leaves some", { timeout: 300_000 }, async () => {
  const { faults } = await sessions("set", (so) => so.faults.some((line) => line.includes("open")));
  expect(faults.join("\n")).toContain("found at the open");
});
