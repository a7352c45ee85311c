// The command as a user runs it: what it prints and where, and how it ends.

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, expect, test } from "vitest";

import type { Outcome } from "../../dist/src/simulation/mod.js";
import { zipf } from "../policy/generated.js";

const program = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "undercroft-cli-"));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const web = join(directory, "web.csv");
const webKeys = [...zipf(500, 5000, 0.9, 1)];
const webLines = webKeys.map((key) => `k${key},${100 + (key % 7)}`);
writeFileSync(web, `key,size\n${webLines.join("\n")}\n`);

interface Ending {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function undercroft(...words: string[]): Promise<Ending> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], (error, out, err) => {
      resolve({ status: typeof error?.code === "number" ? error.code : 0, out, err });
    });
  });
}

test("--json prints an array of outcomes and nothing else", async () => {
  const { status, out } = await undercroft(
    "simulate",
    web,
    "--json",
    "--sizes",
    "0.2,0.05",
    "--policies",
    "auto,lru",
  );
  expect(status).toBe(0);
  const outcomes = JSON.parse(out) as Outcome[];
  expect(outcomes.map(({ trace, policy, size }) => [trace, policy, size])).toEqual([
    ["web", "auto", 0.05],
    ["web", "lru", 0.05],
    ["web", "auto", 0.2],
    ["web", "lru", 0.2],
  ]);
  for (const outcome of outcomes) {
    expect(Object.keys(outcome)).toEqual([
      "trace",
      "policy",
      "worth",
      "size",
      "capacity",
      "requests",
      "misses",
      "missRatio",
      "byteMissRatio",
      "waitRatio",
      "waitMs",
    ]);
    expect(outcome.missRatio).toBe(outcome.misses / outcome.requests);
  }
});

test("a table of every policy, with bytes, a suggestion and a plot", async () => {
  const svg = join(directory, "curves.svg");
  const { status, out } = await undercroft("simulate", web, "--target-hits", "0.5", "--svg", svg);
  expect(status).toBe(0);
  for (const word of ["auto", "s3-fifo", "lfu", "lru", "sieve", "fifo", "lru-exact", "belady"]) {
    expect(out).toContain(word);
  }
  expect(out).toContain("bytes missed per byte asked for");
  expect(out).toContain('Suggested: eviction: "');
  expect(readFileSync(svg, "utf8")).toContain("<polyline");
});

test("--unit counts objects", async () => {
  const { out } = await undercroft(
    "simulate",
    web,
    "--unit",
    "--json",
    "--sizes",
    "0.1",
    "--policies",
    "lru",
  );
  const [outcome] = JSON.parse(out) as Outcome[];
  expect(outcome?.capacity).toBeLessThanOrEqual(50);
  expect(outcome?.byteMissRatio).toBe(outcome?.missRatio);
});

test("a target that no size reaches is reported as out of reach", async () => {
  const { out } = await undercroft("simulate", web, "--target-hits", "0.999", "--sizes", "0.01");
  expect(out).toContain("No simulated size reaches a hit ratio of 0.999");
});

test("--target-wait tries each worth, and scales what was sampled", async () => {
  const timed = join(directory, "timed.csv");
  const lines = webKeys.map((key) => `k${key},1000,,,${1 + (key % 9) ** 3}`);
  const head = "# undercroft record, sample=0.5\nkey,size,ttl,timestamp,load\n";
  writeFileSync(timed, head + lines.join("\n"));
  const words = ["--policies", "auto,lru", "--sizes", "0.1,1", "--target-wait", "100ms"];
  const { status, out, err } = await undercroft("simulate", timed, ...words);
  expect([status, err]).toEqual([0, ""]);
  expect(out).toMatch(/\bauto {2}.*auto\/bytes.*auto\/load-time.*lru/);
  const [, wide] = /memory: "(\d+)kb"; it reaches/.exec(out) ?? [];
  const keys = new Set(webKeys).size;
  // Half of the keys were recorded: the cache is twice as large as the simulated one.
  expect(Number(wide)).toBeGreaterThanOrEqual(Math.floor((keys * 1000 * 0.1 * 2) / 1024));
  expect(Number(wide)).toBeLessThan(keys * 2);
  const none = await undercroft("simulate", timed, ...words.slice(0, 4), "--target-wait", "1ms");
  expect(none.out).toContain("No simulated size reaches a wait of 1 ms per request; the best is ");
});

