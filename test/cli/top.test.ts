// `undercroft top` on real processes: what it finds, shows and refuses, and how it ends.
import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { openCache } from "../../dist/src/mod.js";

const command = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const program = fileURLToPath(new URL("../operators/operator-process.mjs", import.meta.url));

let folder: string;
let services: Service[];
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "undercroft-top-"));
  services = [];
});
afterEach(() => {
  for (const { child } of services) child.kill("SIGKILL");
  fs.rmSync(folder, { recursive: true, force: true });
});

interface Service {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly tell: (line: string) => Promise<void>;
}

const env = () => ({ ...process.env, XDG_RUNTIME_DIR: folder });
const path = (): string => join(folder, "cache");

async function start(options: object): Promise<Service> {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: env(),
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const service: Service = {
    child,
    tell: async (line) => {
      child.stdin.write(`${line}\n`);
      expect((await lines.next()).value).toBe(`${line} done`);
    },
  };
  services.push(service);
  expect((await lines.next()).value).toBe("open");
  return service;
}

const startOnDisk = (): Promise<Service> =>
  start({ name: "patterns", disk: { path: path(), capacity: "16mb" } });

/** What a line of JSON has. */
interface Line {
  readonly keys: readonly unknown[];
  readonly windows: { readonly 60: { readonly requests: number } };
}

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

function top(words: readonly string[], more: object = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: env(), ...more };
    execFile(process.execPath, [command, "top", ...words], options, (error, stdout, stderr) => {
      resolve({ stdout, stderr, code: Number(error?.code ?? 0) });
    });
  });
}

/** The cells of a row of the display. */
function cellsOf(display: string, label: string): string[] {
  const line = display.split("\n").find((each) => each.startsWith(label)) ?? "";
  return line
    .slice(label.length)
    .split(/ {2,}/)
    .filter((cell) => cell !== "");
}

