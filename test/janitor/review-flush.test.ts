// Flushing what other threads leave half done: abandoned records, segments that are emptied meanwhile.

import { describe, expect, test } from "vitest";
import { afterKill, freshPath, open, setUpCaches, until } from "./killed.js";

setUpCaches();

describe("flush", () => {
  test("goes on behind a record that was given up", async () => {
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
