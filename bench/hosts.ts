// Compares the adapters with the stores that their hosts have by default, on the same calls.
// `node hosts.js [entries]`: microseconds of an awaited get of an entry that is there, and of a set
// (median of rounds in turns); how many entries are there after a restart; and what clear() of a
// keyv namespace takes by its tag, and would take by a walk.
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import Keyv from "keyv";
import { createStorage } from "unstorage";
import { bentocacheDriver } from "../src/bentocache/mod.js";
import { keyvStore } from "../src/keyv/mod.js";
import { type Cache, openCache } from "../src/mod.js";
import { unstorageDriver } from "../src/unstorage/mod.js";
import { agentKey, agentValue } from "./entries/contents.js";
import { TemporaryDirectory } from "./temporary-directory.js";

const rounds = 5;
const count = Number(process.argv[2] ?? 50_000);

/** A host over a store: its own if it is given no cache. */
interface Host {
  get(key: string): Promise<unknown>;
  set(key: string, value: object): Promise<unknown>;
}

const hosts: Record<string, (cache: Cache | undefined) => Host> = {
  keyv: (cache) => (cache ? new Keyv({ store: keyvStore(cache) }) : new Keyv()),
  unstorage: (cache) => createStorage(cache && { driver: unstorageDriver(cache) }),
  bentocache: (cache) => {
    const driver = cache ? bentocacheDriver(cache) : memoryDriver({ maxItems: count });
    const store = bentostore().useL1Layer(driver);
    const bento = new BentoCache({ default: "only", stores: { only: store } });
    return {
      get: (key) => bento.get({ key }),
      set: (key, value) => bento.set({ key, value }),
    };
  },
};

/** Microseconds of each call, and how many answered something. */
async function timed(call: (id: number) => Promise<unknown>): Promise<[us: number, hits: number]> {
  let hits = 0;
  const start = performance.now();
  for (let id = 0; id < count; id++) if ((await call(id)) !== undefined) hits += 1;
  return [((performance.now() - start) * 1000) / count, hits];
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[values.length >> 1] ?? 0;
const set = (host: Host) => (id: number) => host.set(agentKey(id), agentValue(id));
const get = (host: Host) => async (id: number) => (await host.get(agentKey(id))) ?? undefined;

/** Opens the cache of a host: bentocache's layer reads no disk. */
function opened(host: string, path: string): Promise<Cache> {
  const disk = host === "bentocache" ? {} : { disk: { path, capacity: "256mb" } };
  return openCache({ memory: "128mb", ...disk });
}

async function compare(name: string, hostOf: (cache: Cache | undefined) => Host, path: string) {
  const cache = await opened(name, path);
  const subjects = [hostOf(undefined), hostOf(cache)].map((host) => ({
    host,
    gets: [] as number[],
    sets: [] as number[],
    found: 0,
  }));
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      subject.sets.push((await timed(set(subject.host)))[0]);
      const [us, hits] = await timed(get(subject.host));
      subject.gets.push(us);
      subject.found = hits;
    }
  }
  await cache.close();
  const again = await opened(name, path);
  const [, after] = await timed(get(hostOf(again)));
  await again.close();
  for (const [index, { gets, sets, found }] of subjects.entries()) {
    const [gotten, stored] = [gets, sets].map((times) => median(times).toFixed(2));
    const store = index === 0 ? "its own store" : "undercroft";
    const left = index === 0 ? 0 : after;
    console.log(
      `${name}, ${store}: get ${gotten} us, set ${stored} us, ${found} of ${count} found, ` +
        `${left} after a restart`,
    );
  }
}

/** Milliseconds of clear() of a namespace of keyv, and of a walk that deletes as many. */
async function compareClears(): Promise<void> {
  const cache = await openCache({ memory: "128mb" });
  const keyv = new Keyv({ store: keyvStore(cache), namespace: "n" });
  await timed(set(keyv));
  const { entries: tagged, bytes } = cache.stats().memory;
  const start = performance.now();
  await keyv.clear();
  const byTag = performance.now() - start;
  const plain = cache.namespace("plain");
  for (let id = 0; id < count; id++) plain.set(`n:${agentKey(id)}`, agentValue(id));
  const walk = performance.now();
  for await (const key of plain.keys({ prefix: "n:" })) plain.delete(key);
  const byWalk = performance.now() - walk;
  await cache.close();
  console.log(
    `clear of ${tagged} entries: ${byTag.toFixed(2)} ms by tag, ${byWalk.toFixed(0)} ms ` +
      `by a walk; ${(bytes / tagged).toFixed(0)} bytes an entry`,
  );
}

const directory = new TemporaryDirectory("hosts");
for (const [name, hostOf] of Object.entries(hosts)) {
  await compare(name, hostOf, `${directory.path}/${name}`);
}
await compareClears();
directory.remove();
