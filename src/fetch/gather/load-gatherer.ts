// Makes of a loader of many keys the loader of single fetches: those that miss within one turn of
// the event loop are loaded by one call. Called by read-through, once for each such loader.
import { setImmediate } from "../../base/mod.js";
import type { Loadable, LoadContext, Loader } from "../fetch-parts.js";
import { type KeyOf, LoadBatch, type ManyLoader } from "./load-batch.js";

export class LoadGatherer<V, K> {
  readonly #loadMany: ManyLoader<V, K>;
  readonly #keyOf: KeyOf<K>;
  /** The batch that is being gathered. */
  #batch: LoadBatch<V, K> | undefined;

  constructor(loadMany: ManyLoader<V, K>, keyOf: KeyOf<K>) {
    this.#loadMany = loadMany;
    this.#keyOf = keyOf;
  }

  /** The loader of each of the fetches. */
  readonly load: Loader<V, K> = (context: LoadContext<V, K>): Promise<Loadable<V>> => {
    const batch = this.#batch ?? this.#begin();
    const loaded = batch.add(context);
    if (batch.isFull) this.#run(batch);
    return loaded;
  };

  #begin(): LoadBatch<V, K> {
    const batch = new LoadBatch<V, K>(this.#loadMany, this.#keyOf);
    this.#batch = batch;
    setImmediate(() => this.#run(batch));
    return batch;
  }

  /** Runs a batch, unless it was full before the turn ended. */
  #run(batch: LoadBatch<V, K>): void {
    if (this.#batch !== batch) return;
    this.#batch = undefined;
    batch.run();
  }
}
