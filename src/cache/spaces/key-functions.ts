// What a namespace's own functions make of the calls: the key of what the caller names an entry by,
// its tags, and a loader that is given that name back. Called by the key space. Invariant: tags are
// asked for only when an entry is stored or loaded, once for each.
import type { IsValid, ResolvedFetchOptions, RevisionOf, SetOptions } from "../../config/mod.js";
import { checkedTags } from "../../config/mod.js";
import type { LoadContext, Loader } from "../../fetch/mod.js";
import type { Key } from "../../kernel/mod.js";

export class KeyFunctions<V, K> {
  readonly #keyOf: ((key: K) => Key) | null;
  readonly #tagsOf: ((key: K) => readonly string[]) | null;

  constructor(keyOf: ((key: K) => Key) | null, tagsOf: ((key: K) => readonly string[]) | null) {
    this.#keyOf = keyOf;
    this.#tagsOf = tagsOf;
  }

  keyOf(key: K): Key {
    return this.#keyOf === null ? (key as Key) : this.#keyOf(key);
  }

  /** The options of a set with the tags of the key, unless they have their own. */
  tagged<Options extends Pick<SetOptions, "tags">>(
    key: K,
    options: Options | undefined,
  ): Options | Pick<SetOptions, "tags"> | undefined {
    if (this.#tagsOf === null || options?.tags !== undefined) return options;
    // What is no object of options is for the set to refuse.
    if (options !== undefined && (typeof options !== "object" || options === null)) return options;
    return { ...options, tags: this.#tagsOf(key) };
  }

  /** The options of a fetch with the tags of the key, unless they have their own, and an `isValid`
   *  that is given what the caller named the entry by. */
  optionsOf(key: K, options: ResolvedFetchOptions): ResolvedFetchOptions {
    const { isValid } = options;
    const tagsOf = options.tags.length > 0 ? null : this.#tagsOf;
    const isNamed = isValid !== undefined && this.#keyOf !== null;
    if (tagsOf === null && !isNamed) return options;
    const ask = isValid as IsValid<unknown, K>;
    const named: IsValid<unknown> = (value, context) => ask(value, { ...context, key });
    return new NamedOptions(options, isNamed ? named : isValid, tagsOf && (() => tagsOf(key)));
  }

  /** A loader that is given what the caller named the entry by. */
  loaderOf(key: K, loader: Loader<V, K>): Loader<V> {
    // What is no function is for the fetch to refuse.
    if (this.#keyOf === null || typeof loader !== "function") return loader as Loader<V>;
    return (context: LoadContext<V>) => loader({ ...context, key });
  }
}

/** Options of a fetch whose tags are asked for when they are needed: most fetches are hits. */
class NamedOptions implements ResolvedFetchOptions {
  readonly ttlMs: number;
  readonly staleForMs: number;
  readonly softTimeoutMs: number;
  readonly hardTimeoutMs: number;
  readonly negativeTtlMs: number;
  readonly refreshAfterMs: number;
  readonly jitter: number;
  readonly isValid: ResolvedFetchOptions["isValid"];
  readonly forceRefresh: boolean;
  readonly signal: AbortSignal | undefined;
  readonly revisionOf: RevisionOf | undefined;
  readonly #tagsOf: () => readonly string[];
  #tags: readonly string[] | undefined;

  /** `tagsOf`: null if the options have the tags. */
  constructor(
    options: ResolvedFetchOptions,
    isValid: ResolvedFetchOptions["isValid"],
    tagsOf: (() => readonly string[]) | null,
  ) {
    this.ttlMs = options.ttlMs;
    this.staleForMs = options.staleForMs;
    this.softTimeoutMs = options.softTimeoutMs;
    this.hardTimeoutMs = options.hardTimeoutMs;
    this.negativeTtlMs = options.negativeTtlMs;
    this.refreshAfterMs = options.refreshAfterMs;
    this.jitter = options.jitter;
    this.isValid = isValid;
    this.forceRefresh = options.forceRefresh;
    this.signal = options.signal;
    this.revisionOf = options.revisionOf;
    this.#tagsOf = tagsOf ?? (() => options.tags);
  }

  get tags(): readonly string[] {
    this.#tags ??= checkedTags(this.#tagsOf());
    return this.#tags;
  }
}
