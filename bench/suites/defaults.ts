// What a user gets who writes `openCache({ memory })` and no more, beside lru-cache in the same
// process: hits by the order of the reads, awaited fetches, overwrites, and values from real files.

import { LRUCache } from "lru-cache";

import { type Cache, openCache } from "../../src/mod.js";
import { LruCachePeer } from "../peers/lru-cache.js";
import { UndercroftPeer } from "../peers/undercroft.js";
import { type RealValue, realValues } from "../real-values.js";
import { type Contestant, timeRounds } from "../rounds.js";
import { timingRows, type Row, type Suite } from "../suite.js";
import { keyOf, profileOf, type Profile, seededRandom, shuffled, zipfDraws } from "../workload.js";
import { freshGets } from "./get-hit.js";

const drawsLength = 1 << 20;
const rounds = 20;
const fetchBatch = 1 << 14;
const setBatch = 1 << 14;
const files = 4000;

/** The bytes of memory that a user gives to so many entries. */
const memoryFor = (entries: number): number => 8 * 1024 ** 2 + entries * 320;

const orders: Readonly<Record<string, (entries: number) => Uint32Array>> = {
  zipf: (entries) => zipfDraws(entries, drawsLength, 42),
  uniform: (entries) => {
    const random = seededRandom(9);
    return Uint32Array.from({ length: drawsLength }, () => Math.floor(random() * entries));
  },
  scan: (entries) => Uint32Array.from({ length: drawsLength }, (_, at) => at % entries),
};

export const defaults: Suite = {
  name: "defaults",
  about:
    "openCache({ memory }) and no other option, against lru-cache with room for all and against " +
    "near: false. get: getSync of a key string built for it, a value of 5 fields; fetch: an " +
    "awaited fetch that hits, plain and with { ttl }; set: an overwrite; files: JSON, texts and " +
    "declarations under node_modules.",
  cases: [
    "get zipf 65536",
    "get uniform 65536",
    "get scan 65536",
    "get zipf 1000000",
    "get uniform 1000000",
    "get scan 1000000",
    "fetch 65536",
    "set 65536",
    "files",
  ],
  run: async (caseName) => {
    const [call = "", ...rest] = caseName.split(" ");
    if (call === "get") return gets(rest[0] ?? "", Number(rest[1]));
    const entries = Number(rest[0]);
    if (call === "fetch") return fetches(entries);
    return call === "set" ? sets(entries) : ofFiles();
  },
};

async function gets(order: string, entries: number): Promise<Row[]> {
  const memory = memoryFor(entries);
  const peers = [
    await UndercroftPeer.open({ memory }),
    await UndercroftPeer.open({ memory, near: false }, "undercroft, near: false"),
    new LruCachePeer(entries),
  ];
  for (const peer of peers) await peer.fill(0, entries);
  const draws = orders[order]?.(entries) ?? new Uint32Array();
  for (const peer of peers) peer.getFresh(draws, 0, draws.length);
  const timings = await timeRounds(
    peers.map((peer) => freshGets(peer, draws)),
    rounds,
  );
  for (const peer of peers) await peer.close();
  return timingRows({ call: "getSync", order, entries }, timings);
}

/** A loader that is not to be called: all keys are there. */
async function load(): Promise<Profile> {
  return Promise.reject(new Error("a fetch missed"));
}

async function fetches(entries: number): Promise<Row[]> {
  const undercroft = await UndercroftPeer.open({ memory: memoryFor(entries) });
  await undercroft.fill(0, entries);
  const { cache } = undercroft;
  const lru = new LRUCache<string, Profile>({ max: entries, fetchMethod: load });
  for (let id = 0; id < entries; id++) lru.set(keyOf(id), profileOf(id));
  const draws = zipfDraws(entries, drawsLength, 42);
  const from = (round: number): number => (round * fetchBatch) % draws.length;
  const batches: Record<string, (round: number) => Promise<number>> = {
    async undercroft(round) {
      let found = 0;
      for (let i = from(round), end = i + fetchBatch; i < end; i++) {
        if ((await cache.fetch(keyOf(draws[i] as number), load)).id >= 0) found += 1;
      }
      return found;
    },
    async "undercroft, { ttl }"(round) {
      let found = 0;
      for (let i = from(round), end = i + fetchBatch; i < end; i++) {
        const value = await cache.fetch(keyOf(draws[i] as number), load, { ttl: "1h" });
        if (value.id >= 0) found += 1;
      }
      return found;
    },
    async "undercroft, getOrFetch"(round) {
      let found = 0;
      for (let i = from(round), end = i + fetchBatch; i < end; i++) {
        const value = cache.getOrFetch(keyOf(draws[i] as number), load);
        if ((value instanceof Promise ? await value : value).id >= 0) found += 1;
      }
      return found;
    },
    async "lru-cache"(round) {
      let found = 0;
      for (let i = from(round), end = i + fetchBatch; i < end; i++) {
        if (((await lru.fetch(keyOf(draws[i] as number)))?.id ?? -1) >= 0) found += 1;
      }
      return found;
    },
  };
  const contestants = Object.entries(batches).map(([name, batch]): Contestant => ({
    name,
    size: fetchBatch,
    async: true,
    batch,
  }));
  for (const { batch } of contestants) {
    for (let round = 0; round < drawsLength / fetchBatch; round++) await batch(round);
  }
  const timings = await timeRounds(contestants, rounds);
  await undercroft.close();
  return timingRows({ call: "fetch", order: "zipf", entries }, timings);
}

