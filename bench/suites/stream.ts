// The event loop while a thread sets 50,000 values a second for ten seconds: how late its timers
// fire, and the result of each set. The baselines are the same loop idle, and the same stream into
// a Map.

import { monitorEventLoopDelay } from "node:perf_hooks";

import { openCache } from "../../src/mod.js";
import type { Row, Suite } from "../suite.js";
import { TemporaryDirectory } from "../temporary-directory.js";
import { keyOf } from "../workload.js";

const setsPerSecond = 50_000;
const streamMs = 10_000;
const idleMs = 2_000;
const distinctKeys = 1 << 19;

type Set = (id: number, value: Uint8Array) => string;

export const stream: Suite = {
  name: "stream",
  about:
    "Event-loop delay in milliseconds (monitorEventLoopDelay; its resolution of 1 ms is in the " +
    "figures) while values of " +
    "512 bytes are set at 50,000 a second for 10 s, in steps of 1 ms; " +
    "the disk is 256 MiB, so segments are reclaimed.",
  cases: ["idle", "Map", "undercroft, memory", "undercroft, memory and disk"],
  run: async (caseName) => {
    switch (caseName) {
      case "idle":
        return [await delayRow(caseName, idleMs, undefined)];
      case "Map": {
        const map = new Map<string, Uint8Array>();
        const set: Set = (id, value) => {
          map.set(keyOf(id), value.slice());
          return "stored";
        };
        return [await delayRow(caseName, streamMs, set)];
      }
      default:
        return [await undercroftRow(caseName, caseName.endsWith("disk"))];
    }
  },
};

async function undercroftRow(caseName: string, withDisk: boolean): Promise<Row> {
  const directory = new TemporaryDirectory("stream");
  const cache = await openCache<Uint8Array>({
    memory: "64mb",
    near: false,
    ...(withDisk ? { disk: { path: directory.path, capacity: "256mb" } } : {}),
  });
  const row = await delayRow(caseName, streamMs, (id, value) => cache.set(keyOf(id), value));
  await cache.close();
  directory.remove();
  return row;
}

/** Streams into `set` for `forMs`, or only waits, and measures the delay of the event loop. */
async function delayRow(name: string, forMs: number, set: Set | undefined): Promise<Row> {
  const outcomes = new Map<string, number>();
  const value = new Uint8Array(512).fill(7);
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const start = performance.now();
  let sets = 0;
  let busyMs = 0;
  for (let elapsed = 0; elapsed < forMs; elapsed = performance.now() - start) {
    if (set !== undefined) {
      const due = Math.floor((elapsed * setsPerSecond) / 1000);
      const stepStart = performance.now();
      for (; sets < due; sets++) {
        const outcome = set(sets % distinctKeys, value);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      busyMs += performance.now() - stepStart;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  }
  histogram.disable();
  return {
    case: name,
    "sets a second": Math.round(sets / (forMs / 1000)),
    "ns a set": sets === 0 ? "" : Math.round((busyMs * 1e6) / sets),
    "p50 ms": inMs(histogram.percentile(50)),
    "p99 ms": inMs(histogram.percentile(99)),
    "p99.9 ms": inMs(histogram.percentile(99.9)),
    "max ms": inMs(histogram.max),
    outcomes: Array.from(outcomes, ([outcome, count]) => `${count} ${outcome}`).join(", "),
  };
}

function inMs(nanoseconds: number): number {
  return Number((nanoseconds / 1e6).toFixed(2));
}
