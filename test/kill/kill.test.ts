// Threads killed at every write of the kernel and at random, in CI's share (`npm run proof -- kill`
// is the long run), and the judge of what they leave behind, which must report each kind of thing
// that could be left.

import { describe, expect, test } from "vitest";

import { structureFaults } from "../../dist/test/proof/kill/structure.js";
import { kill } from "../../dist/test/proof/kill/kill.js";
import { flightWordAt } from "../../dist/test/proof/flight-words.js";
import { faultOf, valueOf } from "../../dist/test/proof/kill/values.js";
import { flightActive, flightState } from "../../dist/src/kernel/flight-layout.js";
import * as at from "../../dist/src/kernel/layout.js";
import type { Cache, CacheHandle } from "../../dist/src/mod.js";
import { open, setUpCaches, until } from "../cache/opened.js";

setUpCaches();

/** The opener's and its janitor's. */
const threads = 2;

/** The cache as it is now, in memory that no janitor repairs while it is judged. */
function stillCopy(cache: Cache): CacheHandle {
  const handle = cache.handle();
  const { buffer } = handle.worker.memory;
  const pages = buffer.byteLength / 65_536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  new Uint8Array(memory.buffer).set(new Uint8Array(buffer));
  return { ...handle, worker: { ...handle.worker, memory } };
}

describe("the judge", () => {
  const block = at.threadTable + 7 * at.threadBlockSize;
  const segment = at.segmentTable + 5 * at.segmentEntrySize + at.segmentState;
  test.each([
    ["a thread id that is held", block + at.threadState, 1, "3 thread ids are held"],
    ["a thread that is being recovered", block + at.threadRecoverer, 1, "thread 7 is being"],
    ["an announced tombstone", block + at.threadTombstoneSegment1, 3, "thread 7 has a tombstone"],
    ["flights announced", at.controlFlightThreads, 128, "flights are announced"],
    ["flights announced of a late thread", at.controlFlightThreads + 4, 1, "flights are announced"],
    ["a claimed segment", segment, at.segmentEvicting | (8 << 8), "segment 5 is stuck"],
    ["a blocked segment", segment, at.segmentBlocked, "segment 5 is stuck"],
    ["an open segment of nobody", segment, at.segmentOpen | (8 << 8), "segment 5 is open"],
  ])("sees %s", async (_name, offset, word, words) => {
    const cache = await open();
    await until(() => structureFaults(cache.handle(), threads).length === 0);
    const still = stillCopy(cache);
    new Int32Array(still.worker.memory.buffer)[offset / 4] = word;
    expect(structureFaults(still, threads).join()).toContain(words);
  });

  test("sees a flight", async () => {
    const still = stillCopy(await open());
    const { buffer } = still.worker.memory;
    new Int32Array(buffer)[flightWordAt(buffer, 9, flightState) / 4] = flightActive;
    expect(structureFaults(still, threads).join()).toContain("flight 9 is in state");
  });

  test("reports a lock, a slot that names nothing, and wrong values", async () => {
    const cache = await open({ memory: "1mb" });
    cache.set("k", 1);
    const still = stillCopy(cache);
    const view = new Int32Array(still.worker.memory.buffer);
    const bucket = (view[at.controlBucketBase / 4] as number) / 4;
    view[bucket] = 8;
    expect(structureFaults(still, threads).join()).toContain("bucket 0 is locked by 8");
    view[bucket] = 0;
    // A memory slot of generation 9 in segment 0.
    const slots = new BigUint64Array(view.buffer);
    slots[bucket / 2 + 1] = (1n << 48n) | (9n << 29n);
    expect(structureFaults(still, threads).join()).toContain("bucket 0 names a record");
    expect(faultOf("a", valueOf("a", 3, 50))).toBe(undefined);
    expect(faultOf("b", valueOf("a", 3, 50))).toContain("has the value of a");
    const torn = { ...valueOf("a", 3, 50), pad: valueOf("a", 4, 50).pad };
    expect(faultOf("a", torn)).toContain("torn");
  });
});

// Five hundred on a machine with two quiet cores; on a busy one as many as the time allows.
test("threads killed at work leave nothing behind", { timeout: 300_000 }, async () => {
  const shown = await kill.run({ kills: 500, seconds: 40, seed: 20_250 }, () => undefined);
  expect(shown).toMatch(/^\d\d+ kills .* nothing was left, nothing was wrong/);
});
