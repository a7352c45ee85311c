// One AbortSignal for many calls: one listener while any of them waits, none afterwards, and the
// signal's reason for each that waits when it aborts.

import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Cache } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

const warnings: Error[] = [];
const note = (warning: Error): void => void warnings.push(warning);

beforeEach(() => {
  warnings.length = 0;
  process.on("warning", note);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve)); // a warning comes a tick later
  process.off("warning", note);
  if (warnings.length > 0) throw warnings[0] as Error;
});

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;
const many = Array.from({ length: 40 }, (_, number) => `k${number}`);

/** A cache that has its keys on disk only. */
async function openOnDisk(): Promise<Cache> {
  const path = freshPath();
  const first = await open(diskAt(path));
  first.setMany(many.map((key) => [key, { key }]));
  await first.close();
  return open(diskAt(path));
}

describe("one signal for many calls", () => {
  test("has one listener while reads of the disk, loads and sets wait, and then none", async () => {
    const cache = await openOnDisk();
    const { signal } = new AbortController();
    let open_ = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open_ = resolve));
    const load = async (): Promise<number> => (await gate, 1);
    const all = [
      ...many.map((key) => cache.get(key, { signal })),
      ...many.map((key) => cache.fetch(`new-${key}`, load, { signal })),
      ...many.map((key) => cache.setAsync(`set-${key}`, "x".repeat(5000), { signal })),
      cache.getMany(many, { signal }),
    ];
    expect(listeners(signal)).toBe(1);
    open_();
    const values = await Promise.all(all);
    expect(listeners(signal)).toBe(0);
    expect(values.slice(0, 2)).toEqual([{ key: "k0" }, { key: "k1" }]);
    expect(values.slice(40, 42)).toEqual([1, 1]);
    expect(values.slice(80, 82)).toEqual(["stored", "stored"]);
    expect((values.at(-1) as Map<string, unknown>).size).toBe(many.length);
  });

  test("has none for what is in memory, or in no tier", async () => {
    const cache = await open();
    const { signal } = new AbortController();
    const added: string[] = [];
    const original = signal.addEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof original>) => {
      added.push(args[0]);
      original(...args);
    };
    cache.set("k", 1);
    for (const key of ["k", "absent"]) {
      for (let hit = 0; hit < 30; hit++) await cache.get(key, { signal });
      await cache.getMany([key, key], { signal });
    }
    expect(await cache.fetch("k", () => 2, { signal })).toBe(1);
    expect(added).toEqual([]);
  });

  test("rejects each that waits with its reason, and leaves no listener", async () => {
    const cache = await openOnDisk();
    const aborter = new AbortController();
    const { signal } = aborter;
    const reason = new Error("enough");
    const hangs = (): Promise<never> => new Promise(() => undefined);
    const all = [
      cache.get("k0", { signal }),
      cache.getMany(many, { signal }),
      cache.fetch("new", hangs, { signal }),
      cache.setAsync("set", "x".repeat(100_000), { signal }),
    ];
    const others = [cache.get("k0"), cache.getMany(["k1"])];
    aborter.abort(reason);
    for (const one of all) expect(await errorOf(() => one)).toBe(reason);
    expect(listeners(signal)).toBe(0);
    expect(await others[0]).toEqual({ key: "k0" });
    expect(((await others[1]) as Map<string, unknown>).size).toBe(1);
    // The set goes on.
    await until(() => cache.has("set"));
  });

  test("that has aborted already rejects at once, and does nothing", async () => {
    const cache = await open();
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    cache.set("k", 1);
    const never = (): never => {
      throw new Error("the loader is not to run");
    };
    for (const call of [
      () => cache.get("k", { signal }),
      () => cache.getMany(["k"], { signal }),
      () => cache.fetch("j", never, { signal }),
      () => cache.setAsync("k", 2, { signal }),
    ]) {
      expect(await errorOf(call)).toBe(reason);
    }
    expect(cache.getSync("k")).toBe(1);
    expect(listeners(signal)).toBe(0);
  });

  test("leaves no listener when a call fails", async () => {
    const cache = await openOnDisk();
    const { signal } = new AbortController();
    const failing = [
      errorOf(() => cache.fetch("new", () => Promise.reject(new Error("down")), { signal })),
      errorOf(() => cache.getMany(["k0", ""], { signal })),
      errorOf(() => cache.get("", { signal })),
      errorOf(() => cache.setAsync("k", (() => 1) as never, { signal })),
    ];
    await Promise.all(failing);
    const closed = [cache.get("k3", { signal }), cache.getMany(many, { signal })].map((one) =>
      one.then(
        () => "read",
        (error: { code?: string }) => error.code,
      ),
    );
    await cache.close();
    for (const one of closed) expect(["read", "ERR_CACHE_CLOSED"]).toContain(await one);
    expect(listeners(signal)).toBe(0);
  });

  test("is refused if it is none", async () => {
    const cache = await open();
    for (const signal of [null, {}, 5]) {
      const options = { signal } as never;
      for (const call of [
        () => cache.get("k", options),
        () => cache.getMany(["k"], options),
        () => cache.setAsync("k", 1, options),
      ]) {
        const error = await errorOf(call);
        expect(error).toBeInstanceOf(TypeError);
        expect(error.message).toContain("Cannot use option signal");
      }
    }
    const unknown = await errorOf(() => cache.getMany(["k"], { timeout: 5 } as never));
    expect(unknown.message).toContain("Cannot use option timeout");
  });
});
