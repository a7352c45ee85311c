// What the charts of the dashboard show: points over time, kept in the dashboard's process.
// Invariant: at most secondsMax points of a second and coarseMax of ten seconds, one hour.
import type { Sample } from "../../operators/mod.js";
import { type Activity, History } from "../top/windows.js";

const secondsMax = 300;
const coarseMax = 360;
const coarseMs = 10_000;

/** What happened in the second, or the ten seconds, before `atMs`; null where nothing did. */
export interface Point {
  /** By the wall clock: it names the point. */
  readonly atMs: number;
  readonly hitRatio: number | null;
  /** The next eight are per second; latencies are in nanoseconds. */
  readonly requests: number;
  readonly loads: number;
  readonly loadErrors: number;
  readonly waited: number;
  readonly evictedMemory: number;
  readonly evictedDisk: number;
  readonly evictedIndex: number;
  readonly expired: number;
  readonly hitP50: number | null;
  readonly hitP99: number | null;
  readonly loadP50: number | null;
  readonly loadP99: number | null;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

export class Series {
  readonly history = new History();
  #seconds: Point[] = [];
  #coarse: Point[] = [];
  #coarseMs = -Infinity;

  /** `elapsedMs` by a clock that does not step, `wallMs` by the wall clock. */
  add(sample: Sample, elapsedMs: number, wallMs: number): void {
    this.history.add(sample, elapsedMs);
    const last = this.history.within(1);
    if (last === undefined) {
      this.#coarseMs = elapsedMs;
      return;
    }
    this.#seconds = [...this.#seconds.slice(1 - secondsMax), pointOf(sample, last, wallMs)];
    const coarse = this.history.within(coarseMs / 1000);
    if (coarse === undefined || elapsedMs - this.#coarseMs < coarseMs) return;
    this.#coarseMs = elapsedMs;
    this.#coarse = [...this.#coarse.slice(1 - coarseMax), pointOf(sample, coarse, wallMs)];
  }

  /** The points after a moment of the wall clock. */
  since(wallMs: number): { readonly seconds: Point[]; readonly coarse: Point[] } {
    const isNew = ({ atMs }: Point): boolean => atMs > wallMs;
    return { seconds: this.#seconds.filter(isNew), coarse: this.#coarse.filter(isNew) };
  }
}

function pointOf({ stats }: Sample, activity: Activity, atMs: number): Point {
  const { seconds, latency, evictions } = activity;
  const rate = (count: number): number => Number((count / seconds).toPrecision(6));
  return {
    atMs,
    hitRatio: activity.hitRatio,
    requests: rate(activity.requests),
    loads: rate(activity.loads),
    loadErrors: rate(activity.loadErrors),
    waited: rate(activity.coalescedLoads),
    evictedMemory: rate(evictions.memory),
    evictedDisk: rate(evictions.disk),
    evictedIndex: rate(evictions.index),
    expired: rate(activity.expirations),
    hitP50: latency.memory?.p50 ?? null,
    hitP99: latency.memory?.p99 ?? null,
    loadP50: latency.load?.p50 ?? null,
    loadP99: latency.load?.p99 ?? null,
    memoryBytes: stats.memory.usedBytes,
    diskBytes: stats.disk?.bytes ?? 0,
  };
}
