// `undercroft inspect` and `verify` as a user runs them: exit codes, tables, JSON and refusals.
import { spawn } from "node:child_process";
import { chmodSync, chownSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { progressOn } from "../../dist/src/cli/progress.js";
import { flipByte } from "../disk-log/scratch-cache.js";
import {
  copyOf,
  fillCache,
  newFolder,
  openAt,
  scratchFolder,
  stateOf,
} from "../inspection/made-directory.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = join(root, "dist/src/cli/main.js");
const nobody = 65_534;
let path = "";

beforeAll(async () => {
  path = newFolder();
  const cache = await openAt(path);
  await fillCache(cache);
  await cache.close();
});
afterAll(() => rmSync(path, { recursive: true }));

function undercroft(
  words: readonly string[],
  options: { readonly uid?: number } = {},
): Promise<{ status: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [program, ...words], { cwd: root, ...options });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  return new Promise((resolve) => {
    child.on("close", (status) => resolve({ status, out, err }));
  });
}

test("a whole directory ends with 0, in words and as JSON", async () => {
  const words = await undercroft(["verify", path]);
  expect(words).toMatchObject({ status: 0, err: "" });
  expect(words.out).toMatch(/: no faults; \d+ segment files, \d+ records, .* read\n$/);
  const json = await undercroft(["verify", path, "--json"]);
  expect(JSON.parse(json.out)).toMatchObject({ faultCount: 0, faults: [], isClosed: true });
  const inspected = await undercroft(["inspect", path]);
  expect(inspected).toMatchObject({ status: 0, err: "" });
  for (const word of ["closed in order", "agents", "up to 1 KiB", "nothing is wrong"]) {
    expect(inspected.out).toContain(word);
  }
  const { entries } = JSON.parse((await undercroft(["inspect", path, "--json"])).out) as {
    entries: { live: number };
  };
  expect(entries.live).toBeGreaterThan(1000);
});

test("faults end with 1, and are named", async () => {
  const copy = copyOf(path);
  flipByte(join(copy, "segment-000.ucs"), 128 + 60);
  const words = await undercroft(["verify", copy]);
  expect(words.status).toBe(1);
  expect(words.out).toMatch(/: 1 fault;/);
  expect(words.out).toMatch(/\n +0 +segment-000\.ucs +128 +record +a record fails its checksum/);
  const json = await undercroft(["verify", "--json", copy]);
  expect(json.status).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({
    faults: [{ file: "segment-000.ucs", segment: 0, offset: 128, kind: "record" }],
  });
});

test("what is no cache directory ends with 2 and one line", async () => {
  const empty = scratchFolder();
  const linked = scratchFolder();
  symlinkSync("/etc/passwd", join(linked, "segment-000.ucs"));
  const file = join(scratchFolder(), "file");
  writeFileSync(file, "text");
  const lines: [words: string[], says: RegExp][] = [
    [[join(empty, "none")], /Cannot list .*none: ENOENT/],
    [[file], /ENOTDIR/],
    [[empty], /it is no cache directory/],
    [[linked], /is not a regular file/],
    [[], /0 directories were named/],
    [[path, path], /2 directories were named/],
    [[path, "--fix"], /Unknown option '--fix'; the options are --json, --key-file, --help/],
  ];
  for (const command of ["verify", "inspect"]) {
    for (const [words, says] of lines) {
      const ending = await undercroft([command, ...words]);
      expect(ending).toMatchObject({ status: 2, out: "" });
      expect(ending.err).toMatch(says);
      expect(ending.err.trimEnd().split("\n")).toHaveLength(1);
    }
  }
});

test("each command says what it does", async () => {
  for (const command of ["verify", "inspect"]) {
    for (const words of [
      [command, "-h"],
      [command, "--help"],
      ["help", command],
    ]) {
      const { status, out } = await undercroft(words);
      expect([status, out.startsWith(`${command} <directory>`)]).toEqual([0, true]);
    }
  }
});

test.skipIf(process.getuid?.() !== 0)("a directory that may only be read is enough", async () => {
  const copy = copyOf(path);
  for (const name of readdirSync(copy)) {
    chownSync(join(copy, name), nobody, nobody);
    chmodSync(join(copy, name), 0o400);
  }
  chownSync(copy, nobody, nobody);
  chmodSync(copy, 0o500);
  const before = stateOf(copy);
  for (const command of ["verify", "inspect"]) {
    expect(await undercroft([command, copy], { uid: nobody })).toMatchObject({
      status: 0,
      err: "",
    });
  }
  expect(stateOf(copy)).toBe(before);
  // Not even that.
  chmodSync(join(copy, "undercroft.tags"), 0);
  const file = await undercroft(["verify", copy], { uid: nobody });
  expect(file.err).toMatch(/^undercroft: Cannot open .*undercroft\.tags: EACCES.*\n$/);
  chmodSync(copy, 0);
  const all = await undercroft(["inspect", copy], { uid: nobody });
  expect([file.status, all.status, all.err]).toEqual([2, 2, expect.stringMatching(/EACCES/)]);
});

test("progress is shown on a terminal only", async () => {
  for (const isTTY of [true, false]) {
    const written: string[] = [];
    const progress = progressOn("verifying", { isTTY, write: (text) => written.push(text) });
    const begun = performance.now();
    while (performance.now() - begun < 30_000 && written.length === 0 && isTTY) {
      progress.note(1, 3);
    }
    progress.note(2, 3);
    progress.end();
    expect(written).toEqual(isTTY ? ["\rverifying: 33 %", "\r\u001b[K"] : []);
  }
});
