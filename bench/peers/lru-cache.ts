// lru-cache: the usual choice in one thread. Bounded by count, values are objects on this thread's
// heap.

import { LRUCache } from "lru-cache";

import { keyOf, profileOf, type Profile } from "../workload.js";
import type { Peer } from "./peer.js";

export class LruCachePeer implements Peer {
  readonly name = "lru-cache";
  readonly #cache: LRUCache<string, Profile>;

  constructor(max: number) {
    this.#cache = new LRUCache<string, Profile>({ max });
  }

  fill(from: number, to: number, keys?: readonly string[]): void {
    for (let id = from; id < to; id++) this.#cache.set(keys?.[id] ?? keyOf(id), profileOf(id));
  }

  getFresh(draws: Uint32Array, from: number, to: number): number {
    const cache = this.#cache;
    let found = 0;
    for (let i = from; i < to; i++) {
      const value = cache.get(keyOf(draws[i] as number));
      if (value !== undefined && value.id >= 0) found++;
    }
    return found;
  }

  getInterned(keys: readonly string[], draws: Uint32Array, from: number, to: number): number {
    const cache = this.#cache;
    let found = 0;
    for (let i = from; i < to; i++) {
      const value = cache.get(keys[draws[i] as number] as string);
      if (value !== undefined && value.id >= 0) found++;
    }
    return found;
  }

  close(): void {
    this.#cache.clear();
  }
}
