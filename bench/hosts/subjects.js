// The hosts, each over its own store and over ours, with default options: what stores.js measures.
// A subject puts a value under a number and says whether it finds one there. What undici and the
// SDK put is the answer of a server or a model that they ask.

import * as caches from "@langchain/core/caches";
import { generateText, wrapLanguageModel } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { createCache } from "cache-manager";
import { Cacheable } from "cacheable";
import Keyv from "keyv";
import { once } from "node:events";
import { createServer } from "node:http";
import { Agent, interceptors, request } from "undici";
import { createStorage } from "unstorage";
import { agentKey, agentValue } from "../../dist/bench/entries/contents.js";
import { cacheMiddleware } from "../../dist/src/ai/mod.js";
import { bentocacheDriver } from "../../dist/src/bentocache/mod.js";
import { keyvStore } from "../../dist/src/keyv/mod.js";
import { answerCache } from "../../dist/src/langchain/mod.js";
import { UndiciCacheStore } from "../../dist/src/undici/mod.js";
import { unstorageDriver } from "../../dist/src/unstorage/mod.js";

/** A Keyv over our store, for what takes a Keyv. */
const keyvOver = (cache) => new Keyv({ store: keyvStore(cache) });

export const cacheableOver = (cache) =>
  cache ? new Cacheable({ primary: keyvOver(cache) }) : new Cacheable();
export const cacheManagerOver = (cache) =>
  cache ? createCache({ stores: [keyvOver(cache)] }) : createCache();
export const bentocacheOver = (cache) => {
  const layer = cache ? bentocacheDriver(cache) : memoryDriver({});
  return new BentoCache({ default: "only", stores: { only: bentostore().useL1Layer(layer) } });
};
export const unstorageOver = (cache) => createStorage(cache && { driver: unstorageDriver(cache) });
export const langchainOver = (cache) =>
  cache ? answerCache(cache, caches) : new caches.InMemoryCache();

/** A host with get and set. */
const simple = (host) => ({
  put: (id, value) => host.set(agentKey(id), value),
  find: async (id) => ((await host.get(agentKey(id))) ?? undefined) !== undefined,
});

/** A server whose answers may be kept for an hour, and a client; found is what it was not asked. */
async function undiciOver(cache) {
  let asked = 0;
  const server = createServer((incoming, response) => {
    asked += 1;
    response.setHeader("cache-control", "public, max-age=3600");
    response.end(JSON.stringify(agentValue(Number(incoming.url.slice(1)))));
  });
  // One port for all processes of a run: the port is a part of the key.
  server.listen(Number(process.env.HOSTS_PORT ?? 0), "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  const options = cache ? { store: new UndiciCacheStore(cache) } : {};
  const dispatcher = new Agent().compose(interceptors.cache(options));
  const ask = async (id) => {
    const { body } = await request(`http://127.0.0.1:${port}/${id}`, { dispatcher });
    await body.text();
  };
  return {
    put: ask,
    async find(id) {
      const before = asked;
      await ask(id);
      return asked === before;
    },
    async close() {
      await dispatcher.close();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};

/** A model that answers at once; the SDK has no cache of its own. */
export function modelOver(cache, answer = async () => undefined) {
  const asked = { times: 0 };
  const plain = new MockLanguageModelV3({
    doGenerate: async () => {
      asked.times += 1;
      await answer();
      const content = [{ type: "text", text: "Paris" }];
      return { content, finishReason: { unified: "stop", raw: "stop" }, usage, warnings: [] };
    },
  });
  const model = cache
    ? wrapLanguageModel({ model: plain, middleware: cacheMiddleware(cache) })
    : plain;
  return { asked, ask: (prompt) => generateText({ model, prompt }) };
}

function aiOver(cache) {
  const { asked, ask } = modelOver(cache);
  return {
    put: (id) => ask(agentKey(id)),
    async find(id) {
      const before = asked.times;
      await ask(agentKey(id));
      return asked.times === before;
    },
  };
}

function langchainSubject(cache) {
  const answers = langchainOver(cache);
  return {
    put: (id, value) => answers.update(agentKey(id), "model", [{ text: JSON.stringify(value) }]),
    find: async (id) => (await answers.lookup(agentKey(id), "model")) !== null,
  };
}

function bentocacheSubject(cache) {
  const bento = bentocacheOver(cache);
  return simple({
    get: (key) => bento.get({ key }),
    set: (key, value) => bento.set({ key, value }),
  });
}

/** By name: `over` a cache of ours, or without one over its own store; `few` where calls are slow. */
export const subjects = {
  keyv: { over: (cache) => simple(cache ? keyvOver(cache) : new Keyv()) },
  cacheable: { over: (cache) => simple(cacheableOver(cache)) },
  "cache-manager": { over: (cache) => simple(cacheManagerOver(cache)) },
  unstorage: { over: (cache) => simple(unstorageOver(cache)) },
  bentocache: { over: bentocacheSubject },
  LangChain: { over: langchainSubject },
  undici: { over: undiciOver, few: 2_000 },
  "AI SDK": { over: aiOver, few: 2_000 },
};

/** Entries of 146 bytes, so few that all may stay. */
export const fewOf = (name) => subjects[name].few ?? 20_000;
/** Documents of 1 to 4 KiB, so many that a store of 64 MiB cannot hold them; or small answers. */
export const manyOf = (name) => (subjects[name].few === undefined ? 50_000 : 10_000);
