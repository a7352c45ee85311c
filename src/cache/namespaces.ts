// The namespaces that one thread uses of a cache. Called by the cache. Invariant: one object for a
// name in a thread, so that all its callers share one load of a key.
import { describe, UndercroftError } from "../base/mod.js";
import { codes } from "../kernel/mod.js";
import type { CacheEvents } from "./events.js";
import { Namespace } from "./namespace.js";
import {
  assertNamespaceName,
  type NamespaceOptions,
  type NamespaceRequest,
  requestOf,
} from "./namespace-options.js";
import type { SpaceParts } from "./space-parts.js";

/** Waits of a millisecond for a thread that adds or clears a namespace. */
const lockWaitsMax = 1000;

interface Known {
  readonly namespace: Namespace<unknown, unknown>;
  /** What it was made with in this thread. */
  readonly options: unknown;
}

export class Namespaces {
  readonly #parts: SpaceParts;
  readonly #events: CacheEvents;
  readonly #known = new Map<string, Known>();

  /** `parts` are the cache's own. */
  constructor(parts: SpaceParts, events: CacheEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  get<V, K>(name: string, options: NamespaceOptions<V, K> | undefined): Namespace<V, K> {
    assertNamespaceName(name);
    const known = this.#known.get(name);
    if (known !== undefined) {
      if (options !== undefined && options !== known.options) throw secondOptionsError(name);
      return known.namespace as unknown as Namespace<V, K>;
    }
    const request = requestOf(options, this.#parts.core.config);
    const namespace = this.#make(name, request);
    const kept = namespace as unknown as Namespace<unknown, unknown>;
    this.#known.set(name, { namespace: kept, options });
    return namespace;
  }

  #make<V, K>(name: string, request: NamespaceRequest<V, K>): Namespace<V, K> {
    const { core, cacheId, pool, outer } = this.#parts;
    const id = core.kernel.namespaces.idOf(name) || this.#add(name);
    const emit = (key: string | Uint8Array, error: UndercroftError): void => {
      this.#events.emit("error", { error, key, namespace: name });
    };
    const { setDefaults, fetchDefaults } = request.config;
    const own = core.within({ id, name, setDefaults, fetchDefaults }, (error, key) =>
      emit(key, error),
    );
    return new Namespace({ core: own, cacheId, pool, outer, refreshFailed: emit }, request);
  }

  #add(name: string): number {
    const { namespaces, locks } = this.#parts.core.kernel;
    if (!locks.namespace.lock(lockWaitsMax)) throw stuckError(name);
    try {
      const known = namespaces.idOf(name);
      if (known !== 0) return known;
      const id = namespaces.freeId();
      if (id === 0) throw tooManyError(name);
      namespaces.add(id, name);
      return id;
    } finally {
      locks.namespace.unlock();
    }
  }

  /** `ReadThrough.forgetAll` of each. */
  forgetAll(): void {
    for (const { namespace } of this.#known.values()) namespace.forgetAll();
  }

  abortAll(error: Error): void {
    for (const { namespace } of this.#known.values()) namespace.abortAll(error);
  }

  /** For each, a promise that its disk reads have ended, or undefined if there are none. */
  settled(): (Promise<void> | undefined)[] {
    return Array.from(this.#known.values(), ({ namespace }) => namespace.settled());
  }
}

function secondOptionsError(name: string): TypeError {
  const text = `Cannot use other options for namespace ${describe(name)}: this thread has it already`;
  return new TypeError(`${text}; leave the options out, or give the same object`);
}

function tooManyError(name: string): RangeError {
  const text = `Cannot add namespace ${describe(name)}`;
  return new RangeError(`${text}: a cache has at most ${codes.namespacesMax} namespaces`);
}

function stuckError(name: string): UndercroftError {
  const text = `Cannot add namespace ${describe(name)}: a thread that adds another one is stuck`;
  return new UndercroftError("ERR_WORKER", text);
}
