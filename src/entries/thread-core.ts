// What one thread has of one cache, or of one namespace of it: kernel, key window, readers and
// writers, codec, near cache and clock. Shared by the rooms above. Invariants: only one thread uses
// it. No result of a kernel call is kept across an await.
import { type Clock, UndercroftError } from "../base/mod.js";
import { type Codec, createCodec } from "../codec/mod.js";
import type { AdmissionFilter, Config, CustomCodec, OperationDefaults } from "../config/mod.js";
import {
  type Attachment,
  attachThread,
  type SendRemovals,
  sharedClock,
  type WorkerHandle,
} from "../eviction/mod.js";
import type { Kernel, Key, KeyWindow } from "../kernel/mod.js";
import { type MemoryReader, type MemoryWriter, SchemaArea } from "../memory/mod.js";
import { NearCache } from "../near/mod.js";
import { bucketOf, type CounterSink, RecentKeys, RequestRing } from "../stats/mod.js";
import type { DirectoryWriter, DiskReader } from "../tiers/mod.js";
import { EntryAdmission } from "./entry-admission.js";
import type { WriteThrough } from "./writing/write-through.js";

/** What cannot be posted to another thread: each thread is given its own. */
export interface ThreadOptions {
  readonly codec: CustomCodec<unknown> | undefined;
  readonly filter: AdmissionFilter | undefined;
  readonly clock: Clock | undefined;
  readonly onFault: (error: UndercroftError) => void;
  /** Emits the event `error`. */
  readonly onError: (error: UndercroftError, key: Key) => void;
  /** Receives entries that this thread evicted; null in a thread that did not open the cache. */
  readonly onRemovals: SendRemovals | null;
}

/** Whether a thread has left a cache; the cache and its namespaces share it. */
interface ThreadEnd {
  isClosed: boolean;
  isDetached: boolean;
}

/** A namespace, as a thread that uses it knows it. */
export interface NamespaceView extends OperationDefaults {
  /** From 1; 0 is the cache's own key space. */
  readonly id: number;
  readonly name: string;
}

export class ThreadCore {
  readonly config: Config;
  readonly handle: WorkerHandle;
  readonly kernel: Kernel;
  /** The defaults of the operations in this key space. */
  readonly defaults: OperationDefaults;
  /** Null for the cache's own key space. */
  readonly namespace: NamespaceView | null;
  readonly keys: KeyWindow;
  readonly reader: MemoryReader;
  readonly writer: MemoryWriter;
  /** Null for a memory-only cache, like the next two. */
  readonly disk: DiskReader | null;
  readonly directory: DirectoryWriter | null;
  readonly admission: EntryAdmission | null;
  readonly codec: Codec;
  readonly near: NearCache | null;
  /** Where this thread notes sampled keys; null if nobody is told of them. */
  readonly recentKeys: RecentKeys | null;
  /** Where this thread notes requests while they are recorded; null if nobody may record. */
  readonly requests: RequestRing | null;
  /** Told of every change, if there are tiers. Set before the first call of the user. */
  through: WriteThrough | null = null;
  /** This thread's counters: the cache's, or those of the namespace. */
  readonly counters: CounterSink;
  readonly clock: Clock;
  readonly #clockWords: Float64Array;
  /** Emits the event `error` in this thread. Listeners run at once, and may call the cache. */
  readonly emitError: (error: UndercroftError, key: Key) => void;
  readonly #end: ThreadEnd;
  readonly #attached: Attachment;

