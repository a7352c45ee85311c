// A get of a key that is in no tier: what a read-through cache pays before it calls its loader.

import { LmdbPeer } from "../peers/lmdb.js";
import { LruCachePeer } from "../peers/lru-cache.js";
import { MapPeer } from "../peers/map.js";
import type { Peer } from "../peers/peer.js";
import { UndercroftPeer } from "../peers/undercroft.js";
import { timeRounds, type Contestant } from "../rounds.js";
import { timingRows, type Suite } from "../suite.js";
import { internedKeys } from "../workload.js";

const entries = 65_536;
const batchSize = 1 << 15;
const rounds = 15;

export const miss: Suite = {
  name: "miss",
  about: "One get of a key that is not there, in caches of 65,536 entries.",
  cases: ["65536"],
  run: async () => {
    const keys = internedKeys(2 * entries);
    const peers: Peer[] = [
      await UndercroftPeer.open({ memory: "256mb" }),
      new MapPeer(),
      new LruCachePeer(4 * entries),
      new LmdbPeer(),
    ];
    for (const peer of peers) await peer.fill(0, entries, keys);
    const absent = Uint32Array.from({ length: entries }, (_, i) => entries + i);
    const misses = (peer: Peer, interned: boolean): Contestant => ({
      name: peer.name,
      size: batchSize,
      async: false,
      batch: (round) => {
        const from = (round * batchSize) % entries;
        const found = interned
          ? peer.getInterned(keys, absent, from, from + batchSize)
          : peer.getFresh(absent, from, from + batchSize);
        return batchSize - found;
      },
    });
    const fresh = await timeRounds(
      peers.map((peer) => misses(peer, false)),
      rounds,
    );
    const interned = await timeRounds(
      peers.map((peer) => misses(peer, true)),
      rounds,
    );
    for (const peer of peers) await peer.close();
    return [
      ...timingRows({ entries, key: "fresh" }, fresh),
      ...timingRows({ entries, key: "interned" }, interned),
    ];
  },
};
