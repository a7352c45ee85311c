// The class of Next's option `cacheHandler`: rendered pages and routes (ISR), `fetch` and optimized
// images. Next itself is not imported. Next makes an instance for each request; what they share is
// the class's. Invariants: nothing it does rejects; a page is served only to the build that
// rendered it; what was invalidated while it was rendered is not served, since an entry's time is
// that of the look-up that found nothing, not of its set.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { assertSpace, patientSet, Refusals, shortName, type Space } from "../adapters/mod.js";
import { callersPreciseMs, UndercroftError } from "../base/mod.js";
import { type Origin, revisionOf, TagTimes } from "./tag-times.js";
import { lifeOf } from "./use-cache-handler.js";

/** Renderings of one request whose beginning is remembered. */
const begunMax = 1024;
const tagsHeader = "x-next-cache-tags";

/** How long a page lives, in seconds; `revalidate: false` for ever. */
interface Lifetime {
  readonly revalidate?: number | false | undefined;
  readonly expire?: number | undefined;
}

/** What Next makes an instance with, as far as it is used. */
interface IsrContext {
  readonly serverDistDir?: string | undefined;
  readonly revalidatedTags?: readonly string[] | undefined;
}

/** How Next asks: "FETCH", "IMAGE", or a kind of page. */
interface IsrLook {
  readonly kind?: unknown;
  readonly tags?: readonly string[] | undefined;
  readonly softTags?: readonly string[] | undefined;
  readonly revalidate?: number | false | undefined;
}

interface IsrSet {
  readonly fetchCache?: boolean | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly cacheControl?: Lifetime | undefined;
}

/** What Next caches: null for a page that is not found. */
type IsrValue = {
  readonly kind?: unknown;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly segmentData?: ReadonlyMap<string, Uint8Array> | undefined;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  readonly revalidate?: number | false | undefined;
} | null;

interface IsrFound {
  lastModified: number;
  value: IsrValue;
  cacheControl?: Lifetime;
}

/** A `CacheHandler` of Next, of the older interface. */
interface IsrHandler {
  get(key: string, context: IsrLook): Promise<IsrFound | null>;
  set(key: string, value: IsrValue, context: IsrSet): Promise<void>;
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>;
  resetRequestCache(): void;
}

/**
 * The class of a `CacheHandler` of Next, of the older interface.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { type NextIsrHandlerClass, nextIsrHandler } from "undercroft/next";
 *
 * const cache = await openCache();
 * const Handler: NextIsrHandlerClass = nextIsrHandler(cache);
 * console.log(await new Handler().get("/", { kind: "APP_PAGE" })); // null
 * await cache.close();
 * ```
 */
export interface NextIsrHandlerClass {
  new (context?: IsrContext): IsrHandler;
}

/** An entry in the cache. */
interface StoredAnswer {
  readonly value: IsrValue;
  /** When its making began, on the timeline of the tags. */
  readonly time: number;
  readonly tags: readonly string[];
  readonly cacheControl: Lifetime | undefined;
}

/**
 * A class for the option `cacheHandler` of Next 14 to 16, over a cache or a namespace, which stays
 * yours: pages and routes with revalidation, `fetch`, and images if Next is told so. Give it a
 * space of its own, or that of `nextCacheHandler`, whose tags it shares.
 *
 * Pages are kept for the build that rendered them, `fetch` for later ones too. Invalidation of tags
 * is as with `nextCacheHandler`. What the cache cannot hold, or fails to store, is a miss.
 *
 * @throws TypeError if `space` is neither a cache nor a namespace.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { nextIsrHandler } from "undercroft/next";
 *
 * const cache = await openCache();
 * const Handler = nextIsrHandler(cache.namespace("next")); // the default export of its file
 *
 * const handler = new Handler(); // what Next does with it:
 * const answer = { kind: "FETCH", data: { body: "hello" }, revalidate: 60 };
 * await handler.set("key", answer, { fetchCache: true, tags: ["greeting"] });
 * const look = { kind: "FETCH", tags: ["greeting"], softTags: [] };
 * console.log((await handler.get("key", look))?.value?.data?.body); // hello
 * await handler.revalidateTag("greeting");
 * console.log(await handler.get("key", look)); // null
 * await cache.close();
 * ```
 */
