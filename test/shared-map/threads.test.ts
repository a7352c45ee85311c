// A map that several threads write at once, too small for what they write without compaction:
// nothing that was stored is lost, and each thread sees what another did at once.

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import { SharedHashMap, type MapHandle } from "undercroft/shared-map";
import { expect, test } from "vitest";

const MiB = 1024 ** 2;

interface Report {
  readonly own: Map<string, string>;
  readonly wrong: string[];
  readonly outcomes: Record<string, number>;
}

async function runThread(handle: MapHandle, name: number, turns: number): Promise<Report> {
  const file = new URL("./map-thread.mjs", import.meta.url);
  const worker = new Worker(file, { workerData: { handle, name, turns } });
  // Both from the start: a thread that ends at once sends both in one turn.
  const [[report]] = await Promise.all([once(worker, "message"), once(worker, "exit")]);
  return report as Report;
}

test("four threads lose nothing, read nothing torn, and agree", { timeout: 120_000 }, async () => {
  const map = SharedHashMap.create<string>({ memory: 2 * MiB });
  const handle = map.handle();
  const reports = await Promise.all([0, 1, 2, 3].map((name) => runThread(handle, name, 20_000)));
  expect(reports.flatMap(({ wrong }) => wrong)).toEqual([]);
  const stored = reports.reduce((sum, { outcomes }) => sum + (outcomes["stored"] ?? 0), 0);
  expect(stored).toBeGreaterThan(50_000);
  const all = new Map(reports.flatMap(({ own }) => [...own]));
  const seen = [...map.keys()].filter((key) => String(key).startsWith("own:"));
  expect(new Map(seen.map((key) => [key, map.get(key)]))).toEqual(all);
  const shared = Array.from({ length: 20 }, (_, index) => map.has(`shared:${index}`));
  expect(map.size).toBe(all.size + shared.filter(Boolean).length);
  map.close();
});

test(
  "threads that are terminated at any moment leave a whole map",
  { timeout: 120_000 },
  async () => {
    const map = SharedHashMap.create<string>({ memory: 2 * MiB });
    map.set("kept", "as it was");
    for (let turn = 0; turn < 12; turn++) {
      const file = new URL("./map-thread.mjs", import.meta.url);
      const workerData = { handle: map.handle(), name: turn % 3, turns: 1e9, isQuiet: true };
      const workers = [0, 1].map(() => new Worker(file, { workerData }));
      await Promise.all(workers.map((worker) => once(worker, "message")));
      // The moment of the death varies; nothing waits for it.
      await sleep(20 + 7 * turn);
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    expect(map.get("kept")).toBe("as it was");
    const names = [...map.keys()];
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => map.get(name) === undefined)).toEqual([]);
    // All that the dead held is available again.
    let deleted = 0;
    for (const name of names) if (map.delete(name)) deleted += 1;
    expect(deleted).toBe(names.length);
    expect([...map.keys()]).toEqual([]);
    const stored = Array.from({ length: 1000 }, (_, index) => map.set(`${index}`, "v".repeat(900)));
    expect(stored.filter((outcome) => outcome !== "stored")).toEqual([]);
    const held = Array.from({ length: 60 }, () => SharedHashMap.attach(map.handle()));
    for (const each of [...held, map]) each.close();
  },
);

test("a set, delete and clear of one thread is seen by another at once", async () => {
  const map = SharedHashMap.create<number>({ memory: MiB });
  const other = SharedHashMap.attach<number>(map.handle());
  for (let turn = 0; turn < 1000; turn++) {
    map.set("a", turn);
    expect(other.get("a")).toBe(turn);
  }
  other.delete("a");
  expect(map.has("a")).toBe(false);
  other.set("b", 1);
  map.clear();
  expect([other.has("b"), other.size]).toEqual([false, 0]);
  other.close();
  map.close();
});
