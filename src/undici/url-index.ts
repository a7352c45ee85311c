// What is known of the responses of one URL, and which of them is for a request. Called by the
// store.

/** A request, as undici names it. */
export interface CacheKey {
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
}

/** A response without its body, as undici gives it. Times are milliseconds since 1970. */
export interface CacheValue {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly headers: Record<string, string | string[]>;
  /** The headers of the request that it depends on, with their values; null for none. */
  readonly vary?: Record<string, string | string[] | null>;
  readonly etag?: string;
  readonly cacheControlDirectives?: object;
  readonly cachedAt: number;
  readonly staleAt: number;
  readonly deleteAt: number;
}

/** One response of a URL. */
export interface Variant {
  readonly method: string;
  readonly vary: CacheValue["vary"];
  readonly deleteAt: number;
  /** Of the entry that holds it, and of that of its body if it is streamed. */
  readonly id: string;
  /** Whether its body is an entry of its own, which came as a stream. */
  readonly isStreamed: boolean;
}

export interface UrlIndex {
  /** A random word, another after each delete; "" before the first. */
  readonly deletion: string;
  /** The newest first. */
  readonly variants: readonly Variant[];
}

/** The most responses of one URL. */
export const variantsMax = 32;

/** Whether a response is for a request. */
export function isFor({ method, headers }: CacheKey, variant: Variant): boolean {
  if (variant.method !== method) return false;
  return Object.entries(variant.vary ?? {}).every(([name, value]) =>
    isSame(headers?.[name], value),
  );
}

type HeaderValue = string | readonly string[] | null | undefined;

function isSame(one: HeaderValue, other: HeaderValue): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return (one ?? null) === (other ?? null);
  return one.length === other.length && one.every((value, index) => value === other[index]);
}
