// Kill -9 and other ends of a process at random moments: in the middle of work, of an open, of a
// close. After each end the next session of the directory reads every key, and the judge checks the
// guarantees. The seed of a run is printed with every fault.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { randomOf } from "./entry-value.js";
import { type Account, Judge } from "./judge.js";
import {
  brokenCopy,
  builtDoor,
  compile,
  makeScratch,
  type Patch,
  Program,
  removeScratch,
} from "./program.js";
import type { Movements, WriterOptions } from "./writer.js";

type End = "work" | "opening" | "closing" | "closed" | "exit" | "throw" | "SIGTERM";

/** How much of everything there is. */
interface Room {
  readonly memory: string;
  readonly capacity: string;
  readonly keys: number;
  readonly bytesMax: number;
  readonly neverEvicts: boolean;
  /** Each session has another of two keys. */
  readonly isEncrypted?: boolean;
}

/** Memory evicts and the disk reclaims, so that everything moves. */
const tight: Room = {
  memory: "1mb",
  capacity: "2mb",
  keys: 1200,
  bytesMax: 3000,
  neverEvicts: false,
};
/** Nothing has to be evicted, so nothing flushed may be lost. */
const spare: Room = {
  memory: "4mb",
  capacity: "32mb",
  keys: 200,
  bytesMax: 2000,
  neverEvicts: true,
};

/** Most rounds end during work. Two rounds in a row that end during an open crash the recovery from
 *  a crash. */
const ends: readonly End[] = [
  ..."work opening opening work closing work exit work closed work throw".split(" "),
  ..."work opening closing work SIGTERM closed opening work work".split(" "),
] as readonly End[];

let scratch = "";
let program = "";

beforeAll(() => {
  scratch = makeScratch();
  const folder = new URL(".", import.meta.url);
  program = compile(scratch, folder, "writer.ts", "entry-value.ts");
});

afterAll(() => {
  removeScratch(scratch);
});

/** Starts a session, lets it end and checks how it really ended. The moment of a kill is random;
 *  nothing waits for it. */
async function live(options: WriterOptions, end: End, delayMs: number): Promise<void> {
  const running = new Program(program, options);
  if (end === "work" || end === "SIGTERM") {
    await running.said("working");
    await sleep(delayMs);
    running.kill(end === "work" ? "SIGKILL" : "SIGTERM");
  } else if (end === "opening" || end === "closing") {
    await running.said(end);
    await sleep(delayMs / 6);
    running.kill("SIGKILL");
  }
  const { code, signal, errors } = await running.ended;
  const words = `${code ?? signal}: ${errors}`;
  if (end === "closed" || end === "exit") expect(words).toBe("0: ");
  else if (end === "throw") expect(words).toContain("on purpose");
  else if (code !== null) expect(words).toBe("0: "); // It was done before the signal came.
}

interface Outcome {
  readonly faults: readonly string[];
  readonly account: Account;
  readonly moves: Movements;
}

/** Many sessions of one directory; the last one only reads. */
async function sessions(
  name: string,
  room: Room,
  rounds: readonly End[],
  door = builtDoor,
): Promise<Outcome> {
  const seed = Number(process.env["CRASH_SEED"] ?? (Math.random() * 2 ** 32) >>> 0);
  const random = randomOf(seed);
  const judge = new Judge(room.neverEvicts);
  const moves = {
    demotions: 0,
    promotions: 0,
    reinsertions: 0,
    reclaimed: 0,
    evicted: 0,
    swept: 0,
  };
  for (const [round, end] of [...rounds, "closed" as const].entries()) {
    const isLast = round === rounds.length;
    const ownEnd = end === "exit" || end === "throw" ? end : "close";
    const isEndless = end === "work" || end === "SIGTERM";
    const report = join(scratch, `${name}-${round}`);
    await live(
      {
        door,
        path: join(scratch, name),
        report,
        memory: room.memory,
        capacity: room.capacity,
        seed: Math.floor(random() * 2 ** 32),
        keys: room.keys,
        bytesMax: room.bytesMax,
        newest: judge.newest,
        operations: isEndless ? 1e9 : isLast ? 0 : 1000,
        end: ownEnd,
        ...(room.isEncrypted === true ? { keyBytes: round % 2 === 0 ? [1, 2] : [2, 1] } : {}),
      },
      end,
      10 + random() * 180,
    );
    judge.session(readFileSync(report, "utf8"), `${name}, seed ${seed}, round ${round} (${end})`);
    addMoves(moves, `${report}.moves`);
    if (judge.faults.length > 0) break;
  }
  return { faults: judge.faults, account: judge.account, moves };
}

