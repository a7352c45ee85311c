// A flush as any thread requests it: take a ticket, ring the janitor, wait for its answer. Called
// by the facade.
import { clearInterval, monotonicMs, setInterval, UndercroftError } from "../base/mod.js";
import { unwrittenEntries } from "../eviction/mod.js";
import { hasReached, waitForChange } from "../kernel/mod.js";
import { filesOf } from "../tiers/mod.js";
import type { ThreadCore } from "./thread-core.js";

/** Milliseconds until a flush rejects: the janitor is stuck. */
const flushTimeoutMs = 120_000;
/** The longest wait, in milliseconds, between two checks that the cache is open. */
const pollMs = 100;

/** Resolves when everything written before it, by any thread, survives the end of the process, by
 *  kill -9 too; with `fsync`, also a power loss. Rejects with ERR_DIRECTORY_LOCKED while another
 *  cache has the directory, with ERR_DISK_IO if the disk tier is down or a sync has failed since
 *  the open, with ERR_CACHE_CLOSED if the cache closes, with ERR_WORKER if the janitor does not
 *  answer. */
export async function flush(core: ThreadCore, fsync: boolean): Promise<void> {
  const { flushes, verbs, control } = core.kernel;
  if (control.isDirectoryOthers()) throw diskDown(core);
  const { disk } = core.handle;
  if (fsync && disk !== null && !filesOf(disk).isSynced) throw syncForbidden();
  const ticket = flushes.take();
  if (fsync) flushes.wantSync(ticket);
  verbs.ring();
  await waitForTicket(core, "done", ticket);
  if (hasReached(flushes.failed(), ticket)) throw diskDown(core);
  if (fsync) await waitForTicket(core, "syncDone", ticket);
  if (flushes.isSyncLost()) throw syncLost(core);
  if (control.isDiskUp() && !(fsync && flushes.hasSyncFailed())) return;
  throw diskDown(core);
}

/** The longest wait at the exit of the process, in milliseconds. */
const exitWaitMs = 2_000;

/** At the exit of the process, when nothing asynchronous runs any more: has everything written that
 *  is not on disk yet, and blocks the thread until it is. Returns how many entries are left out,
 *  since it took too long or failed. */
export function flushAtExit(core: ThreadCore): number {
  const { kernel, clock } = core;
  if (!kernel.control.isOpen() || isFlushed(core)) return 0;
  return unwrittenEntries(kernel, clock.now());
}

function isFlushed(core: ThreadCore): boolean {
  const { flushes, verbs, control } = core.kernel;
  if (!control.isDiskUp()) return false;
  const ticket = flushes.take();
  verbs.ring();
  const { words, index } = flushes.word("done");
  const until = monotonicMs() + exitWaitMs;
  for (let done = flushes.done(); !hasReached(done, ticket); done = flushes.done()) {
    if (monotonicMs() >= until) return false;
    Atomics.wait(words, index, done, pollMs);
  }
  return !hasReached(flushes.failed(), ticket);
}

/** Resolves when the ticket is answered. Keeps the process alive meanwhile. */
async function waitForTicket(
  core: ThreadCore,
  which: "done" | "syncDone",
  ticket: number,
): Promise<void> {
  const { flushes, control } = core.kernel;
  const deadline = monotonicMs() + flushTimeoutMs;
  // A pending Atomics.waitAsync does not keep the process alive.
  const alive = setInterval(() => undefined, pollMs);
  try {
    while (true) {
      const seen = which === "done" ? flushes.done() : flushes.syncDone();
      if (hasReached(seen, ticket)) return;
      if (control.isClosed()) throw core.closedError();
      if (monotonicMs() > deadline) {
        const text = `Cannot flush: the janitor did not answer within ${flushTimeoutMs} ms`;
        throw new UndercroftError("ERR_WORKER", text);
      }
      await waitForChange(flushes.word(which), seen, pollMs);
    }
  } finally {
    clearInterval(alive);
  }
}

function syncForbidden(): UndercroftError {
  return new UndercroftError(
    "ERR_RUNTIME",
    "Cannot sync to disk: Node's permission model forbids fsync; flush() without fsync keeps " +
      "entries until the machine stops",
  );
}

/** All that is on disk: what was synced may have lost the tombstones that came later. */
function syncLost(core: ThreadCore): UndercroftError {
  const path = core.config.disk?.path ?? "the directory";
  const text =
    `Cannot flush: a sync of ${path} to disk has failed since it was opened, so what was written ` +
    "may be lost, and the next open starts empty; close the cache and open it again to keep " +
    "entries on disk";
  return new UndercroftError("ERR_DISK_IO", text);
}

function diskDown(core: ThreadCore): UndercroftError {
  const { kernel, config, clock } = core;
  const entries = unwrittenEntries(kernel, clock.now());
  const left = `${entries} entries are in memory only`;
  if (!kernel.control.isDirectoryOthers()) {
    const text = `Cannot flush: the disk tier is down; ${left}`;
    return new UndercroftError("ERR_DISK_IO", text);
  }
  const path = config.disk?.path ?? "the directory";
  const text = `Cannot flush: another cache has ${path}; ${left}`;
  return new UndercroftError("ERR_DIRECTORY_LOCKED", text);
}
