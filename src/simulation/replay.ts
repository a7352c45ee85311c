// Replays a trace through one policy at one size, from an empty cache: every request is a lookup,
// and every miss is written. Called by the command line and by benchmarks.
import {
  type LogPolicy,
  loadClassOf,
  loadClassUnknown,
  type PolicyName,
  policyNames,
  policyOf,
  SegmentedLog,
  Tuner,
  type TunerOptions,
  type Worth,
} from "../policy/mod.js";
import { Belady } from "./belady.js";
import { ExactLru } from "./exact-lru.js";
import { footprintOf, type Trace } from "./trace.js";

/** The policies of the cache, an exact LRU, and Belady's bound. */
export type Simulated = PolicyName | "lru-exact" | "belady";

export const simulatedNames: readonly Simulated[] = [...policyNames, "lru-exact", "belady"];

export interface Outcome {
  readonly trace: string;
  readonly policy: Simulated;
  /** What a hit was worth to it. */
  readonly worth: Worth;
  /** Cache size as a fraction of the distinct objects, or of their bytes. */
  readonly size: number;
  /** The cache's bytes, or its objects if sizes are ignored. */
  readonly capacity: number;
  readonly requests: number;
  readonly misses: number;
  readonly missRatio: number;
  readonly byteMissRatio: number;
  /** Time spent loading, divided by what it takes to load every request; `null` if the trace has no
   *  load times. */
  readonly waitRatio: number | null;
  /** Milliseconds that a request waits for loads, on average; `null` if the trace has none. */
  readonly waitMs: number | null;
}

interface Store {
  hit(key: number): boolean;
  insert(key: number, size: number, loadClass?: number): boolean;
  drop(key: number): void;
}

/** Bytes (or objects) of a cache of this fraction of the trace; at least 1. */
export function capacityOf(trace: Trace, size: number): number {
  return Math.max(1, Math.floor(footprintOf(trace) * size));
}

/** Replays `trace` with `policy` in a cache of `size` times its distinct objects (or their
 *  bytes); `worth` is what a hit is worth to it. */
export function replay(
  trace: Trace,
  policy: Simulated,
  size: number,
  worth: Worth = "hits",
): Outcome {
  const capacity = capacityOf(trace, size);
  const { misses, missedBytes, bytes, waitedMs, loadMs } = count(trace, policy, capacity, worth);
  const { name, requests } = trace;
  const missRatio = misses / requests;
  const byteMissRatio = missedBytes / bytes;
  const waitRatio = trace.load === null ? null : waitedMs / loadMs;
  const waitMs = trace.load === null ? null : waitedMs / requests;
  const counts = { requests, misses, missRatio, byteMissRatio, waitRatio, waitMs };
  return { trace: name, policy, worth, size, capacity, ...counts };
}

interface Counts {
  misses: number;
  missedBytes: number;
  bytes: number;
  waitedMs: number;
  loadMs: number;
}

function count(trace: Trace, policy: Simulated, capacity: number, worth: Worth): Counts {
  if (policy === "belady") return run(trace, new Belady(capacity, trace), undefined);
  if (policy === "lru-exact") return run(trace, new ExactLru(capacity, trace.keys), undefined);
  // Estimate of the entries from the mean object size; the engine knows its own count.
  const entries = Math.ceil((capacity * trace.keys) / footprintOf(trace));
  const hashes = hashesOf(trace.keys, 0x9e3779b1);
  const live = policyOf(policy, capacity, entries, worth);
  const log = new SegmentedLog(live, { capacity, keys: trace.keys, hashes });
  const options = { capacity, entries, worth };
  const tuning = policy === "auto" ? new Tuning(live, hashes, options) : undefined;
  return run(trace, log, tuning);
}

function run(trace: Trace, store: Store, tuning: Tuning | undefined): Counts {
  const { requests, key, size, time, expires, load } = trace;
  const deadline = expires === null ? null : new Float64Array(trace.keys);
  const counts = { misses: 0, missedBytes: 0, bytes: 0, waitedMs: 0, loadMs: 0 };
  for (let index = 0; index < requests; index++) {
    const number = key[index] as number;
    const bytes = size === null ? 1 : (size[index] as number);
    const ms = load === null ? 0 : (load[index] as number);
    const loadClass = load === null ? loadClassUnknown : loadClassOf(ms);
    counts.bytes += bytes;
    counts.loadMs += ms;
    tuning?.observe(number, bytes, loadClass);
    if (store.hit(number)) {
      if (
        deadline === null ||
        (deadline[number] as number) > ((time as Float64Array)[index] as number)
      ) {
        continue;
      }
      store.drop(number);
    }
    counts.misses += 1;
    counts.missedBytes += bytes;
    counts.waitedMs += ms;
    store.insert(number, bytes, loadClass);
    if (deadline !== null) deadline[number] = (expires as Float64Array)[index] as number;
  }
  return counts;
}

/** The tuner beside the simulated cache, as the janitor runs it. */
class Tuning {
  readonly #live: LogPolicy;
  readonly #tuner: Tuner;
  readonly #hashes: Uint32Array;
  /** 1 for each key in the sample. */
  readonly #sampled: Uint8Array;

  constructor(live: LogPolicy, hashes: Uint32Array, options: TunerOptions) {
    this.#live = live;
    this.#hashes = hashes;
    this.#tuner = new Tuner(options);
    const mask = this.#tuner.sampleMask;
    this.#sampled = Uint8Array.from(hashesOf(hashes.length, 0x85ebca6b), (low) =>
      (low & mask) === 0 ? 1 : 0,
    );
  }

  observe(key: number, size: number, loadClass: number): void {
    if (this.#sampled[key] === 0) return;
    const changed = this.#tuner.observe(this.#hashes[key] as number, size, loadClass);
    if (changed) this.#live.adopt(this.#tuner.setting);
  }
}

/** 32 bits of hash for each key, fixed for a seed. */
function hashesOf(keys: number, seed: number): Uint32Array {
  const hashes = new Uint32Array(keys);
  for (let key = 0; key < keys; key++) {
    let hash = Math.imul(key + 1, seed);
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    hashes[key] = hash ^ (hash >>> 16);
  }
  return hashes;
}
