// The order in which what a thread has of a cache ends. Called by `Cache.close`, once its own calls
// are refused.
import type { ThreadCore } from "../../entries/mod.js";
import type { OpenerSide } from "../opener-side.js";
import type { ThreadRegistration } from "../thread-registration.js";
import type { OuterSide } from "./outer-side.js";
import type { SharedSide } from "./shared-side.js";

interface Closing {
  readonly core: ThreadCore;
  readonly opener: OpenerSide | null;
  readonly outer: OuterSide | null;
  readonly registration: ThreadRegistration;
  readonly shared: SharedSide | null;
}

/** In the thread that opened the cache: the cache closes for all, and the tiers make what waits.
 *  In another: the thread gives its id back, once its reads and `others`, those of its namespaces,
 *  have ended. */
export async function closeThread(
  parts: Closing,
  others: readonly (Promise<void> | undefined)[],
): Promise<void> {
  const { core, opener, outer, registration, shared } = parts;
  if (opener !== null) {
    try {
      // First, so that no thread makes changes any more.
      await opener.close();
    } finally {
      try {
        await outer?.close();
      } finally {
        // Last: what was changed goes to the owner, which may be this process.
        await shared?.close();
        registration.end();
      }
    }
    return;
  }
  // A disk read that ends uses this thread's id, so it must end before another thread claims it.
  const reads = [core.disk?.settled(), ...others].filter((read) => read !== undefined);
  if (reads.length > 0) await Promise.all(reads);
  await outer?.close();
  registration.leave();
}
