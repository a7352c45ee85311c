// The loads of one `fetchMany`: they are held back until each of its keys was found, waits for
// another load, or must be loaded; then one call loads the latter. Called by read-through.
// Invariant: nothing that may itself wait for one of these loads holds them back, only reads of the
// disk. What must be loaded later, after another thread's load was lost for instance, is gathered
// by turns of the event loop.
import { rejecting } from "../../base/mod.js";
import type { Loadable, LoadContext, Loader } from "../fetch-parts.js";
import { type KeyOf, LoadBatch, type ManyLoader } from "./load-batch.js";
import { LoadGatherer } from "./load-gatherer.js";

export class HeldLoads<V, K> {
  readonly #later: LoadGatherer<V, K>;
  #batch: LoadBatch<V, K>;
  readonly #loadMany: ManyLoader<V, K>;
  readonly #keyOf: KeyOf<K>;
  /** Keys that may still need to be loaded, and the fetches that have not been made yet. */
  #open = 1;

  constructor(loadMany: ManyLoader<V, K>, keyOf: KeyOf<K>) {
    this.#loadMany = loadMany;
    this.#keyOf = keyOf;
    this.#batch = new LoadBatch(loadMany, keyOf);
    this.#later = new LoadGatherer(loadMany, keyOf);
  }

  /** Makes the fetch of one more key: with this loader, and a function to call when the fetch looks
   *  no further. */
  add(
    fetch: (load: Loader<V, K>, looked: () => void) => Promise<V | undefined>,
  ): Promise<V | undefined> {
    this.#open += 1;
    let isOpen = true;
    const looked = (): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#close();
    };
    const load = (context: LoadContext<V, K>): Promise<Loadable<V>> => {
      if (!isOpen) return this.#later.load(context) as Promise<Loadable<V>>;
      const loaded = this.#batch.add(context);
      if (this.#batch.isFull) this.#run();
      looked();
      return loaded;
    };
    const value = rejecting(() => fetch(load, looked));
    value.then(looked, looked);
    return value;
  }

  /** All fetches are made. */
  end(): void {
    this.#close();
  }

  #close(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#run();
  }

  #run(): void {
    const batch = this.#batch;
    this.#batch = new LoadBatch(this.#loadMany, this.#keyOf);
    batch.run();
  }
}
