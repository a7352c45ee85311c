// What a tag has ended stays so when a clear ends it once more, and a kill and a power loss follow:
// the clear may be lost, and the tag may not be forgotten for it before.
import { afterAll, beforeAll, expect, test } from "vitest";

import { CrashDisk, losses } from "../../dist/test/proof/disk/crash-image.js";
import { type Engine, loadEngine } from "../../dist/test/proof/disk/engine.js";
import { fileSystemOver, MemoryFiles } from "../../dist/test/proof/disk/memory-files.js";
import { type DiskEvent, recorded } from "../../dist/test/proof/disk/recorded-files.js";
import { optionsOf, plots } from "../../dist/test/proof/disk/story.js";
import { randomOf } from "./entry-value.js";

let engine: Engine;

beforeAll(async () => {
  engine = await loadEngine();
});

afterAll(() => {
  engine.remove();
});

const options = optionsOf(plots[0] as (typeof plots)[number]);

/** Does the work in a session of its own, and returns what it did to the directory. */
async function session(
  files: MemoryFiles,
  work: (cache: Awaited<ReturnType<Engine["openCache"]>>) => Promise<void> | void,
): Promise<DiskEvent[]> {
  const events: DiskEvent[] = [];
  let isOver = false;
  engine.useFileSystem(
    recorded(fileSystemOver(files), (event) => void (isOver || events.push(event))),
  );
  const cache = await engine.attend(engine.openCache(options));
  await work(cache);
  isOver = true;
  await engine.attend(cache.close());
  return events;
}

test("a tag that a lost clear covers is not forgotten", { timeout: 300_000 }, async () => {
  const random = randomOf(5);
  engine.seed(random);
  const files = new MemoryFiles();
  const disk = new CrashDisk(files);
  const events: DiskEvent[] = [];
  engine.useFileSystem(recorded(fileSystemOver(files), (event) => events.push(event)));
  const first = await engine.attend(engine.openCache(options));
  first.set("a", "old", { tags: ["t"] });
  await engine.attend(first.flush({ fsync: true }));
  await engine.attend(first.close());
  const second = await engine.attend(engine.openCache(options));
  second.deleteByTag("t");
  await engine.attend(second.flush({ fsync: true }));
  await engine.attend(second.close());
  for (const event of events) disk.apply(event);
  // Killed after the clear: the recovery finds it in the page cache.
  for (const event of await session(files, (cache) => cache.clear())) disk.apply(event);
  const recovery = await session(disk.killed(undefined, 0), () => undefined);
  let reads = 0;
  for (let stop = 0; stop <= recovery.length; stop++) {
    if (stop > 0) disk.apply(recovery[stop - 1] as DiskEvent);
    for (const loss of losses) {
      for (let times = 0; times < 8; times++) {
        const left = disk.lost(loss, random);
        left.bootId = "22222222-2222-2222-2222-222222222222";
        await session(left, async (cache) => {
          expect([stop, loss, await cache.get("a")]).toEqual([stop, loss, undefined]);
          reads += 1;
        });
      }
    }
  }
  expect(reads).toBeGreaterThan(100);
});
