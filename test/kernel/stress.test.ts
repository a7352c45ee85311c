import { Worker } from "node:worker_threads";

import { describe, expect, test } from "vitest";

import { builds, MiB, openMemory } from "./opened-kernel.js";

/** A thread that omits a step, which the stress must notice. */
type Mutant = "no-validate" | "free-first" | null;

interface Counts {
  readonly reads: number;
  readonly hits: number;
  readonly changed: number;
  readonly wrong: number;
  readonly torn: number;
  readonly old: number;
  readonly writes: number;
  readonly deletes: number;
  readonly clears: number;
  readonly evicted: number;
  readonly stuck: number;
  readonly held: number;
}

const keyCount = 400;

/** A writer, a reader and a janitor over one memory of a few segments, until the reader has read
 *  enough. */
async function stress(
  build: string,
  readsWanted: number,
  mutant: Mutant,
  roles: readonly string[] = ["janitor", "writer", "reader"],
): Promise<Counts> {
  const { module, memory } = openMemory({ build, memoryBytes: MiB });
  const floors = new SharedArrayBuffer(keyCount * 4);
  // Whether all must stop, and how many have begun.
  const control = new SharedArrayBuffer(8);
  const roleCount = roles.length;
  const shared = { module, memory, roleCount, mutant, keyCount, readsWanted, floors, control };
  const answers = roles.map(async (role) => {
    const worker = new Worker(new URL("stress-worker.mjs", import.meta.url), {
      workerData: { ...shared, role },
    });
    return new Promise<Partial<Counts>>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", (error) => {
        const words = new Int32Array(control);
        Atomics.store(words, 0, 1);
        Atomics.store(words, 1, roleCount);
        Atomics.notify(words, 1);
        reject(error);
      });
    });
  });
  return Object.assign({}, ...(await Promise.all(answers))) as Counts;
}

describe.each(builds)("reads while others write, delete, clear and evict, with %s", (build) => {
  test("are never wrong, torn or older than a write that had returned", async () => {
    const counts = await stress(build, 600_000, null);
    expect(counts).toMatchObject({ wrong: 0, torn: 0, old: 0 });
    expect(counts.reads).toBeGreaterThan(500_000);
    expect(counts.hits).toBeGreaterThan(50_000);
    // It was a race: entries changed under the reader, and the log wrapped many times.
    expect(counts.changed).toBeGreaterThan(100);
    expect(counts.evicted).toBeGreaterThan(100);
    expect(counts.writes).toBeGreaterThan(20_000);
    expect(counts.deletes).toBeGreaterThan(1000);
    expect(counts.clears).toBeGreaterThan(0);
  });

  test("are not either while bucket locks are stuck", async () => {
    const roles = ["janitor", "writer", "reader", "holder"];
    // Enough reads that the holder gets its turns, even if the threads share a core.
    const counts = await stress(build, 800_000, null, roles);
    expect(counts).toMatchObject({ wrong: 0, torn: 0, old: 0 });
    expect(counts.held).toBeGreaterThan(3);
    // Entries that were removed without their lock.
    expect(counts.stuck).toBeGreaterThan(0);
    expect(counts.hits).toBeGreaterThan(5000);
  });

  test.each(["no-validate", "free-first"] as const)(
    "are caught when a thread is wrong: %s",
    async (mutant) => {
      const counts = await stress(build, 3_000_000, mutant);
      expect(counts.wrong + counts.torn + counts.old).toBeGreaterThan(0);
    },
  );
});
