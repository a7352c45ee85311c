// `attachCache(name)`: in workers that the opener's thread started, at any depth. The environment
// data of this thread is left as it was found.
import { once } from "node:events";
import { getEnvironmentData, Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { attachCache } from "../../dist/src/mod.js";
import { errorOf, freshPath, diskAt, open, setUpCaches } from "./opened.js";

setUpCaches();

const listName = "undercroft:open-caches";
const carried = (): unknown => getEnvironmentData(listName);

/** Runs the rest of its code with the package's exports, and answers messages. */
const program = `
  const { getEnvironmentData, parentPort, Worker, workerData } = require("node:worker_threads");
  import(workerData.entry).then(async ({ attachCache, openCache }) => {
    const attach = (name, options) => {
      try {
        return attachCache(name, options);
      } catch (error) {
        return { error };
      }
    };
    let held;
    const steps = {
      set: (name, key, value) => {
        const cache = attach(name);
        if (cache.error !== undefined) return cache.error.code;
        const outcome = cache.set(key, value);
        void cache.close();
        return outcome;
      },
      attach: (name) => void (held = attach(name)),
      detach: () => held.close(),
      carried: () => getEnvironmentData("${listName}")?.map(({ config }) => config.name) ?? null,
      open: async (name) => void (await openCache({ name, memory: "1mb" })),
      deeper: (...step) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(workerData.program, { eval: true, workerData });
          worker.once("error", reject);
          worker.once("message", () => {
            worker.once("message", async (answer) => {
              await worker.terminate();
              resolve(answer);
            });
            worker.postMessage(step);
          });
        }),
    };
    parentPort.on("message", async ([name, ...args]) => {
      parentPort.postMessage(await steps[name](...args));
    });
    parentPort.postMessage("ready");
  });`;

class Thread {
  readonly #worker: Worker;

  constructor() {
    const entry = new URL("../../dist/src/mod.js", import.meta.url).href;
    this.#worker = new Worker(program, { eval: true, workerData: { entry, program } });
  }

  /** Rejects with what the worker throws. */
  async #answer(): Promise<unknown> {
    const [answer] = (await once(this.#worker, "message")) as [unknown];
    return answer;
  }

  static async start(): Promise<Thread> {
    const thread = new Thread();
    await thread.#answer();
    return thread;
  }

  call(...step: readonly unknown[]): Promise<unknown> {
    const answer = this.#answer();
    this.#worker.postMessage(step);
    return answer;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

describe("attachCache(name)", () => {
  test("attaches in this thread, in a worker, and in workers of workers", async () => {
    const cache = await open({ name: "by name" });
    const here = attachCache("by name");
    here.set("depth 0", true);
    const thread = await Thread.start();
    expect(await thread.call("set", "by name", "depth 1", true)).toBe("stored");
    expect(await thread.call("deeper", "set", "by name", "depth 2", true)).toBe("stored");
    const deepest = ["deeper", "deeper", "set", "by name", "depth 3", true];
    expect(await thread.call(...deepest)).toBe("stored");
    for (const depth of [0, 1, 2, 3]) expect(cache.getSync(`depth ${depth}`)).toBe(true);
    await thread.end();
    await here.close();
    // One that detaches leaves the cache open for the others.
    expect(attachCache("by name").getSync("depth 1")).toBe(true);
  });

  test("checks codec and options as with a handle", async () => {
    const codec = {
      name: "text",
      encode: (text: unknown) => Buffer.from(String(text)),
      decode: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
    };
    const cache = await open({ name: "own codec", codec });
    cache.set("k", "v");
    expect((await errorOf(() => attachCache("own codec"))).message).toContain("options.codec");
    expect(attachCache("own codec", { codec }).getSync("k")).toBe("v");
    expect(() => attachCache(5 as never)).toThrow(TypeError);
  });

  test("refuses a name that no open cache has, and says what to do", async () => {
    const error = await errorOf(() => attachCache("nobody"));
    expect(error.code).toBe("ERR_UNKNOWN_CACHE");
    expect(error.message).toContain('by the name "nobody"');
    expect(error.message).toContain("cache.handle()");
    const early = await Thread.start();
    await open({ name: "later" });
    expect(await early.call("set", "later", "k", 1)).toBe("ERR_UNKNOWN_CACHE");
    await early.end();
  });

  test("refuses a name that two open caches have, until one is closed", async () => {
    const one = await open({ name: "twin" });
    const two = await open({ name: "twin", ...diskAt(freshPath()) });
    const thread = await Thread.start();
    const error = await errorOf(() => attachCache("twin"));
    expect(error.code).toBe("ERR_AMBIGUOUS_CACHE");
    expect(error.message).toContain("2 open caches have it");
    expect(await thread.call("set", "twin", "k", 1)).toBe("ERR_AMBIGUOUS_CACHE");
    await one.close();
    expect(await thread.call("set", "twin", "k", 2)).toBe("stored");
    expect(two.getSync("k")).toBe(2);
    await thread.end();
  });

  test("refuses a closed cache, which no thread keeps", async () => {
    const before = carried();
    const cache = await open({ name: "short" });
    const other = await open({ name: "long" });
    const thread = await Thread.start();
    expect(await thread.call("carried")).toEqual(expect.arrayContaining(["short", "long"]));
    const attached = await Thread.start();
    await attached.call("attach", "short");
    const closing = cache.close();
    expect(carried()).toHaveLength(1);
    await closing;
    await attached.call("detach");
    expect(await attached.call("carried")).toEqual(["long"]);
    await attached.end();
    expect((await errorOf(() => attachCache("short"))).code).toBe("ERR_UNKNOWN_CACHE");
    expect(await thread.call("set", "short", "k", 1)).toBe("ERR_UNKNOWN_CACHE");
    expect(await thread.call("carried")).not.toContain("short");
    await other.close();
    expect(carried()).toEqual(before);
    // Opening another cache is enough for a worker to drop what was closed.
    await thread.call("open", "its own");
    expect(await thread.call("carried")).toEqual(["its own"]);
    await thread.end();
    expect(carried()).toEqual(before);
  });

  test("a cache that could not be opened is not carried", async () => {
    const before = carried();
    const path = freshPath();
    const cache = await open({ name: "holder", ...diskAt(path) });
    await errorOf(() => open({ name: "refused", ...diskAt(path) }));
    expect((await errorOf(() => attachCache("refused"))).code).toBe("ERR_UNKNOWN_CACHE");
    await cache.close();
    expect(carried()).toEqual(before);
  });

  test("the workers of a pool keep no cache: theirs comes with their task", async () => {
    await open({ name: "carried" });
    const tell = `require("node:worker_threads").parentPort.postMessage(
      require("node:worker_threads").getEnvironmentData("${listName}") === undefined);`;
    const url = (file: string): string => new URL(`../../dist/${file}`, import.meta.url).href;
    // The last one is what becomes the text of a bundle's workers.
    const programs = [
      "workers/janitor-worker.js",
      "workers/store-worker.js",
      "modules/workers/worker-program.js",
    ].map((file) => `import("${url(file)}").then(() => { ${tell} });`);
    for (const [text, isDropped] of [
      [tell, false],
      ...programs.map((text) => [text, true] as const),
    ] as const) {
      const worker = new Worker(text, { eval: true });
      expect(await once(worker, "message")).toEqual([isDropped]);
      await worker.terminate();
    }
  });
});
