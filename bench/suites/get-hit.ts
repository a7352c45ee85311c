// A hit in the near cache, against caches that keep objects and a store that keeps bytes.

import { LmdbPeer } from "../peers/lmdb.js";
import { LruCachePeer } from "../peers/lru-cache.js";
import { MapPeer } from "../peers/map.js";
import type { Peer } from "../peers/peer.js";
import { UndercroftPeer } from "../peers/undercroft.js";
import { timeRounds, type Contestant } from "../rounds.js";
import { timingRows, type Row, type Suite } from "../suite.js";
import { internedKeys, shuffled, seededRandom, zipfDraws } from "../workload.js";

const drawsLength = 1 << 20;
const batchSize = 1 << 16;
const rounds = 40;

export const getHit: Suite = {
  name: "get-hit",
  about:
    "One get that hits, values of 5 fields (about 146 bytes of msgpack), Zipf-like reads. " +
    "fresh: the key string is built " +
    "for each get; interned: one string object per key, the one it was set with. " +
    "Undercroft keeps every value near.",
  cases: ["1000", "65536", "1000000"],
  run: async (caseName) => {
    const entries = Number(caseName);
    const keys = internedKeys(entries);
    const peers = await openPeers(entries);
    const everyId = shuffled(entries, seededRandom(7));
    for (const peer of peers) {
      await peer.fill(0, entries, keys);
      const found = peer.getInterned(keys, everyId, 0, entries);
      // A few entries in a million find both their buckets full and are evicted.
      if (found < entries * 0.9999) {
        throw new Error(`${peer.name} holds ${found} of ${entries} entries`);
      }
    }
    globalThis.gc?.();
    const draws = zipfDraws(entries, drawsLength, 42);
    // Each peer answers all draws once before it is timed, so that it has adapted to the access
    // pattern.
    for (const peer of peers) peer.getFresh(draws, 0, draws.length);
    const fresh = await timeRounds(
      peers.map((peer) => freshGets(peer, draws)),
      rounds,
    );
    for (const peer of peers) peer.getInterned(keys, draws, 0, draws.length);
    const interned = await timeRounds(
      peers.map((peer) => internedGets(peer, keys, draws)),
      rounds,
    );
    for (const peer of peers) await peer.close();
    return [
      ...timingRows({ entries, key: "fresh" }, fresh),
      ...timingRows({ entries, key: "interned" }, interned),
    ] satisfies Row[];
  },
};

async function openPeers(entries: number): Promise<Peer[]> {
  // Size each cache for its entries, as a service would. A much larger table only adds cache
  // misses.
  const undercroft = await UndercroftPeer.open({
    memory: 8 * 1024 ** 2 + entries * 320,
    near: { maxEntries: entries, maxBytes: 1024 ** 3 },
  });
  return [undercroft, new MapPeer(), new LruCachePeer(entries), new LmdbPeer()];
}

/**
 * A contestant whose batches continue through the draws from round to round and wrap at their end.
 */
export function freshGets(peer: Peer, draws: Uint32Array): Contestant {
  const batch = (round: number): number => {
    const from = (round * batchSize) % draws.length;
    return peer.getFresh(draws, from, from + batchSize);
  };
  return { name: peer.name, size: batchSize, async: false, batch };
}

export function internedGets(peer: Peer, keys: readonly string[], draws: Uint32Array): Contestant {
  const batch = (round: number): number => {
    const from = (round * batchSize) % draws.length;
    return peer.getInterned(keys, draws, from, from + batchSize);
  };
  return { name: peer.name, size: batchSize, async: false, batch };
}
