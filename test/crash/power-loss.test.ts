// Power losses of a real file system: ext4 on a loop device is shut down without a flush of its
// journal (FS_IOC_SHUTDOWN) while a cache writes, mounted anew, and opened in another boot. Only
// what was synced may be there. Needs root, loop devices and perl.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { builtDoor, compile, makeScratch, Program, removeScratch } from "./program.js";
import type { PoweredOptions } from "./powered-cache.js";

const rounds = 6;
const keys = 40;
const callsPerSync = 60;
/** _IOR('X', 125, u32), and the flag that leaves the journal as it is on disk. */
const cutPower = `
  use Fcntl; sysopen(my $file, $ARGV[0], O_RDONLY) or die "open: $!";
  my $how = pack("L", 2); ioctl($file, 0x8004587D, $how) or die "shutdown: $!";`;

let scratch = "";
let device = "";
let program = "";
let lacking = "";

function run(command: string, ...words: string[]): string {
  return execFileSync(command, words, { encoding: "utf8", stdio: "pipe" }).trim();
}

beforeAll(() => {
  scratch = makeScratch();
  program = compile(scratch, new URL(".", import.meta.url), "powered-cache.ts");
  const image = join(scratch, "image");
  const mount = join(scratch, "mount");
  mkdirSync(mount);
  writeFileSync(image, "");
  truncateSync(image, 64 * 2 ** 20);
  try {
    run("mkfs.ext4", "-q", "-F", image);
    device = run("losetup", "-f", "--show", image);
    run("mount", device, mount);
    run("perl", "-e", "1");
  } catch (error) {
    lacking = String((error as Error).message).split("\n")[0] ?? "";
    process.stderr.write(`\nNO POWER LOSS IS TESTED HERE: ${lacking}\n`);
  }
});

afterAll(() => {
  for (const command of [
    ["umount", join(scratch, "mount")],
    ["losetup", "-d", device],
  ]) {
    try {
      run(command[0] ?? "", ...command.slice(1));
    } catch {
      // It was not there.
    }
  }
  removeScratch(scratch);
});

/** What there is after so many calls. */
function contents(calls: number): (string | null)[] {
  const values: (string | null)[] = Array.from({ length: keys }, () => null);
  for (let call = 1; call <= calls; call++) {
    const number = (call * 7) % keys;
    values[number] = call % 5 === 0 ? null : `key-${number}#${call};`.repeat(1 + (call % 40));
  }
  return values;
}

test("after a power loss there is what was synced", { timeout: 300_000 }, async ({ skip }) => {
  if (lacking !== "") skip(lacking);
  let kept = 0;
  for (let round = 0; round < rounds; round++) {
    const mount = join(scratch, "mount");
    const options: PoweredOptions = {
      door: builtDoor,
      device: new URL("../../dist/src/device/mod.js", import.meta.url).href,
      path: join(mount, `cache-${round}`),
      bootFile: null,
      keys,
      callsPerSync,
    };
    const writer = new Program(program, options);
    await writer.said(`synced ${callsPerSync * (1 + round * 3)}`);
    const last = writer.lines.at(-1) ?? "";
    try {
      run("perl", "-e", cutPower, mount);
    } finally {
      writer.kill("SIGKILL");
      await writer.ended;
    }
    run("umount", mount);
    run("mount", device, mount);

    // The claim of another boot counts for half a minute, and a machine takes longer to start.
    for (const name of readdirSync(options.path)) {
      if (name.startsWith("undercroft.lock")) rmSync(join(options.path, name));
    }
    const bootFile = join(scratch, "boot");
    writeFileSync(bootFile, "11111111-1111-1111-1111-111111111111\n");
    const reader = new Program(program, { ...options, bootFile });
    const values = await reader.result<(string | null)[]>();
    expect(reader.lines[0]).toContain('"barrier"');
    const synced = Number(last.split(" ")[1]);
    // A sync under way may have set its barrier, too.
    const newest = Number(writer.lines.at(-1)?.split(" ")[1]);
    const may: ReturnType<typeof contents>[] = [];
    for (let calls = synced; calls <= newest + callsPerSync; calls += callsPerSync) {
      may.push(contents(calls));
    }
    for (const [number, value] of values.entries()) {
      expect([null, ...may.map((values) => values[number])]).toContain(value);
      if (value !== null) kept += 1;
    }
  }
  expect(kept).toBeGreaterThan(rounds * 5);
});
