// Flushing what other threads leave half done: abandoned records, and segments that are emptied
// meanwhile.

import { describe, expect, test } from "vitest";
import { afterKill, freshPath, open, setUpCaches, until } from "./killed.js";

setUpCaches();

describe("flush", () => {
  test("continues after an abandoned record", async () => {
    const path = freshPath();
    const cache = await open(path);
    let finish: ((value: string) => void) | undefined;
    const loading = cache.fetch("k", () => new Promise<string>((resolve) => (finish = resolve)));
    await until(() => finish !== undefined);
    cache.set("k", "newer");
    finish?.("loaded");
    await loading;
    cache.set("after", "kept");
    await cache.flush();
    const next = await afterKill(path);
    expect(await next.get("k")).toBe("newer");
    expect(await next.get("after")).toBe("kept");
  });
});

test("is not disturbed by records that vanish while it runs", async () => {
  const cache = await open(freshPath());
  const restarts: string[] = [];
  cache.on("worker-restarted", ({ reason }) => restarts.push(reason));
  const value = "v".repeat(300);
  const end = performance.now() + 6000;
  let writes = 0;
  while (performance.now() < end) {
    for (let burst = 0; burst < 500; burst++) cache.set(`k${writes++ % 50_000}`, value, { ttl: 5 });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await cache.flush();
  expect(restarts).toEqual([]);
  expect(cache.stats().diskErrors).toBe(0);
});