export function nextIsrHandler(space: Space): NextIsrHandlerClass {
  assertSpace("a cache handler for Next", space);
  const shared = new IsrEntries(space);
  return class UndercroftIsrHandler extends RequestHandler {
    constructor(context: IsrContext = {}) {
      super(shared, context);
    }
  };
}

/** One request's. */
class RequestHandler implements IsrHandler {
  readonly #entries: IsrEntries;
  readonly #context: IsrContext;
  /** When look-ups without a fresh answer began: the times of what is made next. */
  readonly #begun = new Map<string, number>();

  constructor(entries: IsrEntries, context: IsrContext) {
    this.#entries = entries;
    this.#context = context;
  }

  async get(key: string, look: IsrLook): Promise<IsrFound | null> {
    const asked = callersPreciseMs();
    const { found, isFresh } = await this.#entries.get(key, look, this.#context);
    if (!isFresh && this.#begun.size < begunMax) this.#begun.set(key, asked);
    return found;
  }

  async set(key: string, value: IsrValue, context: IsrSet): Promise<void> {
    const begun = this.#begun.get(key) ?? callersPreciseMs();
    this.#begun.delete(key);
    await this.#entries.set(key, value, context, begun, this.#context);
  }

  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void> {
    return this.#entries.revalidate([tags].flat(), durations);
  }

  /** There is no cache of one request. */
  resetRequestCache(): void {}
}

interface Looked {
  readonly found: IsrFound | null;
  readonly isFresh: boolean;
}

const nothing: Looked = { found: null, isFresh: false };

/** What the instances share. */
class IsrEntries {
  readonly #space: Space;
  readonly #tags: TagTimes;
  readonly #refusals = new Refusals("undercroft/next");
  /** By the folder of the server. */
  readonly #builds = new Map<string, string>();

  constructor(space: Space) {
    this.#space = space;
    this.#tags = new TagTimes(space);
  }

  async get(key: string, look: IsrLook, context: IsrContext): Promise<Looked> {
    try {
      return await this.#find(key, look, context);
    } catch (error) {
      this.#told("a look-up failed", error);
      return nothing;
    }
  }

  async #find(key: string, look: IsrLook, context: IsrContext): Promise<Looked> {
    const origin = await this.#tags.origin();
    const name = origin && this.#keyOf(origin, look.kind, key, context);
    if (origin === undefined || name === undefined) return nothing;
    const stored = (await this.#space.get(name)) as StoredAnswer | undefined;
    if (stored === undefined) return nothing;
    const { value, time, tags, cacheControl } = stored;
    const asked = [...(look.tags ?? []), ...(look.softTags ?? [])];
    if (asked.some((tag) => context.revalidatedTags?.includes(tag))) return nothing;
    const verdict = await this.#tags.verdict(origin, [...tags, ...asked], time);
    if (verdict === "gone") return nothing;
    const lastModified = time + origin.startMs;
    const answer = { lastModified, cacheControl };
    const revalidate = look.revalidate || value?.revalidate;
    const isFresh = verdict === "fresh";
    const told = isFresh
      ? answer
      : madeStale(answer, look.kind === "FETCH" ? revalidate : undefined, callersPreciseMs());
    const found: IsrFound = { lastModified: told.lastModified, value: ownCopy(value) };
    if (told.cacheControl !== undefined) found.cacheControl = { ...told.cacheControl };
    return { found, isFresh };
  }

