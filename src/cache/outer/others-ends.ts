// Ends here what others have ended in a tier: in memory and on disk, in any namespace, for every
// thread. Called by the outer side, in the thread that opened the cache. Invariant: no tier is told
// of it by these calls, and a load that began before is not stored.
import { EntryInvalidator, type ThreadCore } from "../../entries/mod.js";
import type { Numbered, TierInvalidation } from "../../outer-tiers/mod.js";

/** What detaches loads of this thread: no later fetch joins one that began before. */
export interface Forgetting {
  key(namespace: string, key: Uint8Array): void;
  all(): void;
}

export class OthersEnds {
  readonly #core: ThreadCore;
  readonly #forget: Forgetting;
  /** Of namespaces, by name: this thread may not use them. */
  readonly #spaces = new Map<string, ThreadCore>();

  constructor(core: ThreadCore, forget: Forgetting) {
    this.#core = core;
    this.#forget = forget;
  }

  /** Undefined if the cache is closed. */
  end(change: TierInvalidation): Numbered | undefined {
    if (this.#core.isClosed) return undefined;
    this.#end(change);
    const { results, control } = this.#core.kernel;
    return { change: results.change, sequence: control.sequence() };
  }

  #end(change: TierInvalidation): void {
    const { namespace } = change;
    // What nobody here has used yet has no entries.
    const core = namespace === null ? this.#core : this.#spaceOf(namespace);
    if (core === undefined) return;
    if (change.kind === "delete") {
      core.writer.remove(change.key);
      this.#forget.key(change.namespace, change.key);
      return;
    }
    const invalidator = new EntryInvalidator(core);
    if (change.kind === "delete-by-tag") invalidator.deleteByTagHere([change.tag]);
    else invalidator.clearHere();
    this.#forget.all();
  }

  #spaceOf(name: string): ThreadCore | undefined {
    if (name === "") return this.#core;
    const { namespaces } = this.#core.kernel;
    const known = this.#spaces.get(name);
    // Another name may have been given the id since.
    if (known?.namespace && namespaces.nameOf(known.namespace.id) === name) return known;
    const id = namespaces.idOf(name);
    if (id === 0) return undefined;
    const { setDefaults, fetchDefaults } = this.#core.defaults;
    const view = { id, name, setDefaults, fetchDefaults };
    const core = this.#core.within(view, () => undefined);
    this.#spaces.set(name, core);
    return core;
  }
}
