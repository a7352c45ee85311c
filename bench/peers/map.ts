// JavaScript's Map, the lower bound of cost. It has no limit, is not shared and does not survive a
// restart.

import { keyOf, profileOf, type Profile } from "../workload.js";
import type { Peer } from "./peer.js";

export class MapPeer implements Peer {
  readonly name = "Map";
  readonly #map = new Map<string, Profile>();

  fill(from: number, to: number, keys?: readonly string[]): void {
    for (let id = from; id < to; id++) this.#map.set(keys?.[id] ?? keyOf(id), profileOf(id));
  }

  getFresh(draws: Uint32Array, from: number, to: number): number {
    const map = this.#map;
    let found = 0;
    for (let i = from; i < to; i++) {
      const value = map.get(keyOf(draws[i] as number));
      if (value !== undefined && value.id >= 0) found++;
    }
    return found;
  }

  getInterned(keys: readonly string[], draws: Uint32Array, from: number, to: number): number {
    const map = this.#map;
    let found = 0;
    for (let i = from; i < to; i++) {
      const value = map.get(keys[draws[i] as number] as string);
      if (value !== undefined && value.id >= 0) found++;
    }
    return found;
  }

  close(): void {
    this.#map.clear();
  }
}
