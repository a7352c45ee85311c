// What a thread needs to use a cache: its key window, readers and writers of memory and disk, and
// the eviction that it runs itself when no segment is free. Called by the entries room and by pool
// workers.
import { type Clock, elapsedMs, type UndercroftError } from "../base/mod.js";
import { codes, type Kernel, KeyWindow } from "../kernel/mod.js";
import { MemoryReader, MemoryWriter } from "../memory/mod.js";
import type { LogPolicy } from "../policy/mod.js";
import { counterForegroundReclaims, type CounterSink, SpaceCounters } from "../stats/mod.js";
import { DirectoryWriter, DiskReader, type SegmentFiles, threadDisk } from "../tiers/mod.js";
import { Evictor } from "./evictor.js";
import { RemovalReporter, type SendRemovals } from "./removals.js";
import { policyCapacityOf, policyOver, usedGeometryOf } from "./shared-policy.js";
import { sharedClock } from "./shared-time.js";
import type { WorkerHandle } from "./worker-handle.js";

/** One thread's access to a cache. */
export interface Attachment {
  readonly keys: KeyWindow;
  readonly reader: MemoryReader;
  readonly writer: MemoryWriter;
  /** This thread's counters: the cache's, or those of a namespace. */
  readonly counters: CounterSink;
  /** Null for a cache in memory only. */
  readonly disk: DiskReader | null;
  readonly directory: DirectoryWriter | null;
  readonly files: SegmentFiles | null;
  /** The same for the keys of a namespace. */
  within(namespace: number): Attachment;
}

/** `onFault` gets failed writes to disk. `send` gets the entries that this thread evicted; null
 *  if the thread cannot deliver them. `mayWait`: the thread has nothing else to do, so it waits for
 *  the disk rather than refuse a write. */
export function attachThread(
  kernel: Kernel,
  handle: Pick<WorkerHandle, "disk" | "isClockInjected" | "spaceCounts">,
  onFault: (error: UndercroftError) => void,
  send: SendRemovals | null,
  mayWait = false,
): Attachment {
  const own = handle.disk === null ? null : threadDisk(kernel, handle.disk);
  const files = own?.files ?? null;
  const directory = own === null ? null : new DirectoryWriter(kernel, own, onFault);
  const writeTombstone = (location: number): void => directory?.writeTombstone(location);
  // Created on first use: most threads never evict, and attaching must be quick.
  let reclaimer: ForegroundReclaimer | undefined;
  const evictsUnwritten = handle.disk?.evictsUnwritten === true;
  const clock = sharedClock(kernel, handle.isClockInjected);
  const reclaim = (): boolean => {
    kernel.count(counterForegroundReclaims, 1);
    reclaimer ??= new ForegroundReclaimer(kernel, writeTombstone, send, evictsUnwritten);
    return reclaimer.makeRoom(clock.now()) || (mayWait && waitForRoom(kernel, reclaimer, clock));
  };
  const within = (namespace: number): Attachment => {
    const keys = new KeyWindow(kernel, namespace);
    const reader = new MemoryReader(kernel, keys);
    const writer = new MemoryWriter(kernel, keys);
    const counters = namespace === 0 ? kernel.counters : countersOf(kernel, handle, namespace);
    writer.connect(writeTombstone, reclaim, counters);
    const disk = own === null ? null : new DiskReader(reader, writer, own);
    return { keys, reader, writer, disk, directory, files, counters, within };
  };
  return within(0);
}

function countersOf(
  kernel: Kernel,
  { spaceCounts }: Pick<WorkerHandle, "spaceCounts">,
  space: number,
): SpaceCounters {
  const position = kernel.thread * (codes.namespacesMax + 1) + space;
  return new SpaceCounters(kernel.counters, spaceCounts, position);
}

/** The longest wait of a worker for the disk, in milliseconds, and how often it looks. */
const roomWaitMsMax = 30_000;
const roomLookMs = 2;

/** Blocks until the janitor has written so much that there is room. False if it takes too long, or
 *  the cache has closed. */
function waitForRoom(kernel: Kernel, reclaimer: ForegroundReclaimer, clock: Clock): boolean {
  const until = elapsedMs() + roomWaitMsMax;
  while (elapsedMs() < until && !kernel.control.isClosed()) {
    kernel.verbs.ring();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, roomLookMs);
    if (reclaimer.makeRoom(clock.now())) return true;
  }
  return false;
}

/** The foreground reclaim of a writer. */
class ForegroundReclaimer {
  readonly #kernel: Kernel;
  readonly #evictor: Evictor;
  readonly #removals: RemovalReporter;
  readonly #policy: LogPolicy;
  readonly #evictsUnwritten: boolean;

  constructor(
    kernel: Kernel,
    writeTombstone: (location: number) => void,
    send: SendRemovals | null,
    evictsUnwritten: boolean,
  ) {
    this.#kernel = kernel;
    this.#evictsUnwritten = evictsUnwritten;
    const removals = new RemovalReporter(kernel, send);
    this.#removals = removals;
    this.#policy = policyOver(kernel);
    this.#evictor = new Evictor(kernel, this.#policy, writeTombstone, removals);
  }

  makeRoom(now: number): boolean {
    // The cache may have another size by now.
    this.#policy.resize(policyCapacityOf(usedGeometryOf(this.#kernel)));
    const hasRoom = this.#empty(now);
    this.#removals.report();
    return hasRoom;
  }

  #empty(now: number): boolean {
    const { control, flushes, geometry } = this.#kernel;
    const wanted = geometry.reserveSegments + 1;
    const isDiskUp = control.isDiskUp();
    if (this.#evictor.makeRoom(wanted, now, isDiskUp)) return true;
    // The disk is slower than the writers. What they have stored stays, unless the user would
    // rather have the newest; and while a flush is asked for it stays in any case.
    const mayEvict = this.#evictsUnwritten && flushes.requested() === flushes.done();
    return isDiskUp && mayEvict && this.#evictor.makeRoom(wanted, now, false);
  }
}
