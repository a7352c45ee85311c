// The threads of bundles: their queue and their ends, on a program of the test's; and a whole
// cache on them, in a process that has the condition which bundlers set.
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { MessagePort } from "node:worker_threads";
import { MessageChannel } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { SourceThreads } from "../../dist/src/pool/source-threads.js";
import type { RunOptions } from "../../dist/src/pool/threads.js";

/** Says on the task's port that it has begun, and ends as the port is told. */
const program = `
const { parentPort, threadId } = require("node:worker_threads");
parentPort.on("message", ({ name, task: { port } }) => {
  port.postMessage(threadId);
  port.once("message", (end) => {
    port.close();
    if (end === "exit") process.exit(3);
    if (end === "die") throw new Error("died");
    if (end === "late") setTimeout(() => { throw new Error("late"); });
    if (end === "throw") parentPort.postMessage({ isRejected: true, error: new Error("thrown") });
    else parentPort.postMessage({ isRejected: false, value: name + " " + end });
  });
});`;

const started: SourceThreads[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((threads) => threads.destroy()));
});

function start(max: number, queue: number, source = program): SourceThreads {
  const threads = new SourceThreads(source, "storeValue", { min: 0, max, queue });
  threads.on("error", () => undefined);
  started.push(threads);
  return threads;
}

interface Begun {
  readonly outcome: Promise<unknown>;
  readonly port: MessagePort;
  /** Resolves to the id of the thread that the task runs in. */
  readonly thread: Promise<number>;
}

function begin(threads: SourceThreads): Begun {
  const { port1, port2 } = new MessageChannel();
  const outcome = threads
    .run({ port: port2 }, { transferList: [port2] })
    .catch((error: unknown) => (error as Error).message);
  const thread = once(port1, "message").then(([id]) => id as number);
  return { outcome, port: port1, thread };
}

test("tasks run in as many threads as there may be; others wait, in order", async () => {
  const threads = start(2, 2);
  const [first, second, third, fourth] = [0, 1, 2, 3].map(() => begin(threads)) as [
    Begun,
    Begun,
    Begun,
    Begun,
  ];
  expect(await first.thread).not.toBe(await second.thread);
  expect([threads.threads.length, threads.queueSize]).toEqual([2, 2]);
  second.port.postMessage("b");
  expect(await second.outcome).toBe("storeValue b");
  expect(await third.thread).toBe(await second.thread);
  expect(threads.queueSize).toBe(1);
  first.port.postMessage("a");
  expect(await fourth.thread).toBe(await first.thread);
  third.port.postMessage("c");
  fourth.port.postMessage("d");
  expect(await Promise.all([first.outcome, third.outcome, fourth.outcome])).toEqual([
    "storeValue a",
    "storeValue c",
    "storeValue d",
  ]);
});

test("a task too many is rejected, and the waiting ones are not", async () => {
  const threads = start(1, 1);
  const [running, waiting, refused] = [0, 1, 2].map(() => begin(threads)) as [Begun, Begun, Begun];
  expect(await refused.outcome).toBe("1 tasks are waiting");
  running.port.postMessage("a");
  await waiting.thread;
  waiting.port.postMessage("b");
  expect(await waiting.outcome).toBe("storeValue b");
});

test.each([
  ["throw", "thrown", true],
  ["exit", "the thread exited with 3", false],
  ["die", "died", false],
])("a task that ends by %s rejects with it; the next one runs", async (end, message, survives) => {
  const threads = start(1, 8);
  const [task, next] = [begin(threads), begin(threads)];
  const id = await task.thread;
  task.port.postMessage(end);
  expect(await task.outcome).toBe(message);
  expect((await next.thread) === id).toBe(survives);
  next.port.postMessage("a");
  expect(await next.outcome).toBe("storeValue a");
  expect(threads.threads).toHaveLength(1);
});

test("what is thrown behind a task is told, and the next task has another thread", async () => {
  const threads = start(1, 8);
  const told = new Promise((resolve) => threads.on("error", resolve));
  const task = begin(threads);
  const id = await task.thread;
  task.port.postMessage("late");
  expect(await task.outcome).toBe("storeValue late");
  expect(await told).toMatchObject({ message: "late" });
  const next = begin(threads);
  expect(await next.thread).not.toBe(id);
  next.port.postMessage("a");
  expect(await next.outcome).toBe("storeValue a");
});

