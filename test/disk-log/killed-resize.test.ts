// A kill -9 at each step of a change of the disk's capacity. The janitor copies its directory after
// each call that changes a file, while the cache is written to: each copy is what a kill there
// leaves. None may bring back what was overwritten or deleted before it was made.

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";

import { expect, onTestFinished, test } from "vitest";

import type * as Undercroft from "../../dist/src/mod.js";
import { brokenCopy, makeScratch, type Patch, removeScratch } from "../crash/program.js";
import { copyAsKilled } from "../directory/copied.js";
import { bytesIn } from "../directory/scratch-directory.js";
import { names, open, scratchDirectory, textOf } from "./scratch-cache.js";

const large = "2mb";
const small = "1200kb";
const capacities = { now: large, most: large } as const;
const valueBytes = 1000;

/** Makes a janitor copy the directory named in the file `armed` after each call that changes a
 *  file, into folders `0`, `1` and so on of `copies`. */
function copying(armed: string, copies: string): Patch {
  const text = `
import fs from "node:fs";
let isCopying = false;
let count = 0;
const { cpSync, existsSync, readFileSync } = fs;
const copy = () => {
  if (isCopying || !existsSync(${JSON.stringify(armed)})) return;
  isCopying = true;
  const filter = (file) => !file.includes("undercroft.lock");
  const from = readFileSync(${JSON.stringify(armed)}, "utf8");
  cpSync(from, ${JSON.stringify(copies)} + "/" + count++, { recursive: true, filter });
  isCopying = false;
};
for (const name of ["writeSync", "ftruncateSync", "fsyncSync", "unlinkSync"]) {
  const real = fs[name];
  fs[name] = (...given) => {
    const answer = real(...given);
    copy();
    return answer;
  };
}
`;
  const from = "carry([]);";
  return { file: "workers/janitor.js", from, to: text + from };
}

/** A write or delete, and the first copy that was made after it had returned. */
interface Change {
  readonly version: number;
  readonly isDelete: boolean;
  readonly copy: number;
}

interface Session {
  readonly changes: ReadonlyMap<string, readonly Change[]>;
  readonly copies: string;
}

/** Changes the capacity under writes and deletes; each step is copied. */
async function resized(from: string, to: string, patches: readonly Patch[]): Promise<Session> {
  const scratch = makeScratch();
  onTestFinished(() => removeScratch(scratch));
  const [armed, copies] = [join(scratch, "armed"), join(scratch, "copies")];
  mkdirSync(copies);
  const door = brokenCopy(scratch, [copying(armed, copies), ...patches]);
  const { openCache } = (await import(door)) as typeof Undercroft;
  const path = scratchDirectory();
  const disk = { path, capacity: { now: from, most: large }, preload: false as const };
  const cache = await openCache<string>({ near: false, memory: "1mb", disk });
  const changes = new Map<string, Change[]>();
  let version = 0;
  const change = (key: string, isDelete: boolean): void => {
    version += 1;
    const outcome = isDelete ? undefined : cache.set(key, textOf(key, version, valueBytes));
    if (isDelete) cache.delete(key);
    const copy = readdirSync(copies).length;
    const list = changes.get(key) ?? [];
    changes.set(key, list);
    list.push({ version, isDelete: isDelete || outcome !== "stored", copy });
  };
  const keys = names("key", 900);
  for (const [index, key] of keys.entries()) {
    change(key, false);
    if (index % 50 === 49) await cache.flush();
  }
  writeFileSync(armed, path);
  let isOver = false;
  const done = cache.resize({ disk: to }).finally(() => (isOver = true));
  // A change between two copies, so that there are not many more copies than steps.
  let seen = -1;
  for (let number = 1; !isOver; await turn()) {
    const count = readdirSync(copies).length;
    if (count === seen) continue;
    seen = count;
    number = (number * 31 + 7) % keys.length;
    change(keys[number]!, number % 2 === 0);
  }
  rmSync(armed);
  expect((await done).disk?.now).toBeGreaterThan(0);
  await cache.close();
  return { changes, copies };
}

/** Opens a copy as a kill left it, and says what is wrong. */
async function faultsOf({ changes, copies }: Session, copy: number): Promise<string[]> {
  const path = scratchDirectory();
  await copyAsKilled(join(copies, String(copy)), path);
  const capacity = copy % 2 === 0 ? capacities : { now: small, most: large };
  const cache = await open<string>({ memory: "1mb", disk: { path, capacity, preload: false } });
  const faults: string[] = [];
  for (const [key, list] of changes) {
    const value = await cache.get(key);
    if (value === undefined) continue;
    const past = list.findLast((change) => change.copy <= copy);
    const isRight = list.some(
      ({ version, isDelete }) =>
        !isDelete && version >= (past?.version ?? 0) && value === textOf(key, version, valueBytes),
    );
    if (!isRight) faults.push(`${key} is ${value.slice(0, 20)} in copy ${copy}`);
  }
  const { limitBytes } = cache.stats().disk!;
  if (bytesIn(path) > limitBytes) faults.push(`copy ${copy} takes ${bytesIn(path)} bytes`);
  if (cache.recovery?.kind !== "scan") faults.push(`copy ${copy} was ${cache.recovery?.reason}`);
  await cache.close();
  return faults;
}

async function allFaults(session: Session): Promise<string[]> {
  const faults: string[] = [];
  for (let copy = 0; existsSync(join(session.copies, String(copy))); copy++) {
    faults.push(...(await faultsOf(session, copy)));
  }
  return faults;
}

test.each([
  [small, large, 10],
  [large, small, 30],
])("a kill at any step from %s to %s", async (from, to, stepsLeast) => {
  const session = await resized(from, to, []);
  expect(readdirSync(session.copies).length).toBeGreaterThan(stepsLeast);
  expect(await allFaults(session)).toEqual([]);
});

test("these kills find a file that is emptied without being void first", async () => {
  const patch = {
    file: "src/disk-log/reclaimer.js",
    from: "voidSegment(this.#disk.files.fd(segment), this.#device);",
    to: "",
  };
  const session = await resized(large, small, [patch]);
  expect(await allFaults(session)).not.toEqual([]);
});
