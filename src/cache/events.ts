// The events of one cache in one thread. The cache emits them after the fact and under no lock.
// Invariants: nothing a listener does reaches the engine; an event without listeners costs one
// lookup.

import { types } from "node:util";

import { describe, type UndercroftError } from "../base/mod.js";
import { publishEvent } from "../diagnostics/mod.js";
import type { RecoveryKind } from "../directory/mod.js";

/**
 * What a cache recovered from its directory when it was opened.
 *
 * @example
 * ```ts
 * import { mkdtemp, rm } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { type CacheRecovery, openCache } from "undercroft";
 *
 * const path = await mkdtemp(join(tmpdir(), "undercroft-"));
 * const cache = await openCache({ disk: { path, capacity: "64mb" } });
 * const recovery: CacheRecovery | null = cache.recovery;
 * console.log(recovery?.kind, recovery?.entries); // new 0
 * await cache.close();
 * await rm(path, { recursive: true });
 * ```
 */
export interface CacheRecovery {
  /**
   * - `new`: the directory was empty.
   * - `clean`: it was closed in order, and everything is back.
   * - `scan`: it was not, or its index was left out; what was written was looked for.
   * - `barrier`: the machine had stopped; what was synced is back.
   * - `cold`: everything was dropped; `reason` says why.
   */
  readonly kind: RecoveryKind;
  /** A sentence for people. */
  readonly reason: string;
  /** Entries recovered. */
  readonly entries: number;
  /** Segment files with records that are missing, damaged, or cut by a smaller capacity. */
  readonly lostSegments: number;
  /** Milliseconds the recovery took. */
  readonly ms: number;
}

/**
 * Each event by its name, with the data its listeners get.
 *
 * @example
 * ```ts
 * import { type CacheEventMap, openCache } from "undercroft";
 *
 * const log = ({ kind, entries }: CacheEventMap["recovered"]) => console.error(kind, entries);
 * const cache = await openCache();
 * cache.on("recovered", log);
 * await cache.close();
 * ```
 */
export interface CacheEventMap {
  /**
   * An entry was evicted, from memory ("capacity") or from disk. Not emitted for entries evicted
   * from a full index bucket (`stats().evictions.index`), nor when the listeners fall behind
   * (`stats().eventsDropped`).
   */
  evict: {
    readonly key: string | Uint8Array;
    readonly cause: "capacity" | "disk";
    readonly tier: "memory" | "disk";
    /** The namespace of the key; undefined for the cache's own keys. */
    readonly namespace?: string;
  };
  /** An entry was removed at the end of its ttl. */
  expire: { readonly key: string | Uint8Array; readonly namespace?: string };
  /**
   * A directory, disk or worker failed, and the cache goes on without it. Or it is about `key`, and
   * `cause` is what the user's code threw:
   *
   * - ERR_LOADER: its loader failed while a stale value was served, so no caller got the error.
   *   Emitted in the thread that ran the loader, once for each attempt: after 1 s, 2 s, and so on
   *   up to a minute.
   * - ERR_CODEC: the custom codec could not decode its value. The entry is dropped, so each is told
   *   once, in the thread that read it.
   */
  error: {
    readonly error: UndercroftError;
    readonly key?: string | Uint8Array;
    /** The namespace of `key`; undefined for the cache's own keys. */
    readonly namespace?: string;
  };
  /**
   * The directory was opened. Says what was recovered from the last session, and why. Emitted once,
   * as the cache opens; who listens right after `openCache` hears it too. `Cache.recovery` says the
   * same at any time.
   */
  recovered: CacheRecovery;
  /** A tier failed. The cache goes on without it. */
  "tier-down": { readonly tier: string; readonly error: UndercroftError };
  /** A failed tier is back. */
  "tier-up": { readonly tier: string };
  /** A worker died and was replaced. */
  "worker-restarted": { readonly worker: string; readonly reason: string };
  /** With `disk.share: "host"`: this process is the owner of the directory, a guest, or neither at
   *  the moment; of the owner also how many guests it has. */
  role: { readonly role: "owner" | "guest" | "none"; readonly guests: number };
}

/**
 * The name of an event.
 *
 * @example
 * ```ts
 * import { type CacheEventName, openCache } from "undercroft";
 *
 * const names: CacheEventName[] = ["tier-down", "tier-up"];
 * const cache = await openCache();
 * for (const name of names) cache.on(name, () => console.error(name));
 * await cache.close();
 * ```
 */
export type CacheEventName = keyof CacheEventMap;

/**
 * A listener of an event: a function of the event's data. Its return value is ignored. If it throws
 * or rejects, the process gets one warning (UndercroftListenerWarning) and the cache goes on.
 *
 * @example
 * ```ts
 * import { type CacheListener, openCache } from "undercroft";
 *
 * const alarm: CacheListener<"tier-down"> = ({ tier, error }) => console.error(tier, error.code);
 * const cache = await openCache();
 * cache.on("tier-down", alarm);
 * cache.off("tier-down", alarm);
 * await cache.close();
 * ```
 */
export type CacheListener<Name extends CacheEventName> = (event: CacheEventMap[Name]) => void;

