// Attaching and detaching leaves nothing behind: no thread place, no descriptor, no memory beyond a stated slack.
// Called by main.ts and, in its CI share, by a test.

import { readdirSync } from "node:fs";

import { attachCache, type Cache, openCache } from "../../src/mod.js";
import { hold, type Proof } from "./proof.js";

/** RSS may grow by this much over a whole run: V8 keeps pages of what it has collected. */
const rssSlackBytes = 48 * 1024 * 1024;
/** The first rounds warm up: code is compiled, pools and heaps find their size. */
const warmUpShare = 0.1;

/** What a process holds. `descriptors` is 0 where the system has no list of them. */
function held(): { readonly rss: number; readonly descriptors: number } {
  globalThis.gc?.();
  const descriptors = process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0;
  return { rss: process.memoryUsage.rss(), descriptors };
}

async function attachAndDetach(cache: Cache, round: number): Promise<void> {
  const attached = attachCache(cache.handle());
  attached.set(`k${round % 100}`, round);
  hold(cache.getSync(`k${round % 100}`) === round, `round ${round} read another value`);
  await attached.close();
}

export const leak: Proof<"rounds"> = {
  name: "leak",
  about: "attaching and detaching leaves memory, thread places and descriptors where they began",
  options: { rounds: 10_000 },
  async run({ rounds }) {
    const cache = await openCache({ memory: "8mb" });
    try {
      let round = 0;
      for (; round < rounds * warmUpShare; round++) await attachAndDetach(cache, round);
      const before = held();
      for (; round < rounds; round++) await attachAndDetach(cache, round);
      const after = held();
      hold(
        after.descriptors <= before.descriptors,
        `${after.descriptors - before.descriptors} descriptors were left open`,
      );
      hold(
        after.rss - before.rss < rssSlackBytes,
        `RSS grew by ${after.rss - before.rss} bytes over ${rounds} rounds`,
      );
      return `${rounds} rounds, RSS ${((after.rss - before.rss) / 2 ** 20).toFixed(1)} MiB more, descriptors as before`;
    } finally {
      await cache.close();
    }
  },
};