function addMoves(moves: Record<keyof Movements, number>, file: string): void {
  if (!existsSync(file)) return;
  // A kill may have cut the last line.
  const line = readFileSync(file, "utf8").split("\n").at(-2);
  if (line === undefined) return;
  const session = JSON.parse(line) as Movements;
  for (const name of Object.keys(moves) as (keyof Movements)[]) moves[name] += session[name];
}

describe.concurrent("killed at random moments", () => {
  test(
    "no older and no wrong value comes back while entries move",
    { timeout: 300_000 },
    async () => {
      let seen = 0;
      // On a slow machine the sessions may be too short for an entry to be promoted or written
      // again.
      for (let turn = 0; turn < 3 && seen === 0; turn++) {
        const { faults, account, moves } = await sessions(`tight-${turn}`, tight, ends);
        expect(faults).toEqual([]);
        expect(account.operations).toBeGreaterThan(2_000);
        expect(account.hits).toBeGreaterThan(2_000);
        expect(account.flushes).toBeGreaterThan(10);
        expect(account.tags).toBeGreaterThan(10);
        seen = Math.min(...Object.values(moves));
      }
      expect(seen).toBeGreaterThan(0);
    },
  );

  test(
    "with room for everything, nothing that was flushed is lost",
    { timeout: 300_000 },
    async () => {
      const { faults, account } = await sessions("spare", spare, ends);
      expect(faults).toEqual([]);
      expect(account.flushes).toBeGreaterThan(10);
      expect(account.promisesKept).toBeGreaterThan(500);
    },
  );

  test(
    "the same holds for encrypted directories, whose key changes at each open",
    { timeout: 300_000 },
    async () => {
      const some = ends.slice(0, 8);
      const rooms = {
        tight: { ...tight, isEncrypted: true },
        spare: { ...spare, isEncrypted: true },
      };
      for (const [name, room] of Object.entries(rooms)) {
        const { faults, account } = await sessions(`encrypted-${name}`, room, some);
        expect(faults).toEqual([]);
        expect(account.hits).toBeGreaterThan(500);
        expect(account.flushes).toBeGreaterThan(5);
      }
    },
  );
});

// A checker that has never failed proves nothing: the same sessions of caches that are broken in
// one place each.
describe.concurrent("a broken cache is detected", () => {
  const writeTombstone: Patch = {
    file: "src/tiers/directory-writer.js",
    from: "    writeTombstone(location) {",
    to: "    writeTombstone(location) {\n        return;",
  };
  const clear: Patch = {
    file: "src/tiers/directory-writer.js",
    from: "    writeClear(sequence) {",
    to: "    writeClear(sequence) {\n        return;",
  };
  const tag: Patch = {
    file: "src/tiers/directory-writer.js",
    from: "    writeTag() {",
    to: "    writeTag() {\n        return;",
  };
  const flush: Patch = {
    file: "src/janitor/janitor.js",
    from: 'const reach = isAsked ? "all" : isDue ? "open" : "sealed";',
    to: 'const reach = "sealed";',
  };
  /** Most are found within the first few sessions. A slow machine does fewer clears and flushes in
   *  each. */
  const rounds: readonly End[] = Array.from({ length: 60 }, () => "work");

  test.each([
    ["without tombstones", [writeTombstone], tight, "an older value"],
    ["with tags that are not written down", [tag], spare, "an older value"],
    ["with clears that are not written down", [clear], spare, "an older value"],
    ["with flushes that write no open segment", [flush], spare, "lost"],
  ] as const)("%s", { timeout: 300_000 }, async (name, patches, room, words) => {
    const folder = join(scratch, name.replaceAll(" ", "-"));
    const { mkdirSync } = await import("node:fs");
    mkdirSync(folder);
    const door = brokenCopy(folder, patches);
    const { faults } = await sessions(`${name.replaceAll(" ", "-")}/cache`, room, rounds, door);
    expect(faults.join("\n")).toContain(words);
  });
});
