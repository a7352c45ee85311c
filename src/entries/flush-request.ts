// A flush as a thread asks for it: takes a ticket, rings, and waits until the janitor has answered it. Called by the facade.
import { monotonicMs, UndercroftError } from "../base/mod.js";
import { hasReached, waitForChange } from "../kernel/mod.js";
import type { ThreadCore } from "./thread-core.js";

/** A flush that takes longer than this rejects: the janitor is stuck. */
const flushTimeoutMs = 120_000;
/** The longest wait without a look at whether the cache is open. */
const pollMs = 100;

/** Resolves when everything written before it, by any thread, survives a kill of the process; with `fsync`, a power loss too.
 *  Rejects with ERR_DISK_IO while the disk tier is down, ERR_CACHE_CLOSED, or ERR_WORKER if the janitor does not answer. */
export async function flush(core: ThreadCore, fsync: boolean): Promise<void> {
  const { flushes, verbs, control } = core.kernel;
  const ticket = flushes.take();
  if (fsync) flushes.wantSync(ticket);
  verbs.ring();
  await waitForTicket(core, "done", ticket);
  if (hasReached(flushes.failed(), ticket)) throw diskDown();
  if (fsync) await waitForTicket(core, "syncDone", ticket);
  if (control.isDiskUp() && !(fsync && flushes.hasSyncFailed())) return;
  throw diskDown();
}

/** Resolves when the ticket is answered. Keeps the process alive while it waits. */
async function waitForTicket(
  core: ThreadCore,
  which: "done" | "syncDone",
  ticket: number,
): Promise<void> {
  const { flushes, control } = core.kernel;
  const deadline = monotonicMs() + flushTimeoutMs;
  // A pending waitAsync does not keep the process alive.
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

function diskDown(): UndercroftError {
  return new UndercroftError("ERR_DISK_IO", "Cannot flush: the disk tier is down");
}
