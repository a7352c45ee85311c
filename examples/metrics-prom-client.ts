// The metrics of a cache in a registry of prom-client. Scrapes itself once, prints what the cache
// has to say of requests and loads, and ends.
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { Registry } from "prom-client";
import { openCache } from "undercroft";
import { register } from "undercroft/prometheus";

const registry = new Registry();
const cache = await openCache<string>({ name: "users", memory: "16mb" });
register(registry, cache);

const server = createServer((_request, response) => {
  registry.metrics().then(
    (text) => response.setHeader("content-type", registry.contentType).end(text),
    () => response.writeHead(500).end(),
  );
});
server.listen(0);

await cache.fetch("user:7", () => "Ada");
await cache.fetch("user:7", () => "Ada");
const { port } = server.address() as AddressInfo;
const text = await (await fetch(`http://localhost:${port}/metrics`)).text();
for (const line of text.split("\n")) {
  if (/^undercroft_(?:requests|loads)_total/.test(line)) console.log(line);
}
server.close();
await cache.close();