/** One type for all listeners: the map's key says which event a listener takes. */
type AnyListener = (event: CacheEventMap[CacheEventName]) => unknown;

/** The names of all events. */
export const eventNames: Readonly<Record<CacheEventName, true>> = {
  evict: true,
  expire: true,
  error: true,
  recovered: true,
  "tier-down": true,
  "tier-up": true,
  "worker-restarted": true,
  role: true,
};

/** The listeners of one cache in one thread. */
export class CacheEvents {
  readonly #listeners = new Map<CacheEventName, Set<AnyListener>>();
  /** Listeners that threw; each is reported once. */
  readonly #warned = new WeakSet<AnyListener>();
  readonly #onChange: () => void;
  readonly #cache: string;

  /** Calls `onChange` after an event gets its first listener or loses its last. `cache` is the
   *  cache's name, which subscribers of the diagnostics channels are told. */
  constructor(onChange: () => void = () => {}, cache = "default") {
    this.#onChange = onChange;
    this.#cache = cache;
  }

  /**
   * Calls `listener` at each `event` from now on. Returns a function that removes it. Adding a
   * listener twice has no effect. Unlike in Node's emitters, "error" without a listener does not
   * throw.
   *
   * A listener that throws or rejects stops neither the cache nor the other listeners. It is
   * reported once by `process.emitWarning` (UndercroftListenerWarning).
   *
   * @throws RangeError if there is no such event, TypeError if `listener` is not a function.
   */
  on<Name extends CacheEventName>(event: Name, listener: CacheListener<Name>): () => void {
    assertEvent("listen to", event);
    assertListener("listen to", event, listener);
    let listeners = this.#listeners.get(event);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(event, listeners);
    }
    listeners.add(listener as AnyListener);
    if (listeners.size === 1) this.#onChange();
    return () => {
      this.off(event, listener);
    };
  }

  /**
   * Removes a listener. Does nothing if it was not added.
   *
   * @throws RangeError if there is no such event, TypeError if `listener` is not a function.
   */
  off<Name extends CacheEventName>(event: Name, listener: CacheListener<Name>): void {
    assertEvent("stop listening to", event);
    assertListener("stop listening to", event, listener);
    const listeners = this.#listeners.get(event);
    if (listeners === undefined || !listeners.delete(listener as AnyListener)) return;
    if (listeners.size > 0) return;
    this.#listeners.delete(event);
    this.#onChange();
  }

  /** Whether `event` has listeners. If not, its data need not be built. */
  hasListeners(event: CacheEventName): boolean {
    return this.#listeners.has(event);
  }

  /** Calls the listeners of `event` in the order they were added, and tells the diagnostics
   *  channel. Given `told`, only those that are not in it. Returns those that it called. Never
   *  throws. */
  emit<Name extends CacheEventName>(
    event: Name,
    data: CacheEventMap[Name],
    told?: readonly unknown[],
  ): readonly unknown[] {
    if (told === undefined) publishEvent(this.#cache, event, data);
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return [];
    // Iterates over a copy: a listener added meanwhile waits for the next event. One removed
    // meanwhile is skipped.
    const called = Array.from(listeners).filter((listener) => !(told?.includes(listener) ?? false));
    for (const listener of called) {
      if (listeners.has(listener)) this.#call(event, listener, data);
    }
    return called;
  }

  /** Removes all listeners. */
  removeAll(): void {
    if (this.#listeners.size === 0) return;
    // Clears each set as well, because an `emit` under way checks its set before each call.
    for (const listeners of this.#listeners.values()) listeners.clear();
    this.#listeners.clear();
    this.#onChange();
  }

  #call(event: CacheEventName, listener: AnyListener, data: CacheEventMap[CacheEventName]): void {
    try {
      const answer = listener(data);
      if (!types.isPromise(answer)) return; // of any realm
      // An async listener: an unhandled rejection would end the process.
      answer.catch((error: unknown) => {
        this.#warn(event, listener, error);
      });
    } catch (error) {
      this.#warn(event, listener, error);
    }
  }

  #warn(event: CacheEventName, listener: AnyListener, error: unknown): void {
    if (this.#warned.has(listener)) return;
    this.#warned.add(listener);
    const name = listener.name === "" ? "A listener" : `The listener ${listener.name}`;
    const detail = error instanceof Error ? (error.stack ?? error.message) : describe(error);
    process.emitWarning(`${name} of the event ${event} threw; it is reported only once`, {
      type: "UndercroftListenerWarning",
      code: "UNDERCROFT_LISTENER",
      detail,
    });
  }
}

function assertEvent(verb: string, event: unknown): void {
  if (typeof event === "string" && Object.hasOwn(eventNames, event)) return;
  throw new RangeError(
    `Cannot ${verb} event ${describe(event)}: there is no such event; ` +
      `allowed are ${Object.keys(eventNames).join(", ")}`,
  );
}

function assertListener(verb: string, event: string, listener: unknown): void {
  if (typeof listener === "function") return;
  throw new TypeError(
    `Cannot ${verb} event ${describe(event)}: the listener is ${describe(listener)}; ` +
      "it must be a function",
  );
}
