// How the older handler says that an answer is stale. Next has no word for it: it compares the age
// of an answer with its `revalidate`, serves it and renders anew if it is older. So the answer is
// made as old as that, and no older, since past `expire` Next would make the request wait.

/** How long a page lives, in seconds; `revalidate: false` for ever. */
export interface Lifetime {
  readonly revalidate?: number | false | undefined;
  readonly expire?: number | undefined;
}

interface Dated {
  readonly lastModified: number;
  readonly cacheControl: Lifetime | undefined;
}

/** The same answer, due for renewal. `fetchRevalidate` is of a `fetch`, whose answer has no
 *  lifetime of its own. */
export function madeStale(
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
