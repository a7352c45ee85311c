// The events of one cache on one thread. Called by the facade, which emits after the fact and under no lock.
// Invariant: nothing that a listener does reaches the engine; an event without a listener is no more than a lookup.

import { describe, type UndercroftError } from "../base/mod.js";
import type { RecoveryKind } from "../directory/mod.js";

/** Each event by its name, with what its listeners get. */
export interface CacheEventMap {
  /** An entry left for want of room in memory ("capacity") or on disk. The few that give way in full buckets of the index are
   *  counted (`evictions.index`), not told of, as are those for which the listeners fell behind (`eventsDropped`). */
  evict: {
    readonly key: string | Uint8Array;
    readonly cause: "capacity" | "disk";
    readonly tier: "memory" | "disk";
  };
  /** An entry was removed because its time was over. */
  expire: { readonly key: string | Uint8Array };
  /** Something of the world failed, and the cache goes on without it. */
  error: { readonly error: UndercroftError };
  /** The directory was opened: what was kept of the last life, and why. */
  recovered: {
    readonly kind: RecoveryKind;
    /** A sentence for people. */
    readonly reason: string;
    readonly entries: number;
    readonly lostSegments: number;
    readonly ms: number;
  };
  /** A tier failed; the cache goes on without it. */
  "tier-down": { readonly tier: string; readonly error: UndercroftError };
  /** A tier that had failed is back. */
  "tier-up": { readonly tier: string };
  /** A worker of the pool died and was replaced. */
  "worker-restarted": { readonly worker: string; readonly reason: string };
}

/** The name of an event. */
export type CacheEventName = keyof CacheEventMap;

/** What a listener of an event is: a function of the event's data. What it returns is ignored. */
export type CacheListener<Name extends CacheEventName> = (event: CacheEventMap[Name]) => void;

/** Listeners of all events are kept together: which one takes what is known by the name they are kept under. */
type AnyListener = (event: CacheEventMap[CacheEventName]) => unknown;

const eventNames: Readonly<Record<CacheEventName, true>> = {
  evict: true,
  expire: true,
  error: true,
  recovered: true,
  "tier-down": true,
  "tier-up": true,
  "worker-restarted": true,
};

/** The listeners of one cache and thread. */
export class CacheEvents {
  readonly #listeners = new Map<CacheEventName, Set<AnyListener>>();
  /** Listeners that threw; each is told of once. */
  readonly #warned = new WeakSet<AnyListener>();
  readonly #onChange: () => void;

  /** `onChange` is called after an event got its first listener or lost its last. */
  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  /**
   * Calls `listener` at each `event` from now on; returns a function that ends it. A listener that is there already is
   * not added again. Unlike Node's emitters, an "error" without a listener throws nothing.
   *
   * A listener that throws, or returns a promise that rejects, stops neither the cache nor the other listeners: it is
   * reported by `process.emitWarning` (UndercroftListenerWarning), once for each listener.
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
   * Ends what `on` with the same two arguments began; nothing happens if nothing was begun.
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

  /** Whether anybody listens to `event`, so that its data need not be made for nobody. */
  hasListeners(event: CacheEventName): boolean {
    return this.#listeners.has(event);
  }

  /** Calls the listeners of `event` in the order they came. Never throws. */
  emit<Name extends CacheEventName>(event: Name, data: CacheEventMap[Name]): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return;
    // Over a copy: one added by a listener waits for the next event, one removed is not called any more.
    for (const listener of Array.from(listeners)) {
      if (listeners.has(listener)) this.#call(event, listener, data);
    }
  }

  /** Forgets all listeners. */
  removeAll(): void {
    if (this.#listeners.size === 0) return;
    // Emptied, not only dropped: an emit under way looks into its set before each call.
    for (const listeners of this.#listeners.values()) listeners.clear();
    this.#listeners.clear();
    this.#onChange();
  }

  #call(event: CacheEventName, listener: AnyListener, data: CacheEventMap[CacheEventName]): void {
    try {
      const answer = listener(data);
      if (!(answer instanceof Promise)) return;
      // An async listener: its rejection would end the process.
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
    process.emitWarning(`${name} of the event ${event} threw; it is told only once`, {
      type: "UndercroftListenerWarning",
      code: "UNDERCROFT_LISTENER",
      detail,
    });
  }
}

function assertEvent(verb: string, event: unknown): void {
  if (typeof event === "string" && Object.hasOwn(eventNames, event)) return;
  throw new RangeError(
    `Cannot ${verb} event ${describe(event)}: there is no such event; allowed are ${Object.keys(eventNames).join(", ")}`,
  );
}

function assertListener(verb: string, event: string, listener: unknown): void {
  if (typeof listener === "function") return;
  throw new TypeError(
    `Cannot ${verb} event ${describe(event)}: the listener is ${describe(listener)}; it must be a function`,
  );
}
