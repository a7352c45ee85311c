// What the page of the dashboard is told each second. Pure but for what it is given.
import type { Sample } from "../../operators/mod.js";
import { type Activity, windowSeconds } from "../top/windows.js";
import type { Point, Series } from "./chart-series.js";

export interface SpaceView {
  readonly name: string;
  readonly memory: {
    readonly bytes: number;
    readonly entries: number;
    readonly shareBytes: number;
  };
  readonly diskShareBytes: number;
  readonly requests60: number;
  readonly hitRatio60: number | null;
  readonly requests: number;
  readonly loads: number;
  readonly evicted: number;
}

export interface View {
  readonly name: string;
  readonly pid: number;
  readonly node: string;
  readonly path: string | null;
  readonly openMs: number;
  /** Whether the form for keys is there. */
  readonly write: boolean;
  /** Milliseconds since the newest answer. */
  readonly silentMs: number;
  readonly windows: Readonly<Record<string, Activity | null>>;
  readonly stats: Pick<
    Sample["stats"],
    "memory" | "disk" | "near" | "tags" | "segments" | "threads" | "tuning" | "tiers" | "moves"
  >;
  readonly troubles: Readonly<Record<string, number>>;
  readonly spaces: readonly SpaceView[];
  readonly keys: Sample["keys"];
  readonly keySamples: number;
  readonly details: Sample["details"];
  readonly seconds: readonly Point[];
  readonly coarse: readonly Point[];
}

/** The view of the newest sample, with the points after `sinceMs`. */
export function viewOf(
  sample: Sample,
  series: Series,
  { write, silentMs, sinceMs }: { write: boolean; silentMs: number; sinceMs: number },
): View {
  const { name, pid, node, path, openMs, keys, keySamples, details } = sample;
  const { history } = series;
  const { memory, disk, near, tags, segments, threads, tuning, tiers, moves } = sample.stats;
  const windows = windowSeconds.map((seconds) => [seconds, history.within(seconds) ?? null]);
  return {
    name,
    pid,
    node,
    path,
    openMs,
    write,
    silentMs,
    keys,
    keySamples,
    details,
    windows: { ...Object.fromEntries(windows), open: history.within(Infinity) ?? null },
    stats: { memory, disk, near, tags, segments, threads, tuning, tiers, moves },
    troubles: troublesOf(sample),
    spaces: spacesOf(sample, series),
    ...series.since(sinceMs),
  };
}

function spacesOf({ stats }: Sample, { history }: Series): SpaceView[] {
  return stats.namespaces.map(({ name, memory, disk, requests, loads, evictions }) => {
    const recent = history.spaceWithin(name, 60);
    return {
      name,
      memory,
      diskShareBytes: disk.shareBytes,
      requests60: recent?.requests ?? 0,
      hitRatio60: recent?.hitRatio ?? null,
      requests,
      loads,
      evicted: evictions.memory + evictions.disk,
    };
  });
}

/** Counters that are 0 while all is well. */
function troublesOf({ stats }: Sample): Record<string, number> {
  return {
    "failed loads": stats.loadErrors,
    "refused sets": stats.sets.tooLarge + stats.sets.overloaded,
    "disk errors": stats.diskErrors,
    "damaged records": stats.corruptRecords,
    "codec errors": stats.codecErrors,
    "workers replaced": stats.workerRestarts,
    "threads recovered": stats.threads.recovered,
    "lock timeouts": stats.locks.timeouts,
    "events dropped": stats.eventsDropped,
  };
}
