// Waiting on a word of shared memory without blocking the event loop; for flush and for loads of other threads.
import { monotonicMs, UndercroftError } from "../base/mod.js";

const turnMs = 100;

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
) => { readonly async: boolean; readonly value: Promise<string> | string };

// Not in the library of ES2023, but in every Node.js this package runs on.
const { waitAsync } = Atomics as unknown as { readonly waitAsync: WaitAsync };

/** Resolves when the word at `index` is not `seen` and somebody has notified it, or after `timeoutMs`. Keeps no process
 *  alive. */
export async function waitForChange(
  words: Int32Array,
  index: number,
  seen: number,
  timeoutMs: number,
): Promise<void> {
  await waitAsync(words, index, seen, timeoutMs).value;
}

/** Resolves when the counter at `index` has reached `ticket`, as wrapping 32-bit numbers. Rejects with ERR_WORKER after
 *  `timeoutMs`. Keeps the process alive while it waits. `check` runs at every turn and may throw. */
export async function waitForTicket(
  words: Int32Array,
  index: number,
  ticket: number,
  timeoutMs: number,
  check: () => void,
): Promise<void> {
  const deadline = monotonicMs() + timeoutMs;
  // A pending waitAsync does not keep the process alive.
  const alive = setInterval(() => undefined, turnMs);
  try {
    while (true) {
      const seen = Atomics.load(words, index);
      if (((seen - ticket) | 0) >= 0) return;
      check();
      if (monotonicMs() > deadline) {
        throw new UndercroftError(
          "ERR_WORKER",
          `Cannot flush: the janitor did not answer within ${timeoutMs} ms`,
        );
      }
      await waitForChange(words, index, seen, turnMs);
    }
  } finally {
    clearInterval(alive);
  }
}

/** Raises a word to a ticket, unless a later one stands there already: several threads ask, and answers may cross. */
export function raiseTicket(words: Int32Array, index: number, ticket: number): void {
  let seen = Atomics.load(words, index);
  while (((ticket - seen) | 0) > 0) {
    const was = Atomics.compareExchange(words, index, seen, ticket);
    if (was === seen) return;
    seen = was;
  }
}
