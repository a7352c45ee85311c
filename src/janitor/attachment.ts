// Puts together what any thread needs to use a cache: its store, its disk tier, and the eviction it runs itself when no
// segment is free. Called by the facade and by pool workers.
import type { UndercroftError } from "../base/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { MemoryStore } from "../memory/mod.js";
import { counterForegroundReclaims } from "../stats/mod.js";
import { DiskTier } from "../tiers/mod.js";
import { policyOver } from "./eviction.js";
import { RemovalReporter, type SendRemovals } from "./removals.js";
import { type RemovalCallback, Evictor } from "./evictor.js";
import type { WorkerHandle } from "./messages.js";
import { sharedTime } from "./shared-time.js";

/** One thread's way into a cache. */
export interface Attachment {
  readonly store: MemoryStore;
  readonly tier: DiskTier | null;
}

/** `onFault` hears of failed writes to disk, `send` of entries that this thread evicted; null if it cannot. */
export function attachStore(
  kernel: Kernel,
  handle: Pick<WorkerHandle, "disk" | "clockAnchorMs">,
  onFault: (error: UndercroftError) => void,
  send: SendRemovals | null,
): Attachment {
  const store = new MemoryStore(kernel);
  const tier = handle.disk === null ? null : new DiskTier(store, handle.disk, onFault);
  const writeTombstone = (location: number): void => tier?.writeTombstone(location);
  // Made when it is first needed: most threads never evict, and attaching is to be quick.
  let reclaimer: ForegroundReclaimer | undefined;
  const now = sharedTime(kernel, handle.clockAnchorMs);
  store.connect(writeTombstone, () => {
    kernel.count(counterForegroundReclaims, 1);
    reclaimer ??= makeForegroundReclaimer(kernel, writeTombstone, send);
    const { evictor, removals } = reclaimer;
    const hasRoom = makeRoom(kernel, evictor, now());
    removals.report();
    return hasRoom;
  });
  return { store, tier };
}

interface ForegroundReclaimer {
  readonly evictor: Evictor;
  readonly removals: RemovalReporter;
}

function makeForegroundReclaimer(
  kernel: Kernel,
  writeTombstone: (location: number) => void,
  send: SendRemovals | null,
): ForegroundReclaimer {
  const removals = new RemovalReporter(kernel, send);
  const removed: RemovalCallback = (record, cause) => removals.add(record, cause);
  return { evictor: new Evictor(kernel, policyOver(kernel), writeTombstone, removed), removals };
}

function makeRoom(kernel: Kernel, evictor: Evictor, now: number): boolean {
  const { i32 } = kernel.views;
  const wanted = kernel.geometry.reserveSegments + 1;
  const diskUp = Atomics.load(i32, at.controlDiskUp / 4) === 1;
  if (evictor.makeRoom(wanted, now, diskUp)) return true;
  // The disk is slower than the writers: the oldest entries go unwritten, unless a flush was promised them.
  const requested = Atomics.load(i32, at.controlFlushRequested / 4);
  const isPromised = requested !== Atomics.load(i32, at.controlFlushDone / 4);
  return diskUp && !isPromised && evictor.makeRoom(wanted, now, false);
}
