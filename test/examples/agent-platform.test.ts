// The example that `npm start` runs, at a small size: what it counts is right. What it times is not
// looked at.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

import { missing } from "../redis/redis-server.js";

const main = fileURLToPath(new URL("../../dist/examples/agent-platform/main.js", import.meta.url));
const small = ["--users", "400", "--seconds", "2", "--rate", "50"];
/** For a process that does not end; on a busy machine it takes long. */
const timeoutMs = 240_000;

interface Run {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    // node:sqlite warns that it is new.
    const env = { ...process.env, NODE_NO_WARNINGS: "1" };
    const options = { timeout: timeoutMs, env };
    execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

test(
  "the agent platform meets every goal that is counted",
  async () => {
    const { code, stdout, stderr } = await run(small);
    const goals = [...stdout.matchAll(/^ {2}(met|MISSED) +(.+?) {2,}(.*?)$/gm)];
    const counted = goals.filter(([line]) => !line.endsWith("timed"));
    expect(counted.map(([, isMet, name, seen]) => ({ isMet, name, seen }))).toEqual(
      [
        /^remote calls for agents down/,
        /^SQLite reads down/,
        /^every kind hits/,
        /^no stale answer/,
        /^nothing wrong after kill -9/,
        /^no error/,
      ].map((name) => ({
        isMet: "met",
        name: expect.stringMatching(name),
        seen: expect.any(String),
      })),
    );
    expect(goals.length - counted.length).toBe(4);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  },
  timeoutMs + 10_000,
);

const few = ["--users", "60", "--seconds", "1"];
const many = [
  { args: ["--processes", "2"], goals: 4, without: undefined },
  { args: ["--hosts", "2"], goals: 3, without: missing },
];

for (const { args, goals, without } of many) {
  test.skipIf(without !== undefined)(
    `the agent platform with ${args.join(" ")} saves calls and answers nothing stale`,
    async () => {
      const { code, stdout } = await run([...few, ...args]);
      const met = [...stdout.matchAll(/^ {2}(met|MISSED) +(.+?) {2,}(.*?)$/gm)];
      const missed = met.filter(([line, is]) => is !== "met" && !line.endsWith("timed"));
      expect({ code, missed, count: met.length }).toEqual({ code: 0, missed: [], count: goals });
      expect(stdout).toMatch(/stale answers +0 of [1-9]\d* +0 of [1-9]\d*/);
    },
    timeoutMs + 10_000,
  );
}

test("processes and hosts are not both", async () => {
  const { code, stderr } = await run(["--processes", "2", "--hosts", "2"]);
  expect(code).toBe(1);
  expect(stderr).toContain("give --processes or --hosts, not both");
});

test("a size that is none is refused by its name", async () => {
  const { code, stderr } = await run(["--users", "none"]);
  expect(code).toBe(1);
  expect(stderr).toContain("--users is none; it must be a number above 0");
});
