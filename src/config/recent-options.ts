// The options of the last fetches with what they were resolved to: a call site gives the same ones
// again and again, as one object or as a literal. Called by operation-options.ts. Options are known
// by their values, not by their object, which may have been changed since. Invariants: nothing of a
// caller's is kept alive but durations, numbers and the text of tags; what differs in any property
// is not known.
import type { FetchOptions } from "./options.js";

/** Call sites that take turns are few; a search costs a few compares for each. */
const recentMax = 4;
/** V8 copies a substring of so few characters, so what it was cut from is not kept alive. */
const textMax = 12;
const tagsMax = 4;
const quantities = ["ttl", "staleFor", "negativeTtl", "timeout", "refreshAfter", "jitter"];
const kept: ReadonlySet<string> = new Set(quantities);

interface Recent<R> {
  readonly defaults: R;
  readonly resolved: R;
  readonly count: number;
  readonly ttl: unknown;
  readonly staleFor: unknown;
  readonly negativeTtl: unknown;
  readonly timeout: unknown;
  readonly refreshAfter: unknown;
  readonly jitter: unknown;
  readonly tags: readonly string[] | undefined;
}

/** R: resolved options. */
export class RecentOptions<R> {
  readonly #recent: Recent<R>[] = [];
  #next = 0;

  /** What these options were resolved to beside these defaults, if they came lately. */
  find(options: FetchOptions<never, never>, defaults: R): R | undefined {
    if (typeof options !== "object" || options === null) return undefined;
    for (const recent of this.#recent) {
      if (recent.defaults === defaults && isSame(recent, options)) return recent.resolved;
    }
    return undefined;
  }

  /** Remembers what was resolved, if it has but plain quantities and a few short tags. */
  add(options: FetchOptions<never, never>, defaults: R, resolved: R): void {
    if (hasMore(options)) return;
    let count = 0;
    for (const name in options) {
      const value: unknown = options[name as keyof typeof options];
      if (name === "tags" ? !areShort(value) : !kept.has(name) || !isShort(value)) return;
      count += 1;
    }
    const { ttl, staleFor, negativeTtl, timeout, refreshAfter, jitter } = options;
    const tags = options.tags === undefined ? undefined : [...options.tags];
    const given = { ttl, staleFor, negativeTtl, timeout, refreshAfter, jitter };
    this.#recent[this.#next] = { defaults, resolved, count, ...given, tags };
    this.#next = (this.#next + 1) % recentMax;
  }
}

/** Whether there is what is not remembered, also where a loop over names does not see it. */
function hasMore(options: FetchOptions<never, never>): boolean {
  const { signal, isValid, forceRefresh, revision } = options;
  return (
    signal !== undefined ||
    isValid !== undefined ||
    forceRefresh !== undefined ||
    revision !== undefined
  );
}

function isShort(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && value.length <= textMax);
}

function areShort(tags: unknown): boolean {
  return (
    Array.isArray(tags) &&
    tags.length <= tagsMax &&
    tags.every((tag) => typeof tag === "string" && tag.length <= textMax)
  );
}

/** Each of the remembered properties has a value, so where all these are equal and there are as
 *  many, there is no other. */
function isSame(recent: Recent<unknown>, options: FetchOptions<never, never>): boolean {
  let count = 0;
  for (const name in options) if (name !== "") count += 1;
  return (
    count === recent.count &&
    options.ttl === recent.ttl &&
    options.staleFor === recent.staleFor &&
    options.negativeTtl === recent.negativeTtl &&
    options.timeout === recent.timeout &&
    options.refreshAfter === recent.refreshAfter &&
    options.jitter === recent.jitter &&
    hasSameTags(recent.tags, options.tags) &&
    !hasMore(options)
  );
}

function hasSameTags(tags: readonly string[] | undefined, given: unknown): boolean {
  if (tags === undefined) return given === undefined;
  if (!Array.isArray(given) || given.length !== tags.length) return false;
  for (let index = 0; index < tags.length; index++) {
    if (given[index] !== tags[index]) return false;
  }
  return true;
}