describe("shows", () => {
  test("a cache by its directory, once if the output is no terminal", async () => {
    const { child, tell } = await startOnDisk();
    await tell("attach");
    const { stdout, stderr, code } = await top([path(), "--names"]);
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(stdout).toMatch(
      new RegExp(`^patterns · pid ${child.pid} · open \\d+ s · v[\\d.]+ · ${path()}\n`),
    );
    expect(cellsOf(stdout, "hit ratio")).toEqual(["–", "40.0 %"]); // of this second, since open
    expect(cellsOf(stdout, "loads/s")[0]).toBe("0");
    expect(cellsOf(stdout, "users").slice(1, 4)).toEqual(["2.0 MiB", "1", "–"]);
    expect(stdout).toMatch(/^disk {6}\[\.{20}\] up, /m);
    expect(stdout).toMatch(/^threads .* 2 of 64 attached; 0 recovered/m);
    // The name of a key cannot command the terminal.
    expect(stdout).toMatch(/^ +\d+\.\d %  absent\?\[31m$/m);
    expect(stdout).toMatch(/^ +\d+\.\d %  7 in users$/m);
    expect(stdout).toMatch(/^ +\d+\.\d %  from the other$/m);
    expect(stdout).not.toContain("\u001b");
    const hashes = await top([path(), "--once"]);
    expect(hashes.stdout).toMatch(/^ +\d+\.\d %  #[0-9a-f]{8} in users$/m);
    expect(hashes.stdout).not.toContain("absent");
  });

  test("lines of JSON until the cache closes, each with its windows", async () => {
    const { tell } = await startOnDisk();
    const child = spawn(process.execPath, [command, "top", path(), "--json", "--keys", "1"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const next = async (): Promise<Line> =>
      JSON.parse((await lines.next()).value as string) as Line;
    const first = await next();
    await tell("read");
    // The second line or the one after it has what was read between two samples.
    await expect.poll(async () => (await next()).windows[60].requests).toBeGreaterThanOrEqual(1000);
    expect(first).toMatchObject({ name: "patterns", path: path(), stats: { loads: 1 } });
    expect(first.keys).toHaveLength(1);
    expect(first.windows).toMatchObject({ 1: { requests: 0 }, open: { loads: 1 } });
    await tell("close");
    const [code] = (await once(child, "exit")) as [number];
    expect([code, said]).toEqual([
      1,
      "undercroft: The cache was closed, or its process has ended\n",
    ]);
  });

  test("a cache without a disk by its name, or the only one there is", async () => {
    await start({ name: "sessions", operators: true });
    for (const words of [["sessions"], []]) {
      const { stdout, code } = await top(words);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^sessions · pid \d+ · open \d+ s · v[\d.]+ · memory only\n/);
      expect(stdout).not.toMatch(/^disk {6}/m);
    }
    const other = await start({ name: "sessions", operators: true });
    const several = await top(["sessions"]);
    expect(several.code).toBe(2);
    expect(several.stderr).toContain(`"sessions" (--pid ${other.child.pid})`);
    const { stdout } = await top(["sessions", "--pid", String(other.child.pid)]);
    expect(stdout).toContain(`pid ${other.child.pid}`);
  });
});

describe("ends or refuses with one line that says why", () => {
  test("the process was killed", async () => {
    const { child } = await startOnDisk();
    child.kill("SIGKILL");
    await once(child, "exit");
    const { stdout, stderr, code } = await top([path()]);
    expect({ stdout, code }).toEqual({ stdout: "", code: 1 });
    expect(stderr).toBe(
      `undercroft: Cannot look at the cache in ${path()}: the process that had it open is gone\n`,
    );
  });

  test("the process of a cache without a disk was killed, whose socket is left", async () => {
    const { child } = await start({ name: "sessions", operators: true });
    child.kill("SIGKILL");
    await once(child, "exit");
    const sockets = join(folder, `undercroft-${process.getuid?.()}`);
    expect(fs.readdirSync(sockets)).toHaveLength(1);
    const { stderr, code } = await top(["sessions"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/this user has none open with option operators/);
    expect(fs.readdirSync(sockets)).toEqual([]);
  });

  test("the cache is closed", async () => {
    const cache = await openCache({ memory: "4mb", disk: { path: path(), capacity: "16mb" } });
    await cache.close();
    const { stderr, code } = await top([path()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/: no cache has it open\n$/);
  });

  test.runIf(process.getuid?.() === 0)("it is another user's", async () => {
    // Programs of the other user must be able to read this package.
    const nobody = { uid: 65_534, gid: 65_534 };
    await startOnDisk();
    const { stdout, stderr, code } = await top([path()], nobody);
    expect({ stdout, code }).toEqual({ stdout: "", code: 1 });
    expect(stderr).toMatch(/: it is another user's; run the command as that user\n$/);
    fs.chmodSync(folder, 0o755);
    fs.chmodSync(path(), 0o755); // they may look into the directory, and no further
    const seen = await top([path()], nobody);
    expect(seen.stderr).toMatch(/: it is another user's; run the command as that user\n$/);
  });

  test.each([
    ["a folder that is none of a cache", ["."], /is no directory of a cache/],
    ["a path that is not there", ["./not/there"], /there is no such directory/],
    ["two caches", ["a", "b"], /name one, by its directory or its name/],
    ["too many keys", ["a", "--keys", "51"], /a whole number from 0 to 50/],
    ["an odd process", ["a", "--pid", "-1"], /--pid/],
    ["an unknown option", ["a", "--fast"], /the options are --once, --json/],
  ])("%s", async (_, words, message) => {
    const { stdout, stderr, code } = await top(words, { cwd: folder });
    expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("what listens is no cache, or one of another version", async () => {
    await startOnDisk();
    const [claim = ""] = fs.readdirSync(path()).filter((file) => file.includes(".lock-o-"));
    fs.unlinkSync(join(path(), claim));
    let answer = "hello\n";
    const server = net.createServer((socket) => socket.once("data", () => socket.write(answer)));
    await once(server.listen(join(path(), claim)), "listening");
    expect(await top([path()])).toMatchObject({
      code: 1,
      stderr: "undercroft: What answers is no cache of this version of the package\n",
    });
    answer = '{"v":2,"error":"no more"}\n';
    const { stderr } = await top([path()]);
    expect(stderr).toBe("undercroft: Cannot show the cache: it refuses: no more\n");
    server.close();
  });
});

test("says how it is called", async () => {
  const { stdout, code } = await top(["--help"]);
  expect(code).toBe(0);
  expect(stdout).toContain("top [directory|name]");
});
