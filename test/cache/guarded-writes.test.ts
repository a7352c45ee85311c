// Guarded writes: no thread finds an older value than the source had when it asked, whatever loads,
// writes, failures and deaths come at once.

import { Worker } from "node:worker_threads";

import { describe, expect, test } from "vitest";

import { flightFree } from "../../src/kernel/flight-layout.js";
import { flightStatesOf } from "../../dist/test/proof/flight-words.js";
import type { Cache } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "./opened.js";

setUpCaches();

interface Row {
  readonly version: number;
}

/** A promise and what settles it. */
class Gate<T> {
  open: (value: T) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;
  readonly passed = new Promise<T>((resolve, reject) => {
    this.open = resolve;
    this.fail = reject;
  });
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

function flightsOf(cache: Cache<Row>): number {
  const states = flightStatesOf(cache.handle().worker.memory.buffer);
  return states.filter((state) => state !== flightFree).length;
}

describe("a guarded write", () => {
  test("kills the entry, then writes, then stores the answer", async () => {
    const cache = await open<Row>();
    cache.set("k", { version: 1 });
    for (let hit = 0; hit < 8; hit++) cache.getSync("k");
    const seen: unknown[] = [];
    const answer = await cache.write(
      "k",
      async () => {
        seen.push(cache.getSync("k"), cache.has("k"));
        await turn();
        seen.push(await cache.get("k"));
        return { version: 2 };
      },
      { ttl: "1h", tags: ["t"] },
    );
    expect(seen).toEqual([undefined, false, undefined]);
    expect(answer).toEqual({ version: 2 });
    expect(cache.getSync("k")).toEqual({ version: 2 });
    const kept = await cache.getEntry("k");
    expect(kept?.tags).toEqual(["t"]);
    expect((kept?.expiresAt ?? 0) - (kept?.createdAt ?? 0)).toBe(3_600_000);
    expect(flightsOf(cache)).toBe(0);
  });

  test("stores nothing for undefined, nor if it throws", async () => {
    const cache = await open<Row>();
    cache.set("k", { version: 1 });
    expect(await cache.write("k", () => undefined)).toBeUndefined();
    expect(cache.has("k")).toBe(false);
    cache.set("k", { version: 1 });
    const fails = (): never => {
      throw new Error("on purpose");
    };
    expect((await errorOf(() => cache.write("k", fails))).message).toBe("on purpose");
    expect(cache.has("k")).toBe(false);
    const refused = (): Row => (() => 1) as unknown as Row;
    expect(await errorOf(() => cache.write("k", refused))).toBeInstanceOf(TypeError);
    expect(cache.has("k")).toBe(false);
    expect(flightsOf(cache)).toBe(0);
  });

  test("supersedes loads that began before it", async () => {
    const cache = await open<Row>();
    const load = new Gate<Row>();
    const before = cache.fetch("k", () => load.passed);
    await turn();
    const write = new Gate<Row | undefined>();
    const writing = cache.write("k", () => write.passed);
    load.open({ version: 1 });
    expect(await before).toEqual({ version: 1 });
    expect(cache.has("k")).toBe(false);
    write.open(undefined);
    await writing;
    expect(cache.has("k")).toBe(false);
    expect(cache.stats().fillsSuperseded).toBe(1);
  });

  test("what is fetched meanwhile is loaded and not stored, then or later", async () => {
    const cache = await open<Row>();
    const write = new Gate<Row | undefined>();
    const writing = cache.write("k", () => write.passed);
    await turn();
    expect(await cache.fetch("k", () => ({ version: 1 }))).toEqual({ version: 1 });
    expect(await cache.fetch("k", () => undefined, { negativeTtl: "1m" })).toBeUndefined();
    expect(await cache.fetch("k", () => ({ version: 2 }))).toEqual({ version: 2 });
    expect(cache.has("k")).toBe(false);
    const late = new Gate<Row>();
    const loading = cache.fetch("k", () => late.passed);
    const forced = cache.fetch("k", () => late.passed, { forceRefresh: true });
    await turn();
    write.open({ version: 3 });
    await writing;
    late.open({ version: 2 });
    expect(await loading).toEqual({ version: 2 });
    expect(await forced).toEqual({ version: 2 });
    expect(cache.getSync("k")).toEqual({ version: 3 });
    expect(cache.stats()).toMatchObject({ fillsRefused: 0, fillsSuperseded: 4 });
  });

  test("a fetch that begins after it does not join a load from before", async () => {
    const cache = await open<Row>();
    const write = new Gate<Row | undefined>();
    const writing = cache.write("k", () => write.passed);
    await turn();
    const old = new Gate<Row>();
    const loading = cache.fetch("k", () => old.passed);
    await turn();
    write.open(undefined);
    await writing;
    expect(await cache.fetch("k", () => ({ version: 2 }))).toEqual({ version: 2 });
    old.open({ version: 1 });
    await loading;
    expect(cache.getSync("k")).toEqual({ version: 2 });
  });

  test.each(["first", "second"])(
    "of two at once neither is stored, with the %s last",
    async (last) => {
      const cache = await open<Row>();
      const gates = [new Gate<Row>(), new Gate<Row>()] as const;
      const first = cache.write("k", () => gates[0].passed);
      const second = cache.write("k", () => gates[1].passed);
      await turn();
      const order = last === "second" ? gates : gates.toReversed();
      order[0]?.open({ version: 1 });
      await (last === "second" ? first : second);
      expect(cache.has("k")).toBe(false);
      // The other still guards the key.
      await cache.fetch("k", () => ({ version: 0 }));
      expect(cache.has("k")).toBe(false);
      order[1]?.open({ version: 2 });
      await Promise.all([first, second]);
      expect(cache.has("k")).toBe(false);
      await cache.write("k", () => ({ version: 3 }));
      expect(cache.getSync("k")).toEqual({ version: 3 });
    },
  );

  test.each(["set", "setAsync", "update", "clear", "deleteByTag"] as const)(
    "after a %s of the key meanwhile, it is left dead",
    async (method) => {
      const cache = await open<Row>();
      const write = new Gate<Row>();
      const writing = cache.write("k", () => write.passed, { tags: ["t"] });
      await turn();
      const other = { version: 5 };
      if (method === "set") cache.set("k", other);
      else if (method === "setAsync") await cache.setAsync("k", other);
      else if (method === "update") cache.update("k", (row) => row, { absent: other });
      else if (method === "clear") cache.clear();
      else cache.deleteByTag("t");
      write.open({ version: 1 });
      expect(await writing).toEqual({ version: 1 });
      expect(cache.has("k")).toBe(false);
    },
  );

  test("a set under way in the pool is not stored over it", async () => {
    const cache = await open<Row>();
    const setting = cache.setAsync("k", { version: 1 });
    await cache.write("k", () => ({ version: 2 }));
    expect(await setting).toBe("stored");
    expect(cache.getSync("k")).toEqual({ version: 2 });
  });

  test("other keys go on", async () => {
    const cache = await open<Row>();
    const write = new Gate<undefined>();
    const writing = cache.write("k", () => write.passed);
    await turn();
    await cache.fetch("other", () => ({ version: 1 }));
    await cache.write("third", () => ({ version: 1 }));
    expect([cache.has("other"), cache.has("third")]).toEqual([true, true]);
    write.open(undefined);
    await writing;
  });

  test("carries a revision", async () => {
    const cache = await open<Row>();
    await cache.write("k", () => ({ version: 7 }), { revision: ({ version }) => version });
    expect(cache.set("k", { version: 6 }, { revision: 6 })).toBe("outdated");
  });

  test("stays dead on disk from before the function runs", async () => {
    const path = freshPath();
    const cache = await open<Row>(diskAt(path));
    cache.set("k", { version: 1 });
    await cache.flush();
    const write = new Gate<Row>();
    const writing = cache.write("k", () => write.passed);
    await turn();
    await cache.close();
    write.open({ version: 2 });
    // The source has it: a closed cache is no error.
    expect(await writing).toEqual({ version: 2 });
    const again = await open<Row>(diskAt(path));
    expect(await again.get("k")).toBeUndefined();
    expect((await errorOf(() => cache.write("k", () => ({ version: 3 })))).name).toBe(
      "UndercroftError",
    );
  });

  test("waits while no flight is free", async () => {
    const cache = await open<Row>({ memory: "1mb" });
    const loads = new Gate<Row>();
    const busy = Array.from({ length: 4000 }, (_, key) =>
      cache.fetch(`b${key}`, () => loads.passed),
    );
    await turn();
    let isWritten = false;
    const writes = Array.from({ length: 200 }, (_, key) =>
      cache.write(`w${key}`, () => {
        isWritten ||= key === 199;
        return { version: key };
      }),
    );
    await turn();
    expect(isWritten).toBe(false);
    loads.open({ version: 0 });
    await Promise.all([...busy, ...writes]);
    expect(cache.getSync("w199")).toEqual({ version: 199 });
    expect(flightsOf(cache)).toBe(0);
  });

  test("works in a namespace, as updates and revisions do", async () => {
    const cache = await open();
    const rows = cache.namespace<Row, { id: number }>("rows", {
      key: ({ id }) => `r${id}`,
      tags: ({ id }) => [`row:${id}`],
    });
    const name = { id: 1 };
    const fillings: (() => unknown)[] = [
      () => rows.write(name, () => ({ version: 2 })),
      () => rows.update(name, (row) => row, { absent: { version: 3 } }),
      () => rows.set(name, { version: 4 }, { revision: 4 }),
    ];
    for (const fill of fillings) {
      await fill();
      expect(rows.update(name, ({ version }) => ({ version: version + 10 }))).toBe("stored");
      expect(rows.getSync(name)?.version).toBeGreaterThan(11);
      expect(cache.has("r1")).toBe(false);
      cache.deleteByTag("row:1");
      expect(rows.has(name)).toBe(false);
    }
    rows.set(name, { version: 5 }, { revision: 5 });
    expect(rows.set(name, { version: 4 }, { revision: 4 })).toBe("outdated");
    cache.set("r1", "another", { revision: 9 });
    expect(rows.delete(name, { revision: 5 })).toBe(true);
    expect(rows.set(name, { version: 5 }, { revision: 5 })).toBe("outdated");
    rows.clear();
    expect(rows.set(name, { version: 1 }, { revision: 1 })).toBe("stored");
  });

  test("refuses what is no function, key or option", async () => {
    const cache = await open<Row>();
    const call = (...args: unknown[]): Promise<unknown> =>
      cache.write(...(args as Parameters<typeof cache.write>));
    expect((await errorOf(() => call("k"))).message).toMatch(/"k".*must be a function/);
    expect(await errorOf(() => call(7, () => 1))).toBeInstanceOf(TypeError);
    const wrong = await errorOf(() => call("k", () => 1, { revision: 1 }));
    expect(wrong.message).toMatch(/revision.*a function/);
  });
});

describe("over threads", () => {
  const keys = 12;

  async function lanesOf(cache: Cache<Row>, words: Int32Array, dies: boolean): Promise<unknown> {
    const url = new URL("writing-thread.mjs", import.meta.url);
    const data = { handle: cache.handle(), words, keys, lanes: 6, rounds: 60, dies };
    const worker = new Worker(url, { workerData: data });
    return new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      if (dies) worker.once("exit", resolve);
    });
  }

  test("no read is stale and nothing wrong stays, though a thread dies in between", async () => {
    const cache = await open<Row>(diskAt(freshPath()));
    const words = new Int32Array(new SharedArrayBuffer(8 * keys));
    const reports = await Promise.all([
      lanesOf(cache, words, false),
      lanesOf(cache, words, false),
      lanesOf(cache, words, true),
    ]);
    expect(reports.slice(0, 2)).toMatchObject([{ stale: 0 }, { stale: 0 }]);
    // What a dead thread wrote, nobody has committed; all that is left must be what the rows say.
    let there = 0;
    for (let key = 0; key < keys; key++) {
      const row = await cache.get(`k${key}`);
      if (row === undefined) continue;
      there += 1;
      expect(row.version).toBe(Atomics.load(words, key));
    }
    expect(there).toBeGreaterThan(0);
    await until(() => flightsOf(cache) === 0);
    for (let key = 0; key < keys; key++) await cache.fetch(`k${key}`, () => ({ version: -1 }));
    expect(await cache.getMany(Array.from({ length: keys }, (_, key) => `k${key}`))).toHaveProperty(
      "size",
      keys,
    );
  });
});
