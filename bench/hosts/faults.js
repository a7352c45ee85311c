// The process of the suite `hosts-faults`: what goes wrong is counted over each host's own store,
// over ours under the same host, and, where our own call does that work, with it. Prints rows as JSON:
// one for each host and fault. Options are the defaults, but for what a fault is about.

import { setImmediate } from "node:timers/promises";
import { openCache } from "../../dist/src/mod.js";
import { faultsOfUndici } from "./undici-faults.js";
import {
  bentocacheOver,
  cacheableOver,
  cacheManagerOver,
  langchainOver,
  modelOver,
  unstorageOver,
} from "./subjects.js";

const times = 100;

async function count(isFault) {
  let faults = 0;
  for (let id = 0; id < times; id++) if (await isFault(`key-${id}`)) faults += 1;
  return faults;
}

/** Hosts that load what is not there; the last one is a namespace of ours. */
const loading = {
  cacheable(cache) {
    const host = cacheableOver(cache);
    host.on("error", () => {});
    return {
      load: (key, loader) => host.getOrSet(key, loader),
      get: (key) => host.get(key),
      delete: (key) => host.delete(key),
    };
  },
  "cache-manager"(cache) {
    const host = cacheManagerOver(cache);
    return {
      load: (key, loader) => host.wrap(key, loader),
      get: (key) => host.get(key),
      delete: (key) => host.del(key),
    };
  },
  bentocache(cache) {
    const host = bentocacheOver(cache);
    return {
      load: (key, factory) => host.getOrSet({ key, factory }),
      get: (key) => host.get({ key }),
      delete: (key) => host.delete({ key }),
      setTagged: (key, value) => host.set({ key, value, tags: [key] }),
      deleteByTag: (tag) => host.deleteByTag({ tags: [tag] }),
    };
  },
  undercroft(cache) {
    return {
      load: (key, loader) => cache.fetch(key, loader),
      get: (key) => cache.get(key),
      delete: async (key) => cache.delete(key),
      setTagged: async (key, value) => cache.set(key, value, { tags: [key] }),
      deleteByTag: async (tag) => cache.deleteByTag(tag),
    };
  },
};

/** What may go wrong where a host loads: true if it did. */
const loadingFaults = {
  "a delete while it loads is lost: the old value is there after it": (host) => async (key) => {
    let answer;
    const loaded = new Promise((resolve) => (answer = resolve));
    const loading = host.load(key, () => loaded);
    await setImmediate();
    await host.delete(key);
    answer("old");
    await loading;
    return (await host.get(key)) === "old";
  },
  "a loader's error reaches nobody who called": (host) => async (key) => {
    try {
      await host.load(key, () => Promise.reject(new Error("the source is down")));
      return true;
    } catch {
      return false;
    }
  },
  "a caller changes what it got, and the next caller gets that": (host) => async (key) => {
    const loader = async () => ({ name: "Ada" });
    (await host.load(key, loader)).name = "changed";
    return (await host.load(key, loader)).name === "changed";
  },
  "a set just after the delete of its tag is lost": (host) => {
    if (host.setTagged === undefined) return undefined;
    return async (key) => {
      await host.setTagged(key, "old");
      await host.deleteByTag(key);
      await host.setTagged(key, "new");
      return (await host.get(key)) !== "new";
    };
  },
};

const row = (host, fault, own, under, fetch) => ({
  host,
  fault,
  of: times,
  "its own store": own,
  "undercroft under it": under,
  "undercroft's fetch, set": fetch,
});

async function loadingRows() {
  const rows = [];
  for (const [fault, check] of Object.entries(loadingFaults)) {
    const ours = await inCache((cache) => count(check(loading.undercroft(cache))));
    for (const [name, over] of Object.entries(loading)) {
      if (name === "undercroft" || check(over()) === undefined) continue;
      const own = await count(check(over()));
      const under = await inCache((cache) => count(check(over(cache))));
      rows.push(row(name, fault, own, under, ours));
    }
  }
  return rows;
}

async function inCache(use) {
  const cache = await openCache();
  try {
    return await use(cache);
  } finally {
    await cache.close();
  }
}

/** Callers at once of one prompt, less the one call of the model that is needed. */
async function modelCalls(cache) {
  const { asked, ask } = modelOver(cache, () => setImmediate());
  await Promise.all(Array.from({ length: times + 1 }, () => ask("The capital of France?")));
  return asked.times - 1;
}

async function changedAnswers(cache) {
  const answers = langchainOver(cache);
  return count(async (key) => {
    await answers.update(key, "model", [{ text: "Paris" }]);
    (await answers.lookup(key, "model"))[0].text = "changed";
    return (await answers.lookup(key, "model"))[0].text === "changed";
  });
}

/** Items that are there after the ttl that they were set with. */
async function outlived(cache) {
  const storage = unstorageOver(cache);
  const end = Date.now() + 20;
  await count((key) => storage.setItem(key, "value", { ttl: 0.01 }).then(() => false));
  while (Date.now() <= end) await setImmediate();
  return count(async (key) => (await storage.getItem(key)) !== null);
}

const others = [
  ["AI SDK", "calls of the model too many, of 101 at once for one prompt", modelCalls],
  ["LangChain", "a caller changes what it got, and the next caller gets that", changedAnswers],
  ["unstorage", "an item is there after the ttl it was set with", outlived],
  ...faultsOfUndici(times),
];

const rows = await loadingRows();
for (const [host, fault, faultsOf] of others) {
  rows.push(row(host, fault, await faultsOf(undefined), await inCache(faultsOf), ""));
}
process.stdout.write(JSON.stringify(rows));
