// Who waits for a change of a key by others: the loads of this process while another has the lease.
// Called by TierHost.
import { clearTimeout, setTimeout } from "../../base/mod.js";
import { idOf } from "../change.js";
import type { TierInvalidation, TierKey } from "../tier.js";

/** One that waits, from before the tier is asked. */
export class Watch {
  readonly #end: () => void;
  #isChanged = false;
  #wake: () => void = () => undefined;

  constructor(end: () => void) {
    this.#end = end;
  }

  changed(): void {
    this.#isChanged = true;
    this.#wake();
  }

  /** Resolves when the key has changed since the watch began, or after this time. */
  async until(ms: number): Promise<void> {
    if (this.#isChanged) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }

  end(): void {
    this.#end();
    this.#wake();
  }
}

export class KeyWatch {
  readonly #watches = new Map<string, Set<Watch>>();

  watch(key: TierKey): Watch {
    const id = idOf(key);
    const all = this.#watches.get(id) ?? new Set();
    this.#watches.set(id, all);
    const watch = new Watch(() => {
      all.delete(watch);
      if (all.size === 0) this.#watches.delete(id);
    });
    all.add(watch);
    return watch;
  }

  freed(key: TierKey): void {
    for (const watch of this.#watches.get(idOf(key)) ?? []) watch.changed();
  }

  ended(change: TierInvalidation): void {
    if (change.kind === "delete") this.freed(change);
    else this.wakeAll();
  }

  wakeAll(): void {
    for (const all of this.#watches.values()) for (const watch of all) watch.changed();
  }
}
