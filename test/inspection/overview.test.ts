// What an overview says of a directory is what was stored there.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ManualClock } from "../../dist/src/mod.js";
import { inspectDirectory } from "../../dist/src/inspection/mod.js";
import { flipByte } from "../disk-log/scratch-cache.js";
import { copyOf, openAt, scratchFolder, stateOf } from "./made-directory.js";

test("entries are counted by what became of them, over namespaces and sizes", async () => {
  const path = scratchFolder();
  // Long ago by the machine's clock: what expires has.
  const clock = new ManualClock(1_700_000_000_000);
  const cache = await openAt(path, { clock, version: "v3" });
  const agents = cache.namespace<string>("agents");
  for (let number = 0; number < 40; number++) cache.set(`k${number}`, "x".repeat(100));
  for (let number = 0; number < 30; number++) agents.set(`a${number}`, "x".repeat(1000));
  cache.set("large", Buffer.alloc(40_000, 1));
  cache.set("short", 1, { ttl: "1h" });
  for (let number = 0; number < 6; number++) cache.set(`t${number}`, 1, { tags: ["old"] });
  cache.namespace("emptied").set("gone", 1);
  await cache.flush();
  for (let number = 0; number < 5; number++) cache.delete(`k${number}`);
  cache.deleteByTag("old");
  cache.namespace("emptied").clear();

  const live = await inspectDirectory(path);
  expect(live?.owner).toMatchObject({ state: "open", isThisKernel: true });
  expect(live).toMatchObject({ closed: "not closed", snapshotBytes: null, health: [] });
  await cache.close();
  const before = stateOf(path);
  const closed = await inspectDirectory(path);
  expect(stateOf(path)).toBe(before);
  expect(closed?.owner.state).toBe("free");
  expect(closed).toMatchObject({ closed: "clean", version: "v3", sessions: 1, health: [] });
  expect(closed?.nextOpen).toEqual({ kind: "clean", reason: "the cache was closed in order" });

  for (const found of [live, closed]) {
    const { entries, namespaces, sizes } = found!;
    expect(entries).toMatchObject({ live: 35 + 30 + 1, expired: 1 });
    // A tag's and a clear's entries are void, or were swept and have tombstones.
    expect(entries.void + entries.deleted).toBe(5 + 6 + 1);
    expect(entries.parts).toBeGreaterThan(1);
    expect(namespaces.map(({ name, live: count }) => [name, count])).toEqual([
      ["", 36],
      ["agents", 30],
      ["emptied", 0],
    ]);
    expect(sizes.find(({ upTo }) => upTo === 256)?.entries).toBe(36);
    expect(sizes.find(({ upTo }) => upTo === 4096)?.entries).toBe(30);
    expect(found?.oldestMs).toBe(1_700_000_000_000);
    expect(found?.bytes).toBeLessThanOrEqual(4 * 1024 * 1024);
  }
});

test("what is not as it should be is told", async () => {
  const path = scratchFolder();
  const cache = await openAt(path);
  for (let number = 0; number < 100; number++) cache.set(`k${number}`, "x".repeat(500));
  await cache.close();
  const copy = copyOf(path);
  const health = (await inspectDirectory(copy))?.health;
  expect(health).toEqual([expect.stringContaining("starts cold: the directory is a copy")]);
  flipByte(join(path, "segment-000.ucs"), 70);
  rmSync(join(path, "segment-001.ucs"));
  expect((await inspectDirectory(path))?.health).toEqual([
    "segment 0: a batch is damaged, or was cut short: it and those behind it are lost",
    "segment 1: the file is missing, has another length, or its header is damaged",
  ]);
  writeFileSync(join(path, "undercroft.manifest"), Buffer.alloc(8192));
  expect(await inspectDirectory(path)).toBeNull();
});

test("a directory that was left says what the next open finds", async () => {
  const path = scratchFolder();
  const left = scratchFolder();
  const cache = await openAt(path);
  cache.set("a", 1);
  await cache.flush();
  const files = readdirSync(path).filter((name) => statSync(join(path, name)).isFile());
  const bytes = files.map((name) => readFileSync(join(path, name)));
  await cache.close();
  for (const [index, name] of files.entries()) writeFileSync(join(path, name), bytes[index]!);
  rmSync(join(path, "undercroft.index"));
  const found = await inspectDirectory(path);
  expect(found).toMatchObject({ closed: "not closed", entries: { live: 1 } });
  expect(found?.nextOpen?.kind).toBe("scan");
  await expect(inspectDirectory(left)).rejects.toMatchObject({ code: "ERR_DIRECTORY_NOT_OURS" });
});
