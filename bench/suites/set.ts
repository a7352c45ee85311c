// Writes: new keys, and new values under old keys. Undercroft and lmdb encode each value, the
// others keep a reference.

import { LRUCache } from "lru-cache";

import { LmdbPeer } from "../peers/lmdb.js";
import { UndercroftPeer } from "../peers/undercroft.js";
import { timeRounds, type Contestant } from "../rounds.js";
import { timingRows, type Row, type Suite } from "../suite.js";
import { keyOf, profileOf, type Profile } from "../workload.js";

const batchSize = 1 << 13;
const syncBatchSize = 1 << 7;
const rounds = 12;
const entriesMax = (rounds + 4) * batchSize;

/** Which entries a batch writes: the next new ones, or the same ones again. */
type IdOf = (round: number, i: number) => number;

export const set: Suite = {
  name: "set",
  about:
    "One set of a value of 5 fields under a key string built for it. " +
    "lmdb: put, awaited once per batch (one commit), and " +
    "putSync, one commit each. " +
    "Map and lru-cache keep the object they are given; Undercroft and lmdb encode it.",
  cases: ["new", "overwrite"],
  run: async (caseName) => {
    const idOf: IdOf =
      caseName === "new"
        ? (round, i) => round * batchSize + i
        : (round, i) => (round * 7919 + i * 31) % batchSize;
    const values = Array.from({ length: 1024 }, (_, id) => profileOf(id));
    const undercroft = await UndercroftPeer.open({ memory: "512mb" });
    const lmdb = new LmdbPeer();
    const contestants = [
      undercroftSets(undercroft, values, idOf),
      mapSets(values, idOf),
      lruCacheSets(values, idOf),
      lmdbPuts(lmdb, values, idOf),
      lmdbPutSyncs(lmdb, values, idOf),
    ];
    const timings = await timeRounds(contestants, rounds);
    await undercroft.close();
    await lmdb.close();
    return timingRows({ keys: caseName }, timings) satisfies Row[];
  },
};

function undercroftSets(peer: UndercroftPeer, values: readonly Profile[], idOf: IdOf): Contestant {
  const { cache } = peer;
  const batch = (round: number): number => {
    let stored = 0;
    for (let i = 0; i < batchSize; i++) {
      const outcome = cache.set(keyOf(idOf(round, i)), values[i & 1023] as Profile);
      if (outcome === "stored") stored++;
    }
    return stored;
  };
  return { name: peer.name, size: batchSize, async: false, batch };
}

function mapSets(values: readonly Profile[], idOf: IdOf): Contestant {
  const map = new Map<string, Profile>();
  const batch = (round: number): number => {
    for (let i = 0; i < batchSize; i++) {
      map.set(keyOf(idOf(round, i)), values[i & 1023] as Profile);
    }
    return batchSize;
  };
  return { name: "Map", size: batchSize, async: false, batch };
}

function lruCacheSets(values: readonly Profile[], idOf: IdOf): Contestant {
  const cache = new LRUCache<string, Profile>({ max: entriesMax });
  const batch = (round: number): number => {
    for (let i = 0; i < batchSize; i++) {
      cache.set(keyOf(idOf(round, i)), values[i & 1023] as Profile);
    }
    return batchSize;
  };
  return { name: "lru-cache", size: batchSize, async: false, batch };
}

function lmdbPuts(peer: LmdbPeer, values: readonly Profile[], idOf: IdOf): Contestant {
  const { database } = peer;
  const batch = async (round: number): Promise<number> => {
    let last: Promise<boolean> = Promise.resolve(true);
    for (let i = 0; i < batchSize; i++) {
      last = database.put(keyOf(idOf(round, i)), values[i & 1023] as Profile);
    }
    return (await last) ? batchSize : 0;
  };
  return { name: "lmdb put, batched", size: batchSize, async: true, batch };
}

function lmdbPutSyncs(peer: LmdbPeer, values: readonly Profile[], idOf: IdOf): Contestant {
  const { database } = peer;
  const batch = (round: number): number => {
    for (let i = 0; i < syncBatchSize; i++) {
      database.putSync(`sync:${keyOf(idOf(round, i))}`, values[i & 1023] as Profile);
    }
    return syncBatchSize;
  };
  return { name: "lmdb putSync", size: syncBatchSize, async: false, batch };
}
