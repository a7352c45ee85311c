// A map that several threads write at once, too small for what they write without compaction: nothing that was stored is
// lost, and each thread sees what another did at once.

import { once } from "node:events";
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
  const [report] = (await once(worker, "message")) as [Report];
  await once(worker, "exit");
  return report;
}

test("four threads lose nothing, tear nothing, and agree", { timeout: 120_000 }, async () => {
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
