// A cache settles whatever a test runner has replaced: the timers and clocks of the global scope,
// process.nextTick and those of node:timers; whether it was opened before or under the fakes, and
// whether the fakes are moved or stand still. A call that hangs leaves the program without answers.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ManualClock } from "../../dist/src/mod.js";
import { diskAt, freshPath, open, setUpCaches } from "./opened.js";

setUpCaches();

afterEach(() => {
  vi.useRealTimers();
});

/** Runs Node.js and answers what it prints. */
async function output(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 50_000,
  });
  const [printed] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return printed;
}

const program = fileURLToPath(new URL("under-fakes.mjs", import.meta.url));

describe.each(["stubs", "node:test"])("under fakes of the kind %s", (kind) => {
  test.each([
    ["before", "still"],
    ["before", "moved"],
    ["under", "still"],
    ["under", "moved"],
  ])("opened %s them, and they are %s: every call and close settle", async (opened, moved) => {
    const answers: unknown = JSON.parse(await output([program, kind, opened, moved, freshPath()]));
    expect(answers).toEqual({
      set: "stored",
      get: 1e12,
      fetch: 5,
      setAsync: "stored",
      attached: 5,
      getMany: 2,
      delete: true,
      setAsyncAtClose: "stored",
      kept: 2,
    });
  });
});

test.each([
  ["before", "still"],
  ["before", "moved"],
  ["under", "still"],
  ["under", "moved"],
])("vitest's fakes: opened %s them, and they are %s", async (opened, moved) => {
  if (opened === "under") vi.useFakeTimers();
  const path = freshPath();
  const cache = await open(diskAt(path));
  if (opened === "before") vi.useFakeTimers();
  const stored = cache.setAsync("large", "z".repeat(200_000));
  if (moved === "moved") vi.advanceTimersByTime(18_000_000);
  expect(await stored).toBe("stored");
  expect(await cache.fetch("b", async () => 5, { timeout: "1h" })).toBe(5);
  await cache.flush();
  const closed = cache.close();
  if (moved === "moved") vi.advanceTimersByTime(18_000_000);
  await closed;
  const again = await open(diskAt(path));
  expect((await again.getMany(["b", "large"])).size).toBe(2);
});

test("an entry expires by the clock of the cache, not by a fake one", async () => {
  vi.useFakeTimers();
  const clock = new ManualClock();
  const cache = await open({ clock });
  cache.set("a", 1, { ttl: "1h" });
  vi.advanceTimersByTime(7_200_000);
  expect(cache.getSync("a")).toBe(1);
  clock.advance(3_600_000);
  expect(cache.getSync("a")).toBeUndefined();
});

/** What a program prints that installs fakes before it imports the package. */
function importedUnder(fakes: string): Promise<string> {
  const entry = new URL("../../dist/src/mod.js", import.meta.url).href;
  const source = `
    const never = () => ({ unref() {}, ref() {} });
    ${fakes}
    const { openCache } = await import(${JSON.stringify(entry)});
    const cache = await openCache({ memory: "2mb" }).catch((error) => error);
    cache.set?.("a", 1, { ttl: "1m" });
    process.stdout.write(cache.code ? cache.code + cache.message : "found " + cache.getSync("a"));
    await cache.close?.();`;
  return output(["--input-type=module", "-e", source]);
}

test("imported under fakes of the global scope, it binds the real ones", async () => {
  const fakes = `
    for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"])
      globalThis[name] = never;
    process.nextTick = never;
    process.hrtime = () => [0, 0];
    performance.now = () => 0;
    globalThis.Date = class extends Date { static now() { return 0; } };`;
  expect(await importedUnder(fakes)).toBe("found 1");
});

test("imported under fakes of node:timers too, opening says so", async () => {
  const fakes = `
    const timers = (await import("node:timers")).default;
    for (const name of ["setTimeout", "setInterval", "setImmediate"])
      globalThis[name] = timers[name] = never;`;
  expect(await importedUnder(fakes)).toMatch(/^ERR_RUNTIME.*import undercroft before/);
});
