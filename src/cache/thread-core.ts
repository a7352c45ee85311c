// Everything one thread has of one cache: its kernel, store, codec, near cache, clock and counters. The facade's parts
// share one of these. Invariant: used by one thread; nothing of a kernel call is kept across an await.
import { type Clock, SystemClock, UndercroftError } from "../base/mod.js";
import { type Codec, createCodec } from "../codec/mod.js";
import type { AdmissionFilter, Config, CustomCodec } from "../config/mod.js";
import { attachStore, type SendRemovals, sharedTime, type WorkerHandle } from "../janitor/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { type MemoryStore, SchemaArea } from "../memory/mod.js";
import { bucketOf } from "../stats/mod.js";
import type { DiskTier } from "../tiers/mod.js";
import { DiskAdmission } from "./disk-admission.js";
import { NearCache } from "./near-cache.js";

/** The codec, filter and clock a thread was given; none can be posted to another thread. */
export interface ThreadOptions {
  readonly codec: CustomCodec<unknown> | undefined;
  readonly filter: AdmissionFilter | undefined;
  readonly clock: Clock | undefined;
  readonly onFault: (error: UndercroftError) => void;
  /** Hears of entries that this thread evicted; null in a thread that did not open the cache. */
  readonly onRemovals: SendRemovals | null;
}

export class ThreadCore {
  readonly config: Config;
  readonly handle: WorkerHandle;
  readonly kernel: Kernel;
  readonly store: MemoryStore;
  readonly tier: DiskTier | null;
  readonly codec: Codec;
  /** Null for a cache in memory only. */
  readonly admission: DiskAdmission | null;
  readonly near: NearCache | null;
  readonly clock: Clock;
  #isClosed = false;
  /** Set when this thread's place was given back: what ends later, a loader for instance, must not touch the memory. */
  isDetached = false;
  readonly #i32: Int32Array;
  readonly #histograms: number;

  constructor(kernel: Kernel, config: Config, handle: WorkerHandle, options: ThreadOptions) {
    this.config = config;
    this.handle = handle;
    this.kernel = kernel;
    const { store, tier } = attachStore(kernel, handle, options.onFault, options.onRemovals);
    this.store = store;
    this.tier = tier;
    const write = tier === null ? null : tier.writeSchema.bind(tier);
    this.codec = createCodec(config, options.codec, new SchemaArea(kernel, write));
    const rules = config.disk?.admission;
    this.admission = rules === undefined ? null : new DiskAdmission(kernel, rules, options.filter);
    this.clock = clockOf(kernel, handle, options.clock);
    const keepsValues = config.near !== null && config.near.mode !== "copy";
    this.near = keepsValues ? new NearCache(kernel, config.near, this.clock) : null;
    this.#i32 = kernel.views.i32;
    this.#histograms = (kernel.block + at.threadHistograms) / 4;
  }

  /** Whether this thread has closed or detached. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** From now on every call throws ERR_CACHE_CLOSED. */
  close(): void {
    this.#isClosed = true;
    // What is kept near may be given without another look at this.
    this.near?.invalidations.end();
  }

  /** Throws ERR_CACHE_CLOSED once this thread, or the thread that opened the cache, has closed it. */
  assertOpen(): void {
    if (!this.#isClosed && this.#i32[at.controlState / 4] === at.stateOpen) return;
    throw this.closedError();
  }

  closedError(): UndercroftError {
    const text = `Cannot use cache ${JSON.stringify(this.config.name)}: it is closed`;
    return new UndercroftError("ERR_CACHE_CLOSED", text);
  }

  /** Adds a latency to one of this thread's histograms (stats/histogram.ts). */
  sample(histogram: number, nanoseconds: number): void {
    const word = this.#histograms + histogram * at.histogramBuckets + bucketOf(nanoseconds);
    this.#i32[word] = (this.#i32[word] as number) + 1;
  }
}

/** An injected clock is published in shared memory whenever it is read, for the threads that cannot have it. */
function clockOf(kernel: Kernel, handle: WorkerHandle, injected: Clock | undefined): Clock {
  if (injected !== undefined) {
    const { tick } = kernel.verbs;
    return {
      now: () => {
        const now = injected.now();
        tick(now);
        return now;
      },
    };
  }
  if (handle.clockAnchorMs !== null) return new SystemClock(handle.clockAnchorMs);
  return { now: sharedTime(kernel, null) };
}
