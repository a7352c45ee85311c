// Shares of the disk: when segment files are reclaimed, what a namespace has within its own is
// written again, also after a restart.

import { expect, test } from "vitest";
import type { Namespace } from "../../dist/src/mod.js";
import { names, openDisk, scratchDirectory } from "./scratch-cache.js";

const value = "x".repeat(1000);

interface Written {
  readonly cache: { flush(): Promise<void> };
  readonly space: Pick<Namespace<string>, "set">;
}

async function fill({ cache, space }: Written, keys: readonly string[]): Promise<void> {
  for (const [index, key] of keys.entries()) {
    space.set(key, value);
    if (index % 100 === 99) await cache.flush();
  }
  await cache.flush();
}

async function partOf(space: Pick<Namespace<string>, "get">, keys: readonly string[]) {
  let found = 0;
  for (const key of keys) if ((await space.get(key)) !== undefined) found += 1;
  return found / keys.length;
}

test.each(["in one session", "after a restart"])("a flood takes nothing: %s", async (when) => {
  const path = scratchDirectory();
  const options = { capacity: "8mb" };
  let { cache } = await openDisk(path, options);
  let kept = cache.namespace<string>("kept", { disk: "3mb" });
  const keys = names("kept", 2000);
  await fill({ cache, space: kept }, keys);
  if (when === "after a restart") {
    await cache.close();
    ({ cache } = await openDisk(path, options));
    kept = cache.namespace<string>("kept", { disk: "3mb" });
  }
  const before = await partOf(kept, keys);
  expect(before).toBeGreaterThan(0.96);
  await fill({ cache, space: cache }, names("flood", 12_000));
  expect(cache.stats().segments.diskReclaimed).toBeGreaterThan(50);
  expect(await partOf(kept, keys)).toBeGreaterThanOrEqual(0.95 * before);
});

test("without a share, and beyond it, the oldest leave", async () => {
  const { cache } = await openDisk(scratchDirectory(), { capacity: "8mb" });
  const [beyond, without] = [
    cache.namespace<string>("beyond", { disk: "1mb" }),
    cache.namespace<string>("without"),
  ];
  const keys = names("k", 2000);
  await fill({ cache, space: beyond }, keys);
  await fill({ cache, space: without }, keys);
  await fill({ cache, space: cache }, names("flood", 12_000));
  // Some may be in memory.
  expect(await partOf(without, keys)).toBeLessThan(0.05);
  const part = await partOf(beyond, keys);
  expect(part).toBeGreaterThan(0.3);
  expect(part).toBeLessThan(0.6);
});

test("what was cleared, or deleted by a tag, is not written again", async () => {
  const { cache } = await openDisk(scratchDirectory(), { capacity: "8mb" });
  const space = cache.namespace<string>("cleared", { disk: "3mb" });
  await fill({ cache, space }, names("k", 2000));
  space.clear();
  await fill({ cache, space: cache }, names("flood", 12_000));
  expect(cache.stats().moves.reinsertions).toBe(0);
  expect(await partOf(space, names("k", 2000))).toBe(0);
});
