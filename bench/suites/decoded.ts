// A hit that is copied from shared memory and decoded, as a thread's first get of a key is. lmdb
// also decodes at each get.

import { LmdbPeer } from "../peers/lmdb.js";
import { UndercroftPeer } from "../peers/undercroft.js";
import { timeRounds } from "../rounds.js";
import { timingRows, type Suite } from "../suite.js";
import { internedKeys, zipfDraws } from "../workload.js";
import { freshGets, internedGets } from "./get-hit.js";

const entries = 65_536;
const rounds = 15;

export const decoded: Suite = {
  name: "decoded",
  about:
    "One get that hits shared memory and decodes (near: false), 65,536 entries, " +
    "against lmdb's get, which decodes too.",
  cases: ["65536"],
  run: async () => {
    const keys = internedKeys(entries);
    const peers = [
      await UndercroftPeer.open({ memory: "256mb", near: false }, "undercroft, near: false"),
      new LmdbPeer(),
    ];
    for (const peer of peers) await peer.fill(0, entries, keys);
    const draws = zipfDraws(entries, 1 << 20, 42);
    const fresh = await timeRounds(
      peers.map((peer) => freshGets(peer, draws)),
      rounds,
    );
    const interned = await timeRounds(
      peers.map((peer) => internedGets(peer, keys, draws)),
      rounds,
    );
    for (const peer of peers) await peer.close();
    return [
      ...timingRows({ entries, key: "fresh" }, fresh),
      ...timingRows({ entries, key: "interned" }, interned),
    ];
  },
};
