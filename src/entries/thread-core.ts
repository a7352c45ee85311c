// Everything one thread has of one cache: its kernel, key window, readers and writers, codec, near cache and clock. The rooms above
// share one of these. Invariant: used by one thread; nothing of a kernel call is kept across an await.
import { type Clock, SystemClock, UndercroftError } from "../base/mod.js";
import { type Codec, createCodec } from "../codec/mod.js";
import type { AdmissionFilter, Config, CustomCodec } from "../config/mod.js";
import { attachThread, type SendRemovals, sharedTime, type WorkerHandle } from "../eviction/mod.js";
import type { Kernel, KeyWindow } from "../kernel/mod.js";
import { type MemoryReader, type MemoryWriter, SchemaArea } from "../memory/mod.js";
import { NearCache } from "../near/mod.js";
import { bucketOf } from "../stats/mod.js";
import type { DirectoryWriter, DiskReader } from "../tiers/mod.js";
import { EntryAdmission } from "./entry-admission.js";

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
  readonly keys: KeyWindow;
  readonly reader: MemoryReader;
  readonly writer: MemoryWriter;
  /** Null for a cache in memory only, as the next two. */
  readonly disk: DiskReader | null;
  readonly directory: DirectoryWriter | null;
  readonly admission: EntryAdmission | null;
  readonly codec: Codec;
  readonly near: NearCache | null;
  readonly clock: Clock;
  #isClosed = false;
  #isDetached = false;

  constructor(kernel: Kernel, config: Config, handle: WorkerHandle, options: ThreadOptions) {
    this.config = config;
    this.handle = handle;
    this.kernel = kernel;
    const attached = attachThread(kernel, handle, options.onFault, options.onRemovals);
    const { keys, reader, writer, disk, directory } = attached;
    this.keys = keys;
    this.reader = reader;
    this.writer = writer;
    this.disk = disk;
    this.directory = directory;
    const writeSchema = directory === null ? null : directory.writeSchema.bind(directory);
    this.codec = createCodec(config, options.codec, new SchemaArea(kernel, writeSchema));
    const rules = config.disk?.admission;
    this.admission = rules === undefined ? null : new EntryAdmission(kernel, rules, options.filter);
    this.clock = clockOf(kernel, handle, options.clock);
    const keepsValues = config.near !== null && config.near.mode !== "copy";
    this.near = keepsValues ? new NearCache(kernel, keys, config.near, this.clock) : null;
  }

  /** Has this thread closed or detached? */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Was this thread's id given back? What ends later, a loader for instance, must not touch the memory then. */
  get isDetached(): boolean {
    return this.#isDetached;
  }

  /** From now on every call throws ERR_CACHE_CLOSED. */
  close(): void {
    this.#isClosed = true;
    // What is kept near may be given without another look at this.
    this.near?.end();
  }

  /** Gives this thread's id back. Nothing of this thread may touch the cache's memory afterwards. */
  detach(): void {
    this.#isDetached = true;
    this.kernel.detach((location) => this.directory?.writeTombstone(location));
  }

  /** Throws ERR_CACHE_CLOSED once this thread, or the thread that opened the cache, has closed it. */
  assertOpen(): void {
    if (!this.#isClosed && this.kernel.control.isOpen()) return;
    throw this.closedError();
  }

  closedError(): UndercroftError {
    const text = `Cannot use cache ${JSON.stringify(this.config.name)}: it is closed`;
    return new UndercroftError("ERR_CACHE_CLOSED", text);
  }

  /** Adds a latency to one of this thread's histograms (stats/histogram.ts). */
  sample(histogram: number, nanoseconds: number): void {
    this.kernel.counters.sample(histogram, bucketOf(nanoseconds));
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