  async set(
    key: string,
    value: IsrValue,
    { tags, cacheControl, fetchCache }: IsrSet,
    begun: number,
    context: IsrContext,
  ): Promise<void> {
    try {
      const origin = await this.#tags.origin();
      const kind = value?.kind ?? (fetchCache === true ? "FETCH" : undefined);
      const name = origin && this.#keyOf(origin, kind, key, context);
      if (origin === undefined || name === undefined) return;
      const time = begun - origin.startMs;
      // Its tags may have been invalidated when the marks were lost.
      if (origin.isLater && time <= 0) return;
      const stored = { value, time, tags: [...(tags ?? tagsIn(value))], cacheControl };
      const expire = cacheControl?.expire;
      const ttl = expire === undefined ? undefined : begun + expire * 1000 - callersPreciseMs();
      const revision = revisionOf(time);
      if (ttl !== undefined && !(ttl > 0)) {
        this.#space.delete(name, { revision });
        return;
      }
      const options = { staleFor: 0, tags: [], revision, ...(ttl === undefined ? {} : { ttl }) };
      await patientSet(this.#space, name, stored, options);
    } catch (error) {
      this.#told("an answer was not stored", error);
    }
  }

  async revalidate(
    tags: readonly string[],
    durations: { readonly expire?: number } | undefined,
  ): Promise<void> {
    try {
      await this.#tags.mark(tags, lifeOf(durations));
    } catch (error) {
      this.#told("tags were not invalidated", error);
    }
  }

  /** The cache's key; undefined for a page if the build has no name, as while it is made. */
  #keyOf({ id }: Origin, kind: unknown, key: string, context: IsrContext): string | undefined {
    const name = shortName(key);
    if (kind === "FETCH") return `next:${id}:fetch:${name}`;
    if (kind === "IMAGE") return `next:${id}:image:${name}`;
    const build = this.#buildOf(context.serverDistDir);
    return build === undefined ? undefined : `next:${id}:page:${build}:${name}`;
  }

  /** The id of the build: a page names files of its own build. */
  #buildOf(folder: string | undefined): string | undefined {
    if (folder === undefined) return undefined;
    const known = this.#builds.get(folder);
    if (known !== undefined) return known;
    try {
      const build = readFileSync(join(folder, "../BUILD_ID"), "utf8").trim();
      this.#builds.set(folder, build);
      return build;
    } catch {
      return undefined;
    }
  }

  /** A closed cache serves nothing, so there is nothing to tell. */
  #told(kind: string, error: unknown): void {
    if (error instanceof UndercroftError && error.code === "ERR_CACHE_CLOSED") return;
    this.#refusals.tell(kind, error);
  }
}

/** The tags of a page, which Next puts in a header of its own. */
function tagsIn(value: IsrValue): readonly string[] {
  const tags = value?.headers?.[tagsHeader];
  return typeof tags === "string" && tags !== "" ? tags.split(",") : [];
}

/** The cache has one object for all, and Next deletes headers. */
function ownCopy(value: IsrValue): IsrValue {
  if (value === null) return null;
  const { headers, segmentData, data } = value;
  return {
    ...value,
    ...(headers === undefined ? {} : { headers: { ...headers } }),
    ...(segmentData === undefined ? {} : { segmentData: new Map(segmentData) }),
    ...(data === undefined ? {} : { data: { ...data } }),
  };
}

interface Dated {
  readonly lastModified: number;
  readonly cacheControl: Lifetime | undefined;
}

/**
 * The same answer, due for renewal. Next has no word for a stale answer: it compares the age with
 * `revalidate`, serves what is older and renders anew. So the answer is made as old as that, and no
 * older, since past `expire` Next would make the request wait. `fetchRevalidate` is of a `fetch`,
 * whose answer has no lifetime of its own.
 */
function madeStale(
  { lastModified, cacheControl }: Dated,
  fetchRevalidate: number | false | undefined,
  now: number,
): Dated {
  const { revalidate = fetchRevalidate } = cacheControl ?? {};
  // What is to live for ever never gets old: such a page is given a second for this answer.
  const isTimed = typeof revalidate === "number" && revalidate > 0;
  const seconds = isTimed ? revalidate : 1;
  const due = now - seconds * 1000 - 1;
  const lifetime = isTimed ? cacheControl : { revalidate: seconds };
  return {
    lastModified: Math.min(lastModified, due),
    cacheControl: fetchRevalidate === undefined ? lifetime : cacheControl,
  };
}
