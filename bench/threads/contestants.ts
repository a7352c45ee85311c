// The stores that threads share, as one thread holds them, and lru-cache, of which each thread has
// its own. Each class has its own copy of the loop, so that its calls have one target and may be
// inlined. thread.ts calls it; the suite calls `share`.

import { createRequire } from "node:module";

import { open, type RootDatabase } from "lmdb";
import { LRUCache } from "lru-cache";

import { attachCache, type Cache, type CacheHandle, openCache } from "../../src/mod.js";
import { TemporaryDirectory } from "../temporary-directory.js";
import { keyOf, profileOf, type Profile } from "../workload.js";
import { entries } from "./window.js";

/**
 * One thread's handle of a store. Each method returns how many operations had the expected answer.
 */
export interface Contestant {
  read(keys: readonly string[], ids: Uint32Array): number;
  /** `undefined` if the store cannot replace a value. */
  readonly write: ((keys: readonly string[], ids: Uint32Array) => number) | undefined;
}

/** A shared store, and what threads need to attach to it. */
export interface Shared {
  readonly data: unknown;
  close(): Promise<void>;
}

/** Names in the order of the table. */
export const contestantNames = [
  "undercroft",
  "lru-cache",
  "lmdb",
  "sharedmap",
  "shared-memory-datastructures",
] as const;

export type ContestantName = (typeof contestantNames)[number];

const values = Array.from({ length: 1024 }, (_, id) => profileOf(id));

function valueOf(id: number): Profile {
  return values[id & 1023] as Profile;
}

class Undercroft implements Contestant {
  readonly #cache: Cache<Profile>;

  constructor(data: unknown) {
    this.#cache = attachCache<Profile>(data as CacheHandle);
  }

  read(keys: readonly string[], ids: Uint32Array): number {
    let found = 0;
    for (const id of ids) if (this.#cache.getSync(keys[id] as string) !== undefined) found++;
    return found;
  }

  readonly write = (keys: readonly string[], ids: Uint32Array): number => {
    let stored = 0;
    for (const id of ids) {
      if (this.#cache.set(keys[id] as string, valueOf(id)) === "stored") stored++;
    }
    return stored;
  };
}

/** Each thread has all entries to itself: the others do not see its writes. */
class LruCache implements Contestant {
  readonly #cache = new LRUCache<string, Profile>({ max: entries });

  constructor() {
    for (let id = 0; id < entries; id++) this.#cache.set(keyOf(id), profileOf(id));
  }

  read(keys: readonly string[], ids: Uint32Array): number {
    let found = 0;
    for (const id of ids) if (this.#cache.get(keys[id] as string) !== undefined) found++;
    return found;
  }

  readonly write = (keys: readonly string[], ids: Uint32Array): number => {
    for (const id of ids) this.#cache.set(keys[id] as string, valueOf(id));
    return ids.length;
  };
}

function openLmdb(path: string): RootDatabase<Profile, string> {
  // No fsync per commit: the other stores write nothing to disk.
  return open<Profile, string>({ path, maxDbs: 1, noSync: true });
}

class Lmdb implements Contestant {
  readonly #database: RootDatabase<Profile, string>;

  constructor(data: unknown) {
    this.#database = openLmdb(data as string);
  }

  read(keys: readonly string[], ids: Uint32Array): number {
    let found = 0;
    for (const id of ids) if (this.#database.get(keys[id] as string) !== undefined) found++;
    return found;
  }

  readonly write = (keys: readonly string[], ids: Uint32Array): number => {
    for (const id of ids) this.#database.putSync(keys[id] as string, valueOf(id));
    return ids.length;
  };
}

// Both are CommonJS, and TypeScript rejects the types of one.
const require = createRequire(import.meta.url);

interface SharedMapLike {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

const SharedMap = require("sharedmap") as new (
  entries: number,
  keyChars: number,
  valueChars: number,
) => SharedMapLike;

/** Strings in slots of a fixed size; values are JSON. */
class SharedMapContestant implements Contestant {
  readonly #map: SharedMapLike;

  constructor(data: unknown) {
    this.#map = Object.setPrototypeOf(data, SharedMap.prototype as object) as SharedMapLike;
  }

  read(keys: readonly string[], ids: Uint32Array): number {
    let found = 0;
    for (const id of ids) {
      const text = this.#map.get(keys[id] as string);
      if (text !== undefined && (JSON.parse(text) as Profile).id >= 0) found++;
    }
    return found;
  }

  readonly write = (keys: readonly string[], ids: Uint32Array): number => {
    for (const id of ids) this.#map.set(keys[id] as string, JSON.stringify(valueOf(id)));
    return ids.length;
  };
}

interface ShareableMapLike {
  get(key: string): Profile | undefined;
  set(key: string, value: Profile): void;
  getBuffers(): [unknown, unknown];
  setBuffers(index: unknown, data: unknown): void;
}

const { ShareableMap } = require("shared-memory-datastructures") as {
  readonly ShareableMap: new (entries?: number, valueBytes?: number) => ShareableMapLike;
};

/**
 * Read only: it cannot replace a value, and after it grows, threads that hold its old buffers see
 * another map.
 */
class ShareableMapContestant implements Contestant {
  readonly #map = new ShareableMap();
  readonly write = undefined;

  constructor(data: unknown) {
    this.#map.setBuffers(...(data as [unknown, unknown]));
  }

  read(keys: readonly string[], ids: Uint32Array): number {
    let found = 0;
    for (const id of ids) if (this.#map.get(keys[id] as string) !== undefined) found++;
    return found;
  }
}

/** Attaches to a shared store in a thread. */
export function hold(name: ContestantName, data: unknown): Contestant {
  switch (name) {
    case "undercroft":
      return new Undercroft(data);
    case "lru-cache":
      return new LruCache();
    case "lmdb":
      return new Lmdb(data);
    case "sharedmap":
      return new SharedMapContestant(data);
    case "shared-memory-datastructures":
      return new ShareableMapContestant(data);
  }
}

/** Makes a store with all entries in it. */
export async function share(name: ContestantName): Promise<Shared> {
  const nothing = { close: (): Promise<void> => Promise.resolve() };
  switch (name) {
    case "undercroft": {
      const near = { maxEntries: entries, maxBytes: "64mb" };
      const cache = await openCache<Profile>({ memory: "64mb", near });
      for (let id = 0; id < entries; id++) cache.set(keyOf(id), profileOf(id));
      return { data: cache.handle(), close: () => cache.close() };
    }
    case "lru-cache":
      return { data: undefined, ...nothing };
    case "lmdb": {
      const directory = new TemporaryDirectory("threads");
      const database = openLmdb(directory.path);
      database.transactionSync(() => {
        for (let id = 0; id < entries; id++) database.putSync(keyOf(id), profileOf(id));
      });
      const close = async (): Promise<void> => {
        await database.close();
        directory.remove();
      };
      return { data: directory.path, close };
    }
    case "sharedmap": {
      // More capacity than entries: chains grow long when nearly all slots are taken.
      const map = new SharedMap(2 * entries, 24, 256);
      for (let id = 0; id < entries; id++) map.set(keyOf(id), JSON.stringify(profileOf(id)));
      return { data: map, ...nothing };
    }
    case "shared-memory-datastructures": {
      const map = new ShareableMap(entries, 256);
      for (let id = 0; id < entries; id++) map.set(keyOf(id), profileOf(id));
      return { data: map.getBuffers(), ...nothing };
    }
  }
}