  constructor(
    kernel: Kernel,
    config: Config,
    handle: WorkerHandle,
    options: ThreadOptions,
    within: { readonly core: ThreadCore; readonly namespace: NamespaceView } | null = null,
  ) {
    this.config = config;
    this.handle = handle;
    this.#clockWords = kernel.control.clockWords.values;
    this.kernel = kernel;
    this.namespace = within?.namespace ?? null;
    this.defaults = within?.namespace ?? config;
    this.emitError = options.onError;
    this.#attached =
      within === null
        ? attachThread(kernel, handle, options.onFault, options.onRemovals)
        : within.core.#attached.within(within.namespace.id);
    const { keys, reader, writer, disk, directory, counters } = this.#attached;
    this.counters = counters;
    this.keys = keys;
    this.reader = reader;
    this.writer = writer;
    this.disk = disk;
    this.directory = directory;
    if (within !== null) {
      const { core } = within;
      this.#end = core.#end;
      this.codec = core.codec;
      this.admission = core.admission;
      this.clock = core.clock;
      this.near = core.near?.within(keys) ?? null;
      this.recentKeys = core.recentKeys;
      this.requests = core.requests;
      return;
    }
    this.#end = { isClosed: false, isDetached: false };
    const { recentKeys, requests } = handle;
    this.recentKeys = recentKeys === null ? null : new RecentKeys(recentKeys);
    this.requests = requests === null ? null : new RequestRing(requests);
    const writeSchema = directory === null ? null : directory.writeSchema.bind(directory);
    this.codec = createCodec(config, options.codec, new SchemaArea(kernel, writeSchema));
    const rules = config.disk?.admission;
    this.admission = rules === undefined ? null : new EntryAdmission(kernel, rules, options.filter);
    this.clock = clockOf(kernel, handle, options.clock);
    const keepsValues = config.near !== null && config.near.mode !== "copy";
    this.near = keepsValues ? new NearCache(kernel, keys, config.near, this.clock) : null;
  }

  /** What this thread has of a namespace of the cache. Codec, clock and near cache are the same. */
  within(namespace: NamespaceView, onError: ThreadOptions["onError"]): ThreadCore {
    const { kernel, config, handle } = this;
    const options: ThreadOptions = {
      codec: undefined,
      filter: undefined,
      clock: undefined,
      onFault: () => undefined,
      onError,
      onRemovals: null,
    };
    return new ThreadCore(kernel, config, handle, options, { core: this, namespace });
  }

  /** Has this thread closed or detached? */
  get isClosed(): boolean {
    return this.#end.isClosed;
  }

  /** Was this thread's id given back? Work that ends later, such as a loader, must not touch the
   *  memory then. */
  get isDetached(): boolean {
    return this.#end.isDetached;
  }

  /** Makes every later call throw ERR_CACHE_CLOSED. */
  close(): void {
    this.#end.isClosed = true;
    // The near cache answers hits without a look at #end, so it must end too.
    this.near?.end();
  }

  /** Gives this thread's id back. This thread must not touch the cache's memory afterwards. */
  detach(): void {
    this.#end.isDetached = true;
    this.kernel.detach((location) => this.directory?.writeTombstone(location));
    this.#attached.files?.close();
  }

  /** Closes the segment files that this thread has open; it opens none any more. */
  closeFiles(): void {
    this.#attached.files?.close();
  }

  /** Throws ERR_CACHE_CLOSED once this thread or the opener has closed the cache. */
  assertOpen(): void {
    if (!this.#end.isClosed && this.kernel.control.isOpen()) return;
    throw this.closedError();
  }

  closedError(): UndercroftError {
    // The opener may have closed the cache: this thread needs no file of it any more.
    if (this.kernel.control.isClosed()) this.closeFiles();
    const text = `Cannot use cache ${JSON.stringify(this.config.name)}: it is closed`;
    return new UndercroftError("ERR_CACHE_CLOSED", text);
  }

  /** How far the cache's time, in which records are written, is ahead of the wall clock, by which
   *  users and tiers are told of it. */
  get clockAheadMs(): number {
    return this.#clockWords[1] as number;
  }

  /** Adds to one of this thread's counters (stats/counters.ts). */
  count(counter: number, amount: number): void {
    this.counters.add(counter, amount);
  }

  /** Adds a latency to one of this thread's histograms (stats/histogram.ts). One that is negative,
   *  from two clocks that disagree, adds nothing to the sum, which never shrinks. */
  sample(histogram: number, nanoseconds: number): void {
    const { counters } = this.kernel;
    counters.sample(histogram, bucketOf(nanoseconds), Math.max(0, nanoseconds));
  }
}

/** Each read of an injected clock is published in shared memory: other threads cannot call it. The
 *  time may be ahead of it since an earlier session, as it may be of the wall clock. */
function clockOf(kernel: Kernel, handle: WorkerHandle, injected: Clock | undefined): Clock {
  if (injected !== undefined) {
    const { tick } = kernel.verbs;
    const { values } = kernel.control.clockWords;
    return {
      now: () => {
        const now = injected.now() + (values[1] as number);
        tick(now);
        return now;
      },
    };
  }
  return sharedClock(kernel, handle.isClockInjected);
}
