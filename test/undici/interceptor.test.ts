// The store under undici's own interceptor and a server: what the server is asked, and what callers
// get.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Agent, type Dispatcher, fetch, interceptors, request } from "undici";

import { type Cache, openCache } from "../../dist/src/mod.js";
import { UndiciCacheStore } from "../../dist/src/undici/mod.js";

let cache: Cache;
let server: Server;
let dispatcher: Dispatcher;
let url: string;
let store: UndiciCacheStore;
let asked: string[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  cache = await openCache({ memory: "32mb" });
  asked = [];
  server = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    answer(incoming, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  store = new UndiciCacheStore(cache.namespace("http"));
  dispatcher = new Agent().compose(interceptors.cache({ store, methods: ["GET", "HEAD"] }));
});
afterEach(async () => {
  await dispatcher.close();
  server.close();
  await cache.close();
});

const key = (path: string) => ({ origin: url, method: "GET", path, headers: {} });
const fresh = { "cache-control": "max-age=60" };

async function text(path = "/", headers: Record<string, string> = {}): Promise<string> {
  const { body } = await request(url + path, { dispatcher, headers });
  return body.text();
}

test("a fresh response is not asked for again, by request or by fetch", async () => {
  answer = (_, response) => response.writeHead(200, fresh).end("hello");
  expect([await text(), await text()]).toEqual(["hello", "hello"]);
  const response = await fetch(url, { dispatcher });
  expect([await response.text(), response.headers.has("age")]).toEqual(["hello", true]);
  expect(await text()).toBe("hello");
  expect(asked).toEqual(["GET /"]);
});

test("a large body comes whole each time, however it was read before", async () => {
  const body = Buffer.alloc(3 << 20, "0123456789abcdef");
  answer = (_, response) => response.writeHead(200, fresh).end(body);
  for (let call = 0; call < 3; call++) {
    const bytes = await (await fetch(url, { dispatcher })).bytes();
    expect(body.equals(bytes)).toBe(true);
    bytes.fill(0);
    // It is stored as it comes, so it may be there a moment after the client has it.
    await expect.poll(() => store.get(key("/"))).toBeDefined();
  }
  expect(asked).toHaveLength(1);
});

test("a variant is asked for once", async () => {
  answer = (incoming, response) =>
    response.writeHead(200, { ...fresh, vary: "x-lang" }).end(incoming.headers["x-lang"]);
  for (const language of ["de", "en", "de", "en"]) {
    expect(await text("/", { "x-lang": language })).toBe(language);
  }
  expect(asked).toHaveLength(2);
});

test("a stale response is asked about, and its body comes from the cache", async () => {
  answer = (incoming, response) => {
    const headers = { "cache-control": "max-age=0, stale-if-error=60", etag: '"1"' };
    if (incoming.headers["if-none-match"] === '"1"') response.writeHead(304, headers).end();
    else response.writeHead(200, headers).end("hello");
  };
  expect([await text(), await text(), await text()]).toEqual(["hello", "hello", "hello"]);
  expect(asked).toHaveLength(3);
});

test("an unsafe request ends what is stored of its URL", async () => {
  answer = (incoming, response) => response.writeHead(200, fresh).end(incoming.method);
  await text("/a");
  await text("/b");
  await (await request(`${url}/a`, { dispatcher, method: "POST" })).body.dump();
  await text("/a");
  await text("/b");
  expect(asked).toEqual(["GET /a", "GET /b", "POST /a", "GET /a"]);
});

test("a body that breaks off or is too large is not stored", async () => {
  answer = (incoming, response) => {
    if (incoming.url === "/large") response.writeHead(200, fresh).end(Buffer.alloc(6 << 20));
    else {
      response.writeHead(200, { ...fresh, "content-length": "10" }).write("half");
      setImmediate(() => response.destroy());
    }
  };
  for (let call = 1; call <= 2; call++) {
    await expect(text("/half")).rejects.toThrow(/terminated|closed|aborted/);
    expect(await text("/large")).toHaveLength(6 << 20);
    expect(asked).toHaveLength(2 * call);
  }
});
