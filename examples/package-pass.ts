// One timed pass over the files: one get per file with its latency, and afterwards where the hits
// came from. Called by every thread and process of the example.

import type { Cache } from "../src/mod.js";
import type { PackageFile, Parsed } from "./package-files.js";

/** A row of the table. Times are microseconds of single gets, except `wallMs`. */
export interface PassReport {
  readonly name: string;
  readonly gets: number;
  readonly near: number;
  readonly memory: number;
  readonly disk: number;
  readonly misses: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly wallMs: number;
}

export type PackageCache = Cache<Parsed>;

/**
 * How a pass reads one file: `getSync`, which may miss, or `fetch`, whose loader fills the cache.
 */
export type Read = (file: PackageFile) => Parsed | undefined | Promise<Parsed | undefined>;

/**
 * Reads every file `rounds` times with `read`, one after another, and times each call by
 * `performance.now()`. Throws if a value is not the file's own: a cache may miss but never returns
 * a wrong value.
 */
export async function timedPass(
  name: string,
  cache: PackageCache,
  files: readonly PackageFile[],
  rounds: number,
  read: Read,
  onProgress: (done: number, total: number) => void,
): Promise<PassReport> {
  const before = cache.stats();
  const latencies = new Float64Array(files.length * rounds);
  const wallStart = performance.now();
  let gets = 0;
  for (let round = 0; round < rounds; round++) {
    for (const file of files) {
      const start = performance.now();
      const answer = read(file);
      // Await only a promise: awaiting a value would time the event loop, not the cache.
      const value = answer instanceof Promise ? await answer : answer;
      latencies[gets++] = performance.now() - start;
      if (value !== undefined && (value.size !== file.size || value.mtimeMs !== file.mtimeMs)) {
        throw new Error(`${name}: the value of ${file.path} is not the file's`);
      }
      onProgress(gets, latencies.length);
    }
  }
  const wallMs = performance.now() - wallStart;
  const { hits, misses } = cache.stats().since(before);
  latencies.sort();
  const at = (share: number): number =>
    1000 * (latencies[Math.min(gets - 1, Math.floor(share * gets))] ?? 0);
  const [p50, p99, p999] = [at(0.5), at(0.99), at(0.999)];
  const { near, memory, disk } = hits;
  return { name, gets, near, memory, disk, misses, p50, p99, p999, wallMs };
}