async function sets(entries: number): Promise<Row[]> {
  const undercroft = await UndercroftPeer.open({ memory: 2 * memoryFor(entries) });
  await undercroft.fill(0, entries);
  const { cache } = undercroft;
  const lru = new LRUCache<string, Profile>({ max: entries });
  for (let id = 0; id < entries; id++) lru.set(keyOf(id), profileOf(id));
  const values = Array.from({ length: 1024 }, (_, id) => profileOf(id));
  const draws = zipfDraws(entries, drawsLength, 42);
  const from = (round: number): number => (round * setBatch) % draws.length;
  const contestants: Contestant[] = [
    {
      name: "undercroft",
      size: setBatch,
      async: false,
      batch: (round) => {
        let stored = 0;
        for (let i = from(round), end = i + setBatch; i < end; i++) {
          const value = values[i & 1023] as Profile;
          if (cache.set(keyOf(draws[i] as number), value) === "stored") stored += 1;
        }
        return stored;
      },
    },
    {
      name: "lru-cache",
      size: setBatch,
      async: false,
      batch: (round) => {
        for (let i = from(round), end = i + setBatch; i < end; i++) {
          lru.set(keyOf(draws[i] as number), values[i & 1023] as Profile);
        }
        return setBatch;
      },
    },
  ];
  const timings = await timeRounds(contestants, rounds);
  await undercroft.close();
  return timingRows({ call: "set", order: "zipf", entries }, timings);
}

/** Reads and writes of what is in real files, each key a new string. */
async function ofFiles(): Promise<Row[]> {
  const values = realValues(files);
  const paths = Array.from(values.keys());
  const options = { memory: "256mb" };
  const near = await openCache<RealValue>(options);
  const shared = await openCache<RealValue>({ ...options, near: false });
  const lru = new LRUCache<string, RealValue>({ max: paths.length });
  for (const [path, value] of values) {
    for (const cache of [near, shared, lru]) cache.set(`file:${path}`, value);
  }
  const order = shuffled(paths.length, seededRandom(3));
  const keyAt = (at: number): string => `file:${paths[order[at] as number]}`;
  const read = (cache: Cache<RealValue>) => (): number => {
    let found = 0;
    for (let at = 0; at < order.length; at++) if (cache.getSync(keyAt(at)) !== undefined) found++;
    return found;
  };
  const readLru = (): number => {
    let found = 0;
    for (let at = 0; at < order.length; at++) if (lru.get(keyAt(at)) !== undefined) found++;
    return found;
  };
  const wanted = Array.from(order, (id) => values.get(paths[id] as string) as RealValue);
  const write = (): number => {
    let stored = 0;
    for (let at = 0; at < order.length; at++) {
      if (near.set(keyAt(at), wanted[at] as RealValue) === "stored") stored++;
    }
    return stored;
  };
  const writeLru = (): number => {
    for (let at = 0; at < order.length; at++) lru.set(keyAt(at), wanted[at] as RealValue);
    return order.length;
  };
  const of = (name: string, batch: () => number): Contestant => ({
    name,
    size: order.length,
    async: false,
    batch,
  });
  const reads = [
    of("undercroft", read(near)),
    of("undercroft, near: false", read(shared)),
    of("lru-cache", readLru),
  ];
  const writes = [of("undercroft", write), of("lru-cache", writeLru)];
  const got = await timeRounds(reads, rounds);
  const put = await timeRounds(writes, rounds);
  await near.close();
  await shared.close();
  const labels = { order: "shuffled", entries: paths.length };
  return [
    ...timingRows({ call: "getSync, files", ...labels }, got),
    ...timingRows({ call: "set, files", ...labels }, put),
  ];
}
