// The tracing channel of loads, over a whole cache.
import { AsyncLocalStorage } from "node:async_hooks";
import { tracingChannel } from "node:diagnostics_channel";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { type LoadTrace, ManualClock } from "../../dist/src/mod.js";
import { open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

const moments = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;
const loads = tracingChannel<unknown, LoadTrace>("undercroft:load");
let seen: [moment: string, message: LoadTrace][];

const listeners = Object.fromEntries(
  moments.map((moment) => [
    moment,
    (message: LoadTrace) => void seen.push([moment, { ...message }]),
  ]),
) as unknown as Parameters<typeof loads.subscribe>[0];

beforeEach(() => {
  seen = [];
  loads.subscribe(listeners);
});

afterEach(() => {
  loads.unsubscribe(listeners);
});

const plain = { cache: "users", key: "a", forced: false, stale: false, background: false };

describe("undercroft:load", () => {
  test("tells a load from its start to its end, with what it brought", async () => {
    const cache = await open<string>({ name: "users" });
    let began: unknown[] = [];
    await cache.fetch("a", async () => {
      began = seen.map(([moment]) => moment);
      return "1";
    });
    expect(began).toEqual(["start"]);
    expect(seen.map(([moment]) => moment)).toEqual(["start", "end", "asyncStart", "asyncEnd"]);
    expect(seen[0]?.[1]).toEqual(plain);
    expect(seen[3]?.[1]).toEqual({ ...plain, result: "1" });
  });

  test("tells nothing of a hit, and one load for fetches that wait for it", async () => {
    const cache = await open<string>({ name: "users" });
    await Promise.all([cache.fetch("a", () => "1"), cache.fetch("a", () => "2")]);
    await cache.fetch("a", () => "3");
    expect(seen.filter(([moment]) => moment === "start")).toHaveLength(1);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no a");
      },
    ],
    ["rejects", async () => Promise.reject(new Error("no a"))],
  ])("tells the error of a loader that %s, which the caller gets as it is", async (_, load) => {
    const cache = await open<string>({ name: "users" });
    const error = await cache.fetch("a", load).catch((reason: unknown) => reason);
    const told = seen.find(([moment]) => moment === "error")?.[1];
    expect(told).toEqual({ ...plain, error });
    expect(told?.error).toBe(error);
    expect((error as Error).message).toBe("no a");
  });

  test("tells a forced load, and a refresh that nobody waits for", async () => {
    const clock = new ManualClock();
    const cache = await open<string>({ name: "users", clock });
    cache.set("a", "1", { ttl: 1000, staleFor: "1h" });
    await cache.fetch("a", () => "2", { forceRefresh: true, ttl: 1000, staleFor: "1h" });
    expect(seen[0]?.[1]).toEqual({ ...plain, forced: true, stale: true });
    clock.advance(2000);
    seen = [];
    expect(await cache.fetch("a", () => "3")).toBe("2");
    await until(() => seen.length === 4);
    expect(seen[0]?.[1]).toEqual({ ...plain, stale: true, background: true });
  });

  test("gives the loader the store that is bound to its start", async () => {
    const cache = await open<string>({ name: "users" });
    const spans = new AsyncLocalStorage<string>();
    loads.start.bindStore(spans, ({ key }) => `span of ${String(key)}`);
    try {
      const value = await cache.fetch("a", async () => {
        await Promise.resolve();
        return String(spans.getStore());
      });
      expect(value).toBe("span of a");
    } finally {
      loads.start.unbindStore(spans);
    }
  });

  test("tells bytes as a key, and the key that the loader gets", async () => {
    const cache = await open<string>({ name: "users" });
    let given: unknown;
    await cache.fetch(Uint8Array.of(1, 2), ({ key }) => {
      given = key;
      return "1";
    });
    expect(seen[0]?.[1].key).toBe(given);
    expect(seen[0]?.[1].key).toEqual(Uint8Array.of(1, 2));
  });
});
