// Undercroft, memory only unless a suite opens a directory. The suites call it beside the other
// peers.

import { openCache, type Cache, type CacheOptions } from "../../src/mod.js";
import { keyOf, profileOf, type Profile } from "../workload.js";
import type { Peer } from "./peer.js";

export class UndercroftPeer implements Peer {
  readonly name: string;
  readonly cache: Cache<Profile>;

  /** Takes an open cache; `open` makes one. */
  constructor(cache: Cache<Profile>, name: string) {
    this.cache = cache;
    this.name = name;
  }

  static async open(options: CacheOptions<Profile>, name = "undercroft"): Promise<UndercroftPeer> {
    return new UndercroftPeer(await openCache<Profile>(options), name);
  }

  async fill(from: number, to: number, keys?: readonly string[]): Promise<void> {
    for (let id = from; id < to; id++) {
      const key = keys?.[id] ?? keyOf(id);
      const value = profileOf(id);
      // A fill is faster than any service: if the janitor falls behind, let it catch up.
      while (this.cache.set(key, value) === "overloaded") await breath();
    }
  }

  getFresh(draws: Uint32Array, from: number, to: number): number {
    const cache = this.cache;
    let found = 0;
    for (let i = from; i < to; i++) {
      const value = cache.getSync(keyOf(draws[i] as number));
      if (value !== undefined && value.id >= 0) found++;
    }
    return found;
  }

  getInterned(keys: readonly string[], draws: Uint32Array, from: number, to: number): number {
    const cache = this.cache;
    let found = 0;
    for (let i = from; i < to; i++) {
      const value = cache.getSync(keys[draws[i] as number] as string);
      if (value !== undefined && value.id >= 0) found++;
    }
    return found;
  }

  async close(): Promise<void> {
    await this.cache.close();
  }
}

function breath(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1);
  });
}
