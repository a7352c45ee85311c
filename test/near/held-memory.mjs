// What a cache keeps alive of its callers' strings and objects. Run by held-memory.test.ts with
// --expose-gc, one scenario a process; prints one line of JSON.

import { attachCache, openCache } from "../../dist/src/mod.js";

const scenario = process.argv[2];
const { gc } = globalThis;
const parentBytes = 100_000;

/** Bytes of live objects, in MB. */
function heapMB() {
  gc();
  gc();
  return process.memoryUsage().heapUsed / 1e6;
}

/** A key cut from a larger string, which V8 keeps alive for it. */
function sliced(i) {
  const text = `key-${String(i).padStart(20, "0")}:${"q".repeat(parentBytes)}`;
  return Buffer.from(text).toString("latin1").slice(0, 24);
}

/** Waits until `isDone`; garbage is collected between two turns of the event loop. */
async function until(isDone) {
  for (let turn = 0; turn < 200; turn++) {
    gc();
    if (isDone()) return true;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return false;
}

/** How much the heap grew by `run`, whose result is held meanwhile. */
async function growth(run) {
  const before = heapMB();
  const held = await run();
  await new Promise((resolve) => setImmediate(resolve));
  const grownMB = heapMB() - before;
  return { grownMB, held };
}

const scenarios = {
  /** Keys that callers intern for a while, and then drop. */
  async interned() {
    const cache = await openCache({ memory: "8mb", near: { maxEntries: 1000 } });
    let keys = Array.from({ length: 500 }, (_, i) => sliced(i));
    for (const key of keys) cache.set(key, 1);
    const { grownMB } = await growth(() => {
      for (let round = 0; round < 3000; round++) for (const key of keys) cache.getSync(key);
      // What is left is what the cache holds.
      keys = undefined;
    });
    const keptMB = grownMB + (500 * parentBytes) / 1e6; // the callers' own went meanwhile
    const { near } = cache.stats().hits;
    await cache.close();
    return { keptMB, near };
  },

  /** Loads under way whose callers' keys are gone. */
  async loads() {
    const cache = await openCache({ memory: "8mb" });
    const resolvers = [];
    const load = () => new Promise((resolve) => resolvers.push(resolve));
    const { grownMB, held } = await growth(async () => {
      const fetches = [];
      for (let i = 0; i < 500; i++)
        fetches.push(cache.fetch(sliced(i), load, { tags: [sliced(i)] }));
      await new Promise((resolve) => setImmediate(resolve));
      return { fetches };
    });
    const loads = resolvers.length;
    for (const resolve of resolvers) resolve(1);
    await Promise.all(held.fetches);
    await cache.close();
    return { keptMB: grownMB, loads };
  },

  /** Every call with a key that stays in nobody's hands. */
  async calls() {
    const cache = await openCache({ memory: "8mb" });
    const { grownMB } = await growth(async () => {
      for (let i = 0; i < 500; i++) {
        const key = sliced(i);
        cache.set(key, { a: 1 }, { tags: [sliced(i)] });
        cache.getSync(key);
        cache.getSync(key);
        await cache.get(key);
        await cache.getEntry(key);
        await cache.fetch(key, () => 1);
        await cache.fetch(`${key}+`, () => 2, { tags: [sliced(i)] });
        cache.has(key);
        await cache.setAsync(`${key}-`, { b: 1 });
        if (i % 2 === 0) cache.delete(key);
      }
    });
    await cache.close();
    return { keptMB: grownMB };
  },

  /** The objects that a caller gave and got, after what `end` does. */
  async objects(end) {
    const cache = await openCache({ memory: "8mb" });
    const given = [];
    const got = [];
    const note = (list, value) => {
      list.push(new WeakRef(value));
      return value;
    };
    await (async () => {
      for (let i = 0; i < 50; i++) {
        cache.set(`set${i}`, note(given, { i, list: [i] }));
        note(got, cache.getSync(`set${i}`));
        note(got, await cache.get(`set${i}`));
        note(got, await cache.fetch(`load${i}`, () => note(given, { i, loaded: true })));
        note(got, (await cache.getEntry(`load${i}`)).value);
        await cache.setAsync(`async${i}`, note(given, { i, text: "x".repeat(100) }));
      }
    })();
    const isGone = (list) => list.every((ref) => ref.deref() === undefined);
    const givenGone = await until(() => isGone(given));
    gc();
    const nearBefore = got.filter((ref) => ref.deref() !== undefined).length;
    await end(cache);
    const gotGone = await until(() => isGone(got));
    await cache.close();
    return { givenGone, nearBefore, gotGone, held: cache.name };
  },

  async cleared() {
    return scenarios.objects((cache) => cache.clear());
  },

  async closed() {
    return scenarios.objects((cache) => cache.close());
  },

  /** Another thread's near cache (here another handle's), which learns of it at its next call. */
  async elsewhere() {
    const outcome = {};
    for (const end of ["clear", "close"]) {
      const cache = await openCache({ memory: "8mb" });
      const attached = attachCache(cache.handle());
      const got = [];
      for (let i = 0; i < 50; i++) {
        cache.set(`k${i}`, { i });
        got.push(new WeakRef(attached.getSync(`k${i}`)));
      }
      await new Promise((resolve) => setImmediate(resolve));
      gc();
      const before = got.filter((ref) => ref.deref() !== undefined).length;
      await cache[end]();
      try {
        attached.getSync("another");
      } catch (error) {
        if (error.code !== "ERR_CACHE_CLOSED") throw error;
      }
      outcome[end] = {
        before,
        gone: await until(() => got.every((ref) => ref.deref() === undefined)),
      };
      await attached.close();
      await cache.close();
    }
    return outcome;
  },

  /** The heap after a clear and after a close, against what the near cache held. */
  async heap() {
    const cache = await openCache({
      memory: "64mb",
      near: { maxEntries: 20_000, maxBytes: "32mb" },
    });
    const before = heapMB();
    const fill = () => {
      for (let i = 0; i < 20_000; i++) {
        const key = `key${i}`;
        cache.set(key, { i, text: `${i}`.repeat(100) });
        for (let read = 0; read < 4; read++) cache.getSync(key);
      }
    };
    fill();
    const filledMB = heapMB() - before;
    cache.clear();
    const clearedMB = heapMB() - before;
    fill();
    await cache.close();
    const closedMB = heapMB() - before;
    return { filledMB, clearedMB, closedMB, held: cache.name };
  },
};

process.stdout.write(JSON.stringify(await scenarios[scenario]()));