test.each([
  [["simulate", web, "--target-wait", "5ms"], "for --target-wait: it has no load times"],
  [["simulate", web, "--target-wait", "0"], "--target-wait"],
  [["simulate"], "no trace was named"],
  [["simulate", web, "--sizes", "0"], '--sizes has "0"; allowed are fractions'],
  [["simulate", web, "--sizes", "0.1,"], '--sizes has ""; allowed are fractions'],
  [["simulate", web, "--policies", "lru,arc"], '--policies has "arc"; allowed are auto'],
  [["simulate", web, "--target-hits", "90"], '--target-hits is "90"; allowed is a hit ratio'],
  [["simulate", web, "--frob"], "Unknown option '--frob'; the options are --policies, --sizes"],
  [["simulate", web, "--sizes"], "argument missing; the options are --policies"],
  [
    ["simulate", web, "--sizes", "0.1", "--svg", join(directory, "no", "x.svg")],
    "Cannot write --svg",
  ],
  [
    ["frobnicate"],
    'Cannot run "frobnicate": there is no such command; there are simulate, import, inspect',
  ],
  [["--frob"], 'Cannot run "--frob": there is no such option; there are simulate, import, inspect'],
  [["help", "frob"], 'Cannot help with "frob": there is no such command; there are simulate'],
])("%j is a mistake of the caller: status 2", async (words, why) => {
  const { status, err } = await undercroft(...words);
  expect(err).toContain(why);
  expect(status).toBe(2);
});

test("a trace that cannot be read ends with status 1 and names the line", async () => {
  const bad = join(directory, "bad.csv");
  writeFileSync(bad, "key,size\na,1\nb,x\n");
  const { status, out, err } = await undercroft("simulate", bad, "--json");
  expect(status).toBe(1);
  expect(out).toBe("");
  expect(err).toContain('bad.csv: line 3: size is "x"');
});

test("help is printed on request, and when no command is given", async () => {
  for (const words of [
    ["simulate", "--help"],
    ["simulate", "-h"],
    ["help", "simulate"],
  ]) {
    const { status, out } = await undercroft(...words);
    expect([status, out.split("\n")[1]]).toEqual([0, expect.stringContaining("--policies")]);
  }
  for (const words of [["--help"], ["-h"], ["help"]]) {
    const { status, out } = await undercroft(...words);
    const says = ["simulate <trace", "--version"].map((word) => out.includes(word));
    expect([status, ...says]).toEqual([0, true, true]);
  }
  expect((await undercroft()).status).toBe(2);
});

test("the version is the package's", async () => {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(manifest) as { readonly version: string };
  for (const words of [["--version"], ["-v"], ["top", "--version"], ["inspect", ".", "-v"]]) {
    expect(await undercroft(...words)).toEqual({ status: 0, out: `${version}\n`, err: "" });
  }
  const file = await undercroft("simulate", "--", "-v");
  expect([file.status, file.err]).toEqual([1, expect.stringContaining("Cannot read trace -v")]);
});

test("a trace that is too small for the sizes is said to be", async () => {
  const small = join(directory, "small.csv");
  writeFileSync(small, "a,100\nb,100\na,100\nc,100\n");
  const { status, err } = await undercroft("simulate", small, "--sizes", "0.07,1");
  expect(status).toBe(0);
  expect(err).toContain("the trace is too small: it has 3 objects, and caches of 7 %, 100 %");
  const large = await undercroft("simulate", web, "--sizes", "0.1", "--policies", "lru");
  expect([large.status, large.err]).toEqual([0, ""]);
});

test("a file in which no key comes twice is asked about", async () => {
  const once = join(directory, "once.csv");
  writeFileSync(once, Array.from({ length: 100 }, (_, key) => `k${key}\n`).join(""));
  const { err } = await undercroft("simulate", once, "--sizes", "0.5", "--policies", "lru");
  expect(err).toContain("once: no key is asked for twice");
});

test("what is no trace ends with status 1 and one line that says why", async () => {
  const notes = join(directory, "notes.json");
  writeFileSync(notes, JSON.stringify({ name: "no trace", list: [1, 2, 3] }, null, 2));
  for (const [file, why] of [
    [notes, /^undercroft: Cannot read trace \S+notes.json: line 1: it is JSON; .*\n$/],
    [directory, /^undercroft: Cannot read trace \S+: it is a directory; .*\n$/],
  ] as const) {
    const { status, out, err } = await undercroft("simulate", file);
    expect([status, out, err]).toEqual([1, "", expect.stringMatching(why)]);
  }
});

test("a reader that goes away ends it without a word", async () => {
  const child = spawn(process.execPath, [program, "simulate", web]);
  child.stdout.destroy();
  let err = "";
  child.stderr.on("data", (text: Buffer) => (err += text.toString()));
  await new Promise((resolve) => child.once("close", resolve));
  expect(err).not.toContain("EPIPE");
});
