// Processes that forbid something: Node's permission model, no code from strings, no WebAssembly.
// A cache works there, or its error names what is missing. Each case is a process of its own.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { assertRuntime } from "../../dist/src/base/mod.js";
import { freshPath, setUpCaches } from "./opened.js";

setUpCaches();

const entry = new URL("../../dist/src/mod.js", import.meta.url).href;

/** Uses all that workers, codec and disk do; prints what it got, or the error. */
const program = `
  const { attachCache, openCache } = await import(${JSON.stringify(entry)});
  const [path] = process.argv.slice(2);
  const disk = path === undefined ? undefined : { path, capacity: "8mb" };
  const told = [];
  const use = async () => {
    const on = { recovered: (event) => told.push(event) };
    const cache = await openCache({ memory: "2mb", ...(disk && { disk }), on });
    const made = (_, id) => ({ id, name: "n" + id, at: new Date(id) });
    const values = Array.from({ length: 200 }, made);
    for (const value of values) cache.set("k" + value.id, value);
    const attached = attachCache(cache.handle());
    const same = values.every(({ id, name, at }) => {
      const read = attached.getSync("k" + id);
      return read.id === id && read.name === name && read.at.getTime() === at.getTime();
    });
    await attached.close();
    const answers = [same, await cache.setAsync("large", "z".repeat(200_000))];
    await cache.flush();
    answers.push(await cache.flush({ fsync: true }).then(() => "synced", (error) => error.code));
    await cache.close();
    return answers;
  };
  const again = async () => {
    if (disk === undefined) return "no disk";
    const cache = await openCache({ memory: "2mb", disk });
    const value = await cache.get("k7");
    await cache.close();
    return [value?.name, cache.recovery.kind, cache.recovery.reason];
  };
  const answer = await use().then(
    async (answers) => ({ answers, told: told[0], again: await again() }),
    ({ code, message }) => ({ code, message }),
  );
  process.stdout.write(JSON.stringify(answer));`;

interface Answer {
  readonly code?: string;
  readonly message?: string;
  readonly answers?: readonly unknown[];
  readonly told?: { readonly reason: string };
  readonly again?: unknown;
}

function run(flags: readonly string[], ...args: string[]): Answer {
  const file = `${freshPath()}.mjs`;
  writeFileSync(file, program);
  const child = spawnSync(process.execPath, [...flags, file, ...args], {
    encoding: "utf8",
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
  });
  if (child.stdout === "") throw new Error(child.stderr);
  return JSON.parse(child.stdout) as Answer;
}

const flag = process.allowedNodeEnvironmentFlags.has("--permission")
  ? "--permission"
  : "--experimental-permission";
/** From Node.js 25 on the model covers sockets, and the lock of a directory is one. */
const net = process.allowedNodeEnvironmentFlags.has("--allow-net") ? ["--allow-net"] : [];
const read = "--allow-fs-read=*";
const write = "--allow-fs-write=*";

describe("under Node's permission model", () => {
  test("a cache in memory works", () => {
    const { answers } = run([flag, read, "--allow-worker"]);
    expect(answers).toEqual([true, "stored", "synced"]);
  });

  test("a cache with a disk works, and says that nothing is synced", () => {
    const flags = [flag, read, write, "--allow-worker", ...net];
    const { answers, told, again } = run(flags, freshPath());
    expect(answers).toEqual([true, "stored", "ERR_RUNTIME"]);
    expect(told?.reason).toContain("permission model forbids fsync");
    expect(again).toEqual(["n7", "clean", expect.stringContaining("forbids fsync")]);
  });

  test.each([
    ["workers", [read, write], "ERR_RUNTIME", "--allow-worker"],
    ["writes", [read, "--allow-worker"], "ERR_DIRECTORY_NOT_WRITABLE", "--allow-fs-write"],
  ])("without %s the error names the flag", (_what, flags, code, remedy) => {
    const answer = run([flag, ...flags, ...net], freshPath());
    expect(answer.code).toBe(code);
    expect(answer.message).toContain(remedy);
  });
});

test("where code from strings is forbidden, everything works", () => {
  const { answers, again } = run(["--disallow-code-generation-from-strings"], freshPath());
  expect(answers).toEqual([true, "stored", "synced"]);
  expect(again).toEqual(["n7", "clean", expect.any(String)]);
});

test("where workers have other descriptors, a cache in memory works and disk says why not", () => {
  // As in Deno: a descriptor of the main thread is unknown to a worker.
  const preload = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    import { isMainThread } from "node:worker_threads";
    if (!isMainThread) {
      fs.fstatSync = () => {
        throw Object.assign(new Error("EBADF"), { code: "EBADF" });
      };
      syncBuiltinESMExports();
    }`;
  const flags = ["--import", `data:text/javascript,${encodeURIComponent(preload)}`];
  expect(run(flags).answers).toEqual([true, "stored", "synced"]);
  const { code, message } = run(flags, freshPath());
  expect(code).toBe("ERR_RUNTIME");
  expect(message).toContain("do not share file descriptors");
});

test("without WebAssembly the error names it", () => {
  const { code, message } = run(["--jitless"]);
  expect(code).toBe("ERR_RUNTIME");
  expect(message).toContain("no WebAssembly");
});

test.each([
  ["WebAssembly", { WebAssembly: undefined }],
  ["SharedArrayBuffer", { SharedArrayBuffer: undefined }],
  ["Atomics.waitAsync", { Atomics: {} }],
  ["String.prototype.isWellFormed", { String: { prototype: {} } }],
])("a runtime without %s is refused by name", (name, lacking) => {
  const scope = { WebAssembly, SharedArrayBuffer, Atomics, String, ...lacking };
  const check = (): void => assertRuntime(scope as unknown as typeof globalThis);
  expect(check).toThrow(expect.objectContaining({ code: "ERR_RUNTIME" }));
  expect(check).toThrow(`no ${name}`);
});
