// One call of a loader of many keys, for the loads that were gathered into it. Called by
// LoadGatherer and HeldLoads, which are the loaders of those loads. Invariants: each load gets one
// answer; a load that has ended before the call is not asked for; the loader's signal aborts when
// nobody wants any of the keys any more.
import { describe, watchAbort } from "../../base/mod.js";
import { assertKey } from "../../config/mod.js";
import { keyIdOf, type Key } from "../../kernel/mod.js";
import { currentLoading, Loading } from "../cycles/loading.js";
import type { Loadable, LoadContext } from "../fetch-parts.js";

/** The most keys of one call. */
export const batchKeysMax = 10_000;

/**
 * The argument of a loader of many keys.
 *
 * @example
 * ```ts
 * import { type LoadManyContext, openCache } from "undercroft";
 *
 * const users = new Map([["user:7", "Ada"]]);
 * const load = ({ keys }: LoadManyContext): Map<string, string> =>
 *   new Map([...users].filter(([key]) => keys.includes(key)));
 * const cache = await openCache<string>();
 * console.log(await cache.fetchMany(["user:7", "user:8"], load)); // Map(1) { 'user:7' => 'Ada' }
 * await cache.close();
 * ```
 */
export interface LoadManyContext<K = Key> {
  /** The keys to load, each once, as a namespace's callers name them; bytes are copies. At most
   *  10,000. */
  readonly keys: readonly K[];
  /** Aborts when nobody waits for any of the keys any more, and at `close`. */
  readonly signal: AbortSignal;
}

/** What a loader of many keys gives: a Map or other pairs of a key and its value, which may be an
 *  `entry`. A key that is left out has no value at the source. */
export type LoadedMany<R, K = Key> = Iterable<readonly [K, R]>;

/**
 * Gets the values of many keys from their source in one go, as a Map or as pairs. A key that it
 * leaves out, or gives as `undefined`, has no value there. Other keys than those asked for are
 * ignored.
 *
 * @example
 * ```ts
 * import { type ManyLoader, openCache } from "undercroft";
 *
 * const load: ManyLoader<number> = ({ keys }) => keys.map((key) => [key, String(key).length]);
 * const cache = await openCache<number>();
 * console.log(await cache.fetchMany(["a", "bb"], load)); // Map(2) { 'a' => 1, 'bb' => 2 }
 * await cache.close();
 * ```
 */
export type ManyLoader<V, K = Key> = (
  context: LoadManyContext<K>,
) => LoadedMany<Loadable<V>, K> | PromiseLike<LoadedMany<Loadable<V>, K>>;

/** The key of what callers name an entry by. It may throw, or give what is no key. */
export type KeyOf<K> = (name: K) => Key;

/** A load that waits for the answer of the batch. */
interface Member<V, K> {
  readonly context: LoadContext<V, K>;
  readonly loading: Loading | undefined;
  readonly resolve: (loaded: Loadable<V>) => void;
  readonly reject: (reason: unknown) => void;
}

export class LoadBatch<V, K> {
  readonly #loadMany: ManyLoader<V, K>;
  readonly #keyOf: KeyOf<K>;
  readonly #members: Member<V, K>[] = [];

  constructor(loadMany: ManyLoader<V, K>, keyOf: KeyOf<K>) {
    this.#loadMany = loadMany;
    this.#keyOf = keyOf;
  }

  get isFull(): boolean {
    return this.#members.length >= batchKeysMax;
  }

  /** Called as the loader of a load: what the batch's loader will give for its key. */
  add(context: LoadContext<V, K>): Promise<Loadable<V>> {
    const loading = currentLoading();
    return new Promise((resolve, reject) => {
      this.#members.push({ context, loading, resolve, reject });
    });
  }

  /** Calls the loader, once, and gives each load its answer. */
  run(): void {
    const wanted = this.#members.filter(({ context: { signal }, reject }) => {
      if (signal.aborted) reject(signal.reason);
      return !signal.aborted;
    });
    if (wanted.length > 0) void this.#load(wanted);
  }

  #idOf(name: K): string {
    const key = this.#keyOf(name);
    assertKey(key);
    return keyIdOf(key);
  }

  async #load(wanted: readonly Member<V, K>[]): Promise<void> {
    const whole = signalOf(wanted.map(({ context }) => context.signal));
    try {
      const keys = new Map(wanted.map(({ context: { key } }) => [this.#idOf(key), key]));
      const context = { keys: [...keys.values()], signal: whole.signal };
      const answer = await within(wanted, () => this.#loadMany(context));
      const loaded = loadedBy(answer, (name) => this.#idOf(name));
      for (const { context: own, resolve } of wanted) resolve(loaded.get(this.#idOf(own.key)));
    } catch (error) {
      for (const { reject } of wanted) reject(error);
    } finally {
      whole.end();
    }
  }
}

/** Runs the loader for all these loads: a fetch that it waits for is a wait of each. */
function within<V, K, Result>(members: readonly Member<V, K>[], load: () => Result): Result {
  const loadings = members.flatMap(({ loading }) => loading ?? []);
  return loadings.length === 0 ? load() : Loading.gather(loadings).runGathered(load);
}

/** A signal that aborts once all of these have, with the reason of the last. */
function signalOf(signals: readonly AbortSignal[]): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  let left = signals.length;
  const ends = signals.map((signal) => {
    const end = watchAbort(signal, () => {
      end();
      left -= 1;
      if (left === 0) controller.abort(signal.reason);
    });
    return end;
  });
  return { signal: controller.signal, end: () => ends.forEach((end) => end()) };
}

/** What a loader of many keys gave, by the ids of the keys. Throws TypeError if that is no Map and
 *  no pairs. */
function loadedBy<V, K>(
  answer: LoadedMany<Loadable<V>, K>,
  idOf: (name: K) => string,
): Map<string, Loadable<V>> {
  if (typeof answer !== "object" || answer === null || !(Symbol.iterator in answer)) {
    throw answerError(`what it gave is ${describe(answer)}`);
  }
  const loaded = new Map<string, Loadable<V>>();
  let position = 0;
  for (const pair of answer as Iterable<unknown>) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw answerError(`item ${position} of what it gave is ${describe(pair)}`);
    }
    const [name, value] = pair as [K, Loadable<V>];
    loaded.set(idOf(name), value);
    position += 1;
  }
  return loaded;
}

function answerError(what: string): TypeError {
  return new TypeError(
    `Cannot use what loadMany gave: ${what}; it must give a Map, or an iterable of ` +
      "[key, value] pairs such as Object.entries(object)",
  );
}