test("a program that throws at once rejects its task", async () => {
  const { outcome } = begin(start(1, 8, "throw new Error('broken')"));
  expect(await outcome).toBe("broken");
});

test("what cannot be posted rejects, and the thread goes on", async () => {
  const threads = start(1, 8);
  const options: RunOptions = { transferList: [] };
  await expect(threads.run({ f: () => undefined }, options)).rejects.toThrow("cloned");
  const task = begin(threads);
  task.port.postMessage("a");
  expect(await task.outcome).toBe("storeValue a");
});

test("destroy rejects what runs, what waits and what comes", async () => {
  const threads = start(1, 8);
  const [running, waiting] = [begin(threads), begin(threads)];
  await running.thread;
  await threads.destroy();
  expect(await Promise.all([running, waiting, begin(threads)].map((each) => each.outcome))).toEqual(
    ["the thread exited with 1", "the threads have ended", "the threads have ended"],
  );
  expect(threads.threads).toEqual([]);
});

const wholeCache = `
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCache } from "undercroft";

const workers = [];
process.on("worker", (worker) => workers.push(worker));
const path = mkdtempSync(join(tmpdir(), "undercroft-bundled-"));
const options = { memory: "8mb", disk: { path, capacity: "16mb" } };
const cache = await openCache(options);
const restarted = new Promise((resolve) => cache.on("worker-restarted", resolve));
cache.set("object", { x: 1 });
const outcome = await cache.setAsync("large", "x".repeat(1_000_000));
await workers[0].terminate();
const { worker } = await restarted;
await cache.flush();
await cache.close();
const again = await openCache(options);
const [object, large] = [await again.get("object"), await again.get("large")];
await again.close();
rmSync(path, { recursive: true });
const piscina = process.getBuiltinModule("module").createRequire(import.meta.url).cache;
const isLoaded = Object.keys(piscina).some((file) => file.includes("piscina"));
console.log(JSON.stringify([outcome, worker, object, large.length, isLoaded]));
`;

test.each([
  [["--conditions=module"], false],
  [["--conditions=module", "--disallow-code-generation-from-strings"], false],
  [[], true],
])("a cache in a process with %j; loads Piscina: %j", (flags, loadsPiscina) => {
  // In the repository's root the package's own name resolves to what it exports.
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const args = [...flags, "--input-type=module", "--eval", wholeCache];
  const printed = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  expect(JSON.parse(printed)).toEqual(["stored", "janitor", { x: 1 }, 1_000_000, loadsPiscina]);
});

const [permission] = ["--permission", "--experimental-permission"].filter((flag) =>
  process.allowedNodeEnvironmentFlags.has(flag),
);

test("where no worker may be started, opening says what to allow", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const script = `
    const { openCache } = await import("undercroft");
    await openCache({ memory: "8mb" }).catch(({ code, message }) => console.log(code, message));`;
  for (const flags of [[], ["--conditions=module"]]) {
    const args = [permission!, "--allow-fs-read=*", ...flags, "--input-type=module", "-e", script];
    const { stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    expect(stdout).toMatch(/^ERR_RUNTIME .*--allow-worker/);
  }
});

test("a thread keeps its process alive while it has a task, and no longer", () => {
  const url = new URL("../../dist/src/pool/source-threads.js", import.meta.url).href;
  const source = `
    const { parentPort } = process.getBuiltinModule("node:worker_threads");
    parentPort.on("message", () => setTimeout(() => parentPort.postMessage({ value: 1 }), 50));`;
  const script = `
    import { SourceThreads } from ${JSON.stringify(url)};
    const source = ${JSON.stringify(source)};
    const threads = new SourceThreads(source, "storeValue", { max: 2, queue: 1 });
    console.log(await threads.run({}, { transferList: [] }));
    const other = new SourceThreads(source, "storeValue", { max: 1, queue: 1 });
    await other.run({ f: () => undefined }, { transferList: [] }).catch(() => undefined);`;
  const args = ["--input-type=module", "--eval", script];
  // Without a task the thread waits for one for ever: the process must end all the same.
  const printed = execFileSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 });
  expect(printed.trim()).toBe("1");
});
