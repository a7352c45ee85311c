// What the package publishes on node:diagnostics_channel, for tracers and monitors that were not
// written for it: loads as a tracing channel, and the events of a cache. Invariant: without
// subscribers a load costs one look at whether there are any, and a hit costs nothing.
import { channel, tracingChannel } from "node:diagnostics_channel";

/**
 * The message of the tracing channel `undercroft:load`, one object for all moments of a load.
 *
 * `start` is published before the loader is called, `end` when it has returned, `asyncStart` and
 * `asyncEnd` when its promise has settled, `error` when it threw or rejected. The store of an
 * AsyncLocalStorage that is bound to `start` is the loader's. The key is for subscribers in this
 * process, to name a span by for instance: do not make it a label of a metric.
 *
 * @example
 * ```ts
 * import { tracingChannel } from "node:diagnostics_channel";
 * import { type LoadTrace, openCache } from "undercroft";
 *
 * const spans: string[] = [];
 * tracingChannel("undercroft:load").subscribe({
 *   start: (message) => void spans.push(`load ${String((message as LoadTrace).key)}`),
 *   end() {},
 *   asyncStart() {},
 *   asyncEnd: (message) => void spans.push(`loaded ${String((message as LoadTrace).result)}`),
 *   error() {},
 * });
 * const cache = await openCache<string>({ name: "users" });
 * await cache.fetch("user:7", async () => "Ada");
 * console.log(spans.join(", ")); // load user:7, loaded Ada
 * await cache.close();
 * ```
 */
export interface LoadTrace {
  /** The cache's name. */
  readonly cache: string;
  readonly key: string | Uint8Array;
  /** The fetch asked for a load whatever is in the cache. */
  readonly forced: boolean;
  /** There is a value, expired or to be replaced, and the loader was given it. */
  readonly stale: boolean;
  /** Nobody waits: an expired value was served, and this renews it. */
  readonly background: boolean;
  /** What the loader returned. */
  readonly result?: unknown;
  /** What the loader threw. */
  readonly error?: unknown;
}

const loads = tracingChannel<unknown, object>("undercroft:load");

/** Runs a loader, traced if anybody listens. `trace` makes the message. */
export function traceLoad<T>(
  load: () => T | PromiseLike<T>,
  trace: () => LoadTrace,
): T | PromiseLike<T> {
  if (!loads.hasSubscribers) return load();
  return loads.tracePromise(async () => load(), trace());
}

/** Events of single entries would cost each eviction a message: `Cache.on` has them, on request. */
const unpublished: ReadonlySet<string> = new Set(["evict", "expire"]);

/** Publishes an event of a cache on the channel `undercroft:<event>`, as its data and the name of
 *  the cache. */
export function publishEvent(cache: string, event: string, data: object): void {
  if (unpublished.has(event)) return;
  const events = channel(`undercroft:${event}`);
  if (events.hasSubscribers) events.publish({ cache, ...data });
}
