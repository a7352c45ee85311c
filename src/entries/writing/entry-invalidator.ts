// Ends many entries at once: clear, and deleteByTag. Called by the facade, and for what a tier
// tells. Invariant: when a call returns, no entry that it names is left for any thread or any later
// session.
import { resolveTags } from "../../config/mod.js";
import { codes } from "../../kernel/mod.js";
import * as counter from "../../stats/mod.js";
import type { ThreadCore } from "../thread-core.js";

/** The longest that deleteByTag waits for a sweep when the tag table is full. */
const tagSweepWaitMs = 1000;

export class EntryInvalidator {
  readonly #core: ThreadCore;
  /** How many sweeps had ended when one did not end in time; -1 = none was too slow. */
  #awaitedSweep = -1;

  constructor(core: ThreadCore) {
    this.#core = core;
  }

  clear(): void {
    this.#core.assertOpen();
    const { through } = this.#core;
    if (through === null) this.clearHere();
    else through.clear(() => this.clearHere());
  }

  /** As `clear`; the tiers are not told. */
  clearHere(): void {
    const { kernel, directory, namespace } = this.#core;
    if (namespace !== null) {
      this.#clearNamespace(namespace.id);
      return;
    }
    this.#rememberCounts();
    const epoch = kernel.verbs.clear();
    directory?.writeClear(epoch);
    kernel.verbs.ring();
    // Other threads drop theirs at their next lookup.
    this.#core.near?.drop();
  }

  #clearNamespace(id: number): void {
    const { kernel, near, directory } = this.#core;
    kernel.verbs.clearSpace(id);
    directory?.writeNamespaceClear(id);
    kernel.verbs.ring();
    near?.drop();
  }

  /** When this returns no entry with one of these tags is left, for any thread or later session. */
  deleteByTag(tags: string | readonly string[]): void {
    this.#core.assertOpen();
    const resolved = resolveTags(tags);
    const { through } = this.#core;
    if (through === null) this.deleteByTagHere(resolved);
    else through.deleteByTag(resolved, () => this.deleteByTagHere(resolved));
  }

  /** As `deleteByTag`; the tiers are not told. */
  deleteByTagHere(tags: readonly string[]): void {
    for (const tag of tags) {
      this.#invalidateTag(tag);
      this.#core.directory?.writeTag();
    }
  }

  #invalidateTag(tag: string): void {
    const { verbs, tags } = this.#core.kernel;
    const name = Buffer.from(tag, "utf8");
    const { low, high } = tags.hashOf(name, 0, name.length);
    const seen = tags.sweeps();
    if (verbs.invalidateTag(low, high, 0) === codes.answerDone) return;
    // The table has no slot for the tag: wait for the janitor's sweep. A sweep that this thread has
    // waited for in vain is not waited for again.
    verbs.ring();
    const waits = seen !== this.#awaitedSweep && this.#waitForSweep(seen);
    if (waits && verbs.invalidateTag(low, high, 0) === codes.answerDone) return;
    verbs.invalidateTag(low, high, 1);
  }

  #waitForSweep(seen: number): boolean {
    const { kernel } = this.#core;
    kernel.count(counter.counterTagWaits, 1);
    if (kernel.tags.waitForSweep(seen, tagSweepWaitMs)) return true;
    this.#awaitedSweep = seen;
    return false;
  }

  /** Live entries are counted from zero after a clear: cleared ones leave later, uncounted. */
  #rememberCounts(): void {
    const { kernel } = this.#core;
    kernel.control.setClearedCounts({
      memoryEntries: kernel.total(counter.counterMemoryEntries),
      memoryBytes: kernel.total(counter.counterMemoryBytes),
      diskEntries: kernel.total(counter.counterDiskEntries),
      negatives: kernel.total(counter.counterNegativeAnswers),
    });
  }
}
