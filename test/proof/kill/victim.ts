// A thread that is to be killed: attaches to a cache twice, as a user and as the eviction do, and
// works until it dies. kill.ts runs it as a worker. Its values identify themselves, so that a value
// under a wrong key is detected.

import { parentPort, workerData } from "node:worker_threads";

import { seededRandom } from "../../../bench/workload.js";
import * as at from "../../../src/kernel/layout.js";
import { Kernel } from "../../../src/kernel/mod.js";
import { attachCache, type CacheHandle } from "../../../src/mod.js";
import { keyOf, valueOf } from "./values.js";

/** How a victim ends, if it is not terminated. */
export type Suicide = "none" | "exit" | "throw" | "memory";

export interface VictimData {
  readonly handle: CacheHandle;
  readonly seed: number;
  readonly suicide: Suicide;
  /** Operations before it ends itself. */
  readonly operationsMax: number;
}

const { handle, seed, suicide, operationsMax } = workerData as VictimData;
const cache = attachCache(handle);
const kernel = Kernel.attach(handle.worker.module, handle.worker.memory);
const random = seededRandom(seed);

function pick(count: number): number {
  return Math.floor(random() * count);
}

/** Empties one sealed segment as the eviction does: keeps, demotes or drops each record, then frees
 *  the segment. */
function evict(): void {
  const { verbs, geometry, views } = kernel;
  const from = pick(geometry.segmentCount);
  for (let step = 0; step < geometry.segmentCount; step++) {
    const segment = (from + step) % geometry.segmentCount;
    const entry = at.segmentTable + segment * at.segmentEntrySize;
    if (Atomics.load(views.i32, (entry + at.segmentState) / 4) !== at.segmentSealed) continue;
    if (verbs.claimSegment(segment) !== 1) continue;
    const base = geometry.segmentBase + segment * geometry.segmentBytes;
    const end = base + Atomics.load(views.i32, (entry + at.segmentWriteOffset) / 4);
    for (let record = base; record < end;) {
      const size = views.u32[record / 4] as number;
      if (size === 0) break;
      const frequency = verbs.frequencyOfRecord(record);
      // Without a disk no tombstone is announced; with one a victim does not evict.
      if (frequency > 0 && pick(3) > 0) verbs.move(record, at.logMain, frequency - 1);
      else verbs.dropRecord(record);
      record += (size + 7) & ~7;
    }
    verbs.freeSegment(segment);
    return;
  }
}

async function operate(number: number): Promise<void> {
  const choice = pick(1000);
  const key = keyOf(pick(handle.config.disk === null ? 12_000 : 2_000));
  if (choice < 500) cache.set(key, valueOf(key, number, pick(20) === 0 ? 3000 : pick(40)));
  else if (choice < 600) cache.set(key, valueOf(key, number, 9), { tags: [`tag:${pick(500)}`] });
  else if (choice < 610) cache.set(key, valueOf(key, number, 60_000));
  else if (choice < 640) cache.set(key, valueOf(key, number, 30), { ttl: 1 + pick(5) });
  else if (choice < 760) cache.delete(key);
  else if (choice < 860) cache.getSync(key);
  else if (choice < 880) await cache.fetch(key, () => valueOf(key, number, 20));
  else if (choice < 890) await cache.get(key);
  else if (choice < 895) cache.set(longKey(key), valueOf(longKey(key), number, 10));
  else if (choice < 899) cache.delete(longKey(key));
  else if (choice === 899) cache.clear();
  else if (choice < 950) sweep();
  else if (choice < 970) cache.deleteByTag([`tag:${pick(500)}`, `tag:${number}`]);
  else if (choice < 972 && handle.config.disk === null) forgetTags();
  else if (handle.config.disk === null) evict();
}

/** As the janitor sweeps; with a disk a tombstone may be announced, which the janitor alone
 *  writes in time. */
function sweep(): void {
  if (handle.config.disk !== null) return;
  const from = pick(kernel.geometry.bucketCount);
  kernel.verbs.sweep(from, from + 50, Date.now());
}

/** As the janitor forgets what the floor covers, which needs no sweep. */
function forgetTags(): void {
  const { verbs, tags, geometry } = kernel;
  verbs.forgetTags(pick(geometry.tagBuckets), 20, tags.floor());
}

function longKey(key: string): string {
  return `${key}:${"long".repeat(800)}`;
}

function endSelf(): never {
  if (suicide === "exit") process.exit(0);
  if (suicide === "throw") throw new Error("on purpose");
  const held: unknown[] = [];
  while (true) held.push(Array.from({ length: 100_000 }, () => held.length));
}

parentPort?.postMessage("ready");
await new Promise((resolve) => parentPort?.once("message", resolve));
for (let number = 1; ; number++) {
  await operate(number);
  if (suicide !== "none" && number > operationsMax) endSelf();
  // Sometimes a turn of the event loop, as in a service.
  if (number % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
}
