// The namespaces that one thread uses of a cache. Called by the cache. Invariant: one object for a
// name in a thread, so that all its callers share one load of a key.
import { describe, UndercroftError } from "../../base/mod.js";
import type { NamespaceConfig } from "../../config/mod.js";
import { versionHashOf } from "../../directory/mod.js";
import { codes, type Key } from "../../kernel/mod.js";
import { removalCounters } from "../../stats/mod.js";
import type { CacheEvents } from "../events.js";
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
  /** At most as many as there are namespaces. */
  readonly #plain = new Map<string, Namespace<unknown>>();

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

  /** One that is in use, by keys alone: the caller's functions and options are not asked, and a
   *  later `get` may bring options. Undefined if there is none of the name. */
  plain(name: string): Namespace<unknown> | undefined {
    const { kernel, config } = this.#parts.core;
    const id = kernel.namespaces.idOf(name);
    if (id === 0 || !kernel.namespaces.isInUse(id)) return undefined;
    const plain =
      this.#plain.get(name) ?? this.#make(name, requestOf<unknown, Key>(undefined, config));
    this.#plain.set(name, plain);
    return plain;
  }

  #make<V, K>(name: string, request: NamespaceRequest<V, K>): Namespace<V, K> {
    const { core, cacheId, pool, outer } = this.#parts;
    const id = this.#use(name, request.config);
    const emit = (key: string | Uint8Array, error: UndercroftError): void => {
      this.#events.emit("error", { error, key, namespace: name });
    };
    const { setDefaults, fetchDefaults } = request.config;
    const own = core.within({ id, name, setDefaults, fetchDefaults }, (error, key) =>
      emit(key, error),
    );
    return new Namespace({ core: own, cacheId, pool, outer, refreshFailed: emit }, request);
  }

  /** The id of the namespace with this name, which is in use from here on in every thread. */
  #use(name: string, config: NamespaceConfig): number {
    const { namespaces, locks } = this.#parts.core.kernel;
    let id = namespaces.idOf(name);
    // Its name comes last: another thread may have given the entry to another namespace.
    if (id === 0 || !namespaces.isInUse(id) || namespaces.nameOf(id) !== name) {
      if (!locks.namespace.lock(lockWaitsMax)) throw stuckError(name);
      try {
        id = this.#useFirst(name, config);
      } finally {
        locks.namespace.unlock();
      }
    }
    const given = { version: config.version, memory: config.memoryBytes, disk: config.diskBytes };
    const first = {
      version: namespaces.versionOf(id),
      memory: namespaces.memoryShare(id),
      disk: namespaces.diskShare(id),
    };
    for (const option of ["version", "memory", "disk"] as const) {
      if (given[option] === undefined || given[option] === first[option]) continue;
      throw contradiction(name, option, given[option], first[option]);
    }
    return id;
  }

  /** Throws RangeError if the shares of all namespaces would exceed what the cache has. */
  #setShares(id: number, name: string, { memoryBytes = 0, diskBytes = 0 }: NamespaceConfig): void {
    const { config, kernel } = this.#parts.core;
    const { namespaces } = kernel;
    let memory = memoryBytes;
    let disk = diskBytes;
    for (let other = 1; other <= codes.namespacesMax; other++) {
      memory += namespaces.memoryShare(other);
      disk += namespaces.diskShare(other);
    }
    if (memory > config.memoryBytes) throw sharesError(name, "memory", memory, config.memoryBytes);
    const capacity = config.disk?.capacityBytes ?? 0;
    if (disk > capacity) throw sharesError(name, "disk", disk, capacity);
    namespaces.setShares(id, memoryBytes, diskBytes);
  }

  /** Makes the namespace, unless another thread came first. Call it with the lock held. The name is
   *  written down before the first of its records can be. */
  #useFirst(name: string, config: NamespaceConfig): number {
    const { kernel, directory } = this.#parts.core;
    const { namespaces, verbs } = kernel;
    const known = namespaces.idOf(name);
    if (known !== 0 && namespaces.isInUse(known)) return known;
    const id = known === 0 ? namespaces.freeId() || this.#takeOver() : known;
    if (id === 0) throw tooManyError(name);
    const version = config.version ?? "";
    const hash = versionHashOf(version);
    this.#setShares(id, name, config);
    if (known === 0) namespaces.name(id, name);
    else if (namespaces.versionHash(id) !== hash) verbs.clearSpace(id);
    namespaces.setVersion(id, version, hash);
    namespaces.noteUse(id);
    directory?.writeNamespace(id);
    namespaces.use(id);
    return id;
  }

  /** Ends a namespace that nobody asks for any more, and answers its id, which is free; 0 if there
   *  is none. What it has stored is void before another name can have its id, and its slot in the
   *  directory is overwritten whole: with the new name and that clear. */
  #takeOver(): number {
    const { kernel } = this.#parts.core;
    const { namespaces, verbs } = kernel;
    const id = namespaces.forgottenId();
    if (id === 0) return 0;
    // What it has lost stays in the cache's numbers, and is not the next one's.
    for (const counter of removalCounters)
      kernel.count(counter, namespaces.takeRemovals(id, counter));
    verbs.clearSpace(id);
    namespaces.release(id);
    return id;
  }

  /** `ReadThrough.forget` of a key of one. */
  forget(name: string, key: Key): void {
    this.#known.get(name)?.namespace.forgetLoad(key);
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
    const known = Array.from(this.#known.values(), ({ namespace }) => namespace);
    return [...known, ...this.#plain.values()].map((namespace) => namespace.settled());
  }
}

function secondOptionsError(name: string): TypeError {
  const text = `Cannot use other options for namespace ${describe(name)}`;
  const why = "this thread has it already";
  return new TypeError(`${text}: ${why}; leave the options out, or give the same object`);
}

function contradiction(name: string, option: string, given: unknown, first: unknown): RangeError {
  const text = `Cannot use option ${option}: current value is ${describe(given)}`;
  const made = `namespace ${describe(name)} was made with ${describe(first)}`;
  return new RangeError(`${text}; ${made}, and every thread must give the same or nothing`);
}

function sharesError(name: string, option: string, sum: number, whole: number): RangeError {
  const text = `Cannot use option ${option} of namespace ${describe(name)}`;
  const all = `the shares of all namespaces would be ${sum} bytes`;
  return new RangeError(`${text}: ${all}; they must be at most ${whole}, what the cache has`);
}

function tooManyError(name: string): RangeError {
  const text = `Cannot add namespace ${describe(name)}`;
  const most = `a cache has at most ${codes.namespacesMax} namespaces`;
  const remedy = "make one for each kind of things, and use tags for groups of them";
  return new RangeError(`${text}: ${most}, those of the last session included; ${remedy}`);
}

function stuckError(name: string): UndercroftError {
  const text = `Cannot add namespace ${describe(name)}: a thread that adds another one is stuck`;
  return new UndercroftError("ERR_WORKER", text);
}
