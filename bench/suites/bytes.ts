// What an entry costs: the index alone and everything, by the cache's own counters and by the
// process's resident memory, beside Map and lru-cache holding the same entries as objects. Each
// peer runs in its own process.

import { openCache } from "../../src/mod.js";
import { LruCachePeer } from "../peers/lru-cache.js";
import { MapPeer } from "../peers/map.js";
import type { Row, Suite } from "../suite.js";
import { keyOf, profileOf } from "../workload.js";

const memoryLimit = 128 * 1024 ** 2;
const entriesOfPeers = 500_000;

export const bytes: Suite = {
  name: "bytes",
  about:
    "Bytes per entry of 5 fields (about 146 bytes of msgpack) and a key of 15 to 19. " +
    "undercroft: memory of 128 MiB, full: " +
    "twice as many sets as it holds entries; " +
    "small: values of 13 bytes, so the index fills first. " +
    "all: index, tables and segments in use. " +
    "resident: growth of the process, heap collected before and after.",
  cases: ["undercroft", "undercroft, small", "Map", "lru-cache"],
  run: async (caseName) => {
    switch (caseName) {
      case "undercroft":
        return [await undercroftRow(caseName, profileOf)];
      case "undercroft, small":
        return [await undercroftRow(caseName, (id) => `value ${id + 1_000_000}`)];
      case "Map":
        return [peerRow(new MapPeer())];
      default:
        return [peerRow(new LruCachePeer(2 * entriesOfPeers))];
    }
  },
};

async function undercroftRow(name: string, valueOf: (id: number) => unknown): Promise<Row> {
  const residentBefore = resident();
  const cache = await openCache({ memory: memoryLimit, near: false });
  let id = 0;
  // Set twice as many entries as fit, so that the cache is full and in its steady state.
  while (id < 2 * cache.stats().memory.entries + 4096) {
    for (const last = id + 4096; id < last; id++) cache.set(keyOf(id), valueOf(id));
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  const { memory } = cache.stats();
  const grown = resident() - residentBefore;
  await cache.close();
  const { entries, indexBytes, bytes, usedBytes } = memory;
  return row(name, entries, { index: indexBytes, records: bytes, all: usedBytes, grown });
}

function peerRow(peer: MapPeer | LruCachePeer): Row {
  const residentBefore = resident();
  peer.fill(0, entriesOfPeers);
  const grown = resident() - residentBefore;
  if (peer.getFresh(Uint32Array.of(0), 0, 1) !== 1) throw new Error(`${peer.name} lost an entry`);
  return row(peer.name, entriesOfPeers, { grown });
}

interface Totals {
  readonly index?: number;
  readonly records?: number;
  readonly all?: number;
  readonly grown: number;
}

function row(peer: string, entries: number, totals: Totals): Row {
  const each = (total: number | undefined): number | string =>
    total === undefined ? "" : Number((total / entries).toFixed(1));
  return {
    peer,
    entries,
    "index bytes per entry": each(totals.index),
    "record bytes per entry": each(totals.records),
    "all bytes per entry": each(totals.all),
    "resident per entry": each(totals.grown),
  };
}

function resident(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  return process.memoryUsage().rss;
}
