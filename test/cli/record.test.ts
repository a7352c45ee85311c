// `undercroft record` on a real process: what it writes of the requests of all threads, and how it
// ends.
import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

import { readTrace } from "../../dist/src/simulation/mod.js";

const command = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const program = fileURLToPath(new URL("../operators/operator-process.mjs", import.meta.url));

let folder: string;
let child: ChildProcessByStdio<Writable, Readable, null>;
let lines: AsyncIterator<string>;
const env = () => ({ ...process.env, XDG_RUNTIME_DIR: folder });

beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), "undercroft-record-"));
  child = spawn(process.execPath, [program, JSON.stringify({ name: "r", operators: true })], {
    stdio: ["pipe", "pipe", "inherit"],
    env: env(),
  });
  lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
});
afterEach(() => {
  child.kill("SIGKILL");
  fs.rmSync(folder, { recursive: true, force: true });
});

async function tell(line: string): Promise<void> {
  child.stdin.write(`${line}\n`);
  expect((await lines.next()).value).toBe(`${line} done`);
}

const out = (): string => join(folder, "trace.csv");
const linesOf = (): string[] => fs.readFileSync(out(), "utf8").trim().split("\n");

/** Begins a recording; it has begun once the file is more than its head. */
async function begun(...words: string[]) {
  const recorder = spawn(process.execPath, [command, "record", "r", "--out", out(), ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: env(),
  });
  const said = { out: "", err: "" };
  recorder.stdout.on("data", (text: Buffer) => (said.out += text.toString()));
  recorder.stderr.on("data", (text: Buffer) => (said.err += text.toString()));
  await expect.poll(() => fs.existsSync(out()), { timeout: 20_000 }).toBe(true);
  const end = async (signal: NodeJS.Signals | null = "SIGINT") => {
    if (signal !== null) recorder.kill(signal);
    const [status] = (await once(recorder, "close")) as [number];
    return { status, ...said };
  };
  return { recorder, end, said };
}

/** The cache is told to make requests until the recording sees them: it has begun then. */
async function requestsSeen(): Promise<void> {
  await tell("awaitRecording");
}

test("writes requests of all threads, spaces and kinds, with sizes and load times", async () => {
  const { end } = await begun();
  await requestsSeen();
  await tell("request");
  const { status, out: told, err } = await end();
  expect([status, err]).toEqual([0, ""]);
  const [head, names, ...rows] = linesOf();
  expect([head, names]).toEqual(["# undercroft record, sample=1", "key,size,ttl,timestamp,load"]);
  const cells = rows.map((row) => row.split(","));
  const counts = new Map<string, number>();
  for (const [key = ""] of cells) counts.set(key, (counts.get(key) ?? 0) + 1);
  // By getSync 40 times each in two spaces, by get 4 of one key as bytes and text, by fetch 2, by
  // getEntry 1.
  expect([...counts.values()].toSorted((a, b) => a - b)).toEqual([1, 2, 4, 40, 40]);
  const text = fs.readFileSync(out(), "utf8");
  expect(text).not.toMatch(/secret|loaded/);
  const loads = cells.filter(([, , , , load]) => Number(load) > 0);
  expect(loads.map(([key]) => counts.get(key ?? "")).join()).toMatch(/^(2,2,1|2,1,2|1,2,2)$/);
  expect(cells.every(([, size]) => Number(size) > 20 && Number(size) < 400)).toBe(true);
  expect(cells.filter(([, , ttl]) => ttl === "60").map(([key]) => counts.get(key ?? ""))).toEqual([
    2, 2,
  ]);
  expect(told).toContain(`87 requests in ${out()}; 4 for entries that were never there`);
  const trace = await readTrace(out());
  expect([trace.requests, trace.keys, trace.sample]).toEqual([87, 5, 1]);
});

test("samples keys whole, and says so to simulate", async () => {
  const { end } = await begun("--sample", "0.25");
  await requestsSeen();
  await tell("many");
  expect(await end()).toMatchObject({ status: 0 });
  const trace = await readTrace(out());
  expect(trace.sample).toBe(0.25);
  expect(trace.keys).toBeGreaterThan(150); // of 1,000
  expect(trace.keys).toBeLessThan(350);
  expect(trace.requests).toBe(trace.keys * 3);
});

test("tells of requests that did not fit, of a full file, and of a cache that closes", async () => {
  const lost = await begun();
  await requestsSeen();
  await tell("flood"); // 40,000 at once, of which the ring has 16,384
  const ended = await lost.end();
  expect(ended.status).toBe(1);
  expect(ended.err).toMatch(/2\d{4} requests are missing.*--sample/);
  fs.rmSync(out());
  const full = await begun("--most", "2kb");
  await requestsSeen();
  await tell("many");
  const end = await full.end();
  expect(end.status).toBe(1);
  expect(end.err).toContain("The file is full (--most)");
  expect(fs.statSync(out()).size).toBeLessThanOrEqual(2048);
  expect(linesOf().every((line) => line.startsWith("#") || line.split(",").length === 5)).toBe(
    true,
  );
  fs.rmSync(out());
  const closed = await begun();
  await requestsSeen();
  await tell("close");
  expect(await closed.end(null)).toMatchObject({
    status: 1,
    err: expect.stringContaining("was closed"),
  });
});

test.each([
  [[], "name the one to write by --out"],
  [["--out", "/nowhere/x.csv"], "Cannot write --out /nowhere/x.csv: ENOENT"],
  [["--out", "x", "--sample", "0"], '--sample is "0"; allowed is a part of the keys'],
  [["--out", "x", "--for", "soon"], "--for"],
  [["--out", "x", "--most", "-1"], "--most"],
  [["--out", "x", "--frob"], "Unknown option '--frob'"],
])("refuses %j", async (words, why) => {
  const ending = await new Promise<{ status: unknown; err: string }>((resolve) => {
    execFile(
      process.execPath,
      [command, "record", "r", ...words],
      { env: env() },
      (error, _, err) => resolve({ status: error?.code, err }),
    );
  });
  expect(ending.status).toBe(2);
  expect(ending.err).toContain(why);
});
