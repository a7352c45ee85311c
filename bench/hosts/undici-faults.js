// What is counted of undici's cache interceptor, over its own store and over ours. Called by faults.js.

import { once } from "node:events";
import { createServer } from "node:http";
import { Agent, interceptors, request } from "undici";
import { UndiciCacheStore } from "../../dist/src/undici/mod.js";

/**
 * A resource that is changed while an answer is on its way: the server holds the rest of the old
 * answer until the change is done. True if the next who asks gets the old one.
 */
async function isOldAfterChange(dispatcher, origin, path, held) {
  const old = await request(`${origin}${path}`, { dispatcher });
  const { body } = await request(`${origin}${path}`, { dispatcher, method: "PUT" });
  await body.text();
  held.get(path).end("old");
  await old.body.text();
  const next = await request(`${origin}${path}`, { dispatcher });
  return (await next.body.text()).includes("old");
}

async function changesLost(times, cache) {
  const held = new Map();
  const changed = new Set();
  const server = createServer((incoming, response) => {
    const { method, url } = incoming;
    if (method === "PUT") changed.add(url);
    else response.setHeader("cache-control", "public, max-age=3600");
    if (method === "PUT" || changed.has(url)) return response.end("new");
    held.set(url, response);
    return response.write("the ");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const options = cache ? { store: new UndiciCacheStore(cache) } : {};
  const dispatcher = new Agent().compose(interceptors.cache(options));
  const origin = `http://127.0.0.1:${server.address().port}`;
  let lost = 0;
  for (let id = 0; id < times; id++) {
    if (await isOldAfterChange(dispatcher, origin, `/${id}`, held)) lost += 1;
  }
  await dispatcher.close();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
  return lost;
}

export const faultsOfUndici = (times) => [
  [
    "undici",
    "a change (PUT) while an answer is on its way is lost: the old answer is kept",
    (cache) => changesLost(times, cache),
  ],
];
