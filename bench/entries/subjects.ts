// The caches whose memory is measured, each a bounded store that is filled and then held.
// measure.ts calls it in a separate process.

import Keyv from "keyv";
import { open } from "lmdb";
import { LRUCache } from "lru-cache";

import { type NearOptions, openCache } from "../../src/mod.js";
import { TemporaryDirectory } from "../temporary-directory.js";
import type { Contents } from "./contents.js";

/**
 * A filled subject. It is held until the end, so that nothing is collected before it is measured.
 */
export interface Held {
  readonly entries: number;
  /** The growth of the process with the subject open and empty. */
  readonly openBytes: number;
  close(): Promise<void>;
}

/** Fills a subject: up to a budget of so many bytes (undercroft), or with so many entries. */
export type Fill = (contents: Contents, bound: number) => Promise<Held>;

/** Resident bytes of this process after a full garbage collection. */
export function residentBytes(): number {
  for (let turn = 0; turn < 4; turn++) globalThis.gc?.();
  return process.memoryUsage().rss;
}

/** Lets the event loop turn, as a service does. */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function undercroft(near: false | NearOptions): Fill {
  return async (contents, bound) => {
    const before = residentBytes();
    const cache = await openCache({ memory: bound, near });
    const openBytes = residentBytes() - before;
    // Set twice as many entries as fit and read each once with a near cache: a full cache in its
    // steady state.
    for (let id = 0; id < 2 * cache.stats().memory.entries + 4096;) {
      for (const end = id + 4096; id < end; id++) {
        const key = contents.key(id);
        cache.set(key, contents.value(id));
        if (near !== false) cache.getSync(key);
      }
      await eventLoopTurn();
    }
    const { entries } = cache.stats().memory;
    return { entries, openBytes, close: () => cache.close() };
  };
}

async function fill(
  contents: Contents,
  entries: number,
  set: (key: string, value: unknown) => void,
): Promise<void> {
  for (let id = 0; id < entries;) {
    for (const end = Math.min(entries, id + 4096); id < end; id++) {
      set(contents.key(id), contents.value(id));
    }
    await eventLoopTurn();
  }
}

const map: Fill = async (contents, entries) => {
  const store = new Map<string, unknown>();
  await fill(contents, entries, (key, value) => store.set(key, value));
  return { entries, openBytes: 0, close: () => Promise.resolve(store.clear()) };
};

const lru: Fill = async (contents, entries) => {
  const store = new LRUCache<string, object | string>({ max: entries });
  await fill(contents, entries, (key, value) => store.set(key, value as object | string));
  return { entries, openBytes: 0, close: () => Promise.resolve(store.clear()) };
};

/** keyv's in-memory store has no bound and evicts nothing. */
const keyv: Fill = async (contents, entries) => {
  const store = new Keyv<unknown>();
  for (let id = 0; id < entries; id++) {
    await store.set(contents.key(id), contents.value(id));
    if ((id & 4095) === 0) await eventLoopTurn();
  }
  return { entries, openBytes: 0, close: () => store.clear() };
};

const lmdb: Fill = async (contents, entries) => {
  const directory = new TemporaryDirectory("entries");
  const store = open<unknown, string>({ path: directory.path, maxDbs: 1 });
  await store.transaction(() => undefined);
  await fill(contents, entries, (key, value) => store.putSync(key, value));
  return {
    entries,
    openBytes: 0,
    close: async () => {
      await store.close();
      directory.remove();
    },
  };
};

export const subjects: Readonly<Record<string, Fill>> = {
  "undercroft, near: false": undercroft(false),
  undercroft: undercroft({}),
  Map: map,
  "lru-cache": lru,
  keyv,
  lmdb,
};
