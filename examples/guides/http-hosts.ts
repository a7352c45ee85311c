// Answers of HTTP servers from a cache: docs/guides/http-hosts.md.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type Namespace, openCache } from "undercroft";

interface Page {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array;
}

/** A handler of node:http: one call of `make` for all who ask for a URL that is not there. */
function cachedHandler(pages: Namespace<Page>, make: (url: string) => Promise<Page>) {
  return async ({ method, url = "/" }: IncomingMessage, response: ServerResponse) => {
    try {
      const load = (): Promise<Page> => make(url);
      const page = await (method === "GET" ? pages.fetch(url, load) : load());
      response.writeHead(page.status, page.headers).end(page.body);
    } catch {
      response.writeHead(500).end();
    }
  };
}

type Header = string | number | string[] | null | undefined;

/** Whether an answer is for everybody. */
function isPublic(status: number, header: (name: string) => Header): boolean {
  const forbids = /no-store|no-cache|private/.test(String(header("cache-control") ?? ""));
  return status === 200 && !forbids && !header("set-cookie") && !header("vary");
}

interface HonoContext {
  readonly req: { readonly method: string; readonly url: string };
  res: Response;
}

/** A middleware of Hono, for GET. */
function honoCache(pages: Namespace<Page>) {
  return async (context: HonoContext, next: () => Promise<void>) => {
    if (context.req.method !== "GET") return next();
    let isOwn = false;
    const page = await pages.fetch(context.req.url, async () => {
      isOwn = true;
      await next();
      const { status, headers } = context.res;
      if (!isPublic(status, (name) => headers.get(name))) return undefined; // not kept
      const body = Buffer.from(await context.res.clone().arrayBuffer());
      return { status, headers: Object.fromEntries(headers), body };
    });
    if (isOwn) return undefined;
    return page === undefined ? next() : new Response(page.body, page);
  };
}

interface FastifyRequest {
  readonly method: string;
  readonly url: string;
}
interface FastifyReply {
  readonly statusCode: number;
  getHeader(name: string): Header;
  code(status: number): this;
  headers(headers: Record<string, string>): this;
  send(body: unknown): this;
}

/** Two hooks of Fastify, for GET. */
function fastifyCache(pages: Namespace<Page>) {
  const given = new WeakSet<FastifyRequest>();
  return {
    async onRequest(request: FastifyRequest, reply: FastifyReply) {
      const page = request.method === "GET" ? await pages.get(request.url) : undefined;
      if (page === undefined) return undefined;
      given.add(request);
      return reply.code(page.status).headers(page.headers).send(page.body);
    },
    async onSend(request: FastifyRequest, reply: FastifyReply, body: unknown) {
      const isNew = request.method === "GET" && !given.has(request);
      const isWhole = typeof body === "string" || body instanceof Uint8Array; // and no stream
      if (isNew && isWhole && isPublic(reply.statusCode, (name) => reply.getHeader(name))) {
        const type = String(reply.getHeader("content-type"));
        pages.set(request.url, { status: 200, headers: { "content-type": type }, body });
      }
      return body;
    },
  };
}

const cache = await openCache({ memory: "64mb", ttl: "1m" });
const type = { "content-type": "text/plain" };

let made = 0;
const handler = cachedHandler(cache.namespace<Page>("http"), async (url) => {
  made += 1;
  return { status: 200, headers: type, body: `hello ${url}` };
});
const server = createServer((request, response) => void handler(request, response));
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
const origin = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
const texts = await Promise.all([1, 2, 3].map(async () => (await fetch(`${origin}/a`)).text()));
console.log(texts.join(), made); // hello /a,hello /a,hello /a 1
server.close();

const middleware = honoCache(cache.namespace<Page>("hono"));
const askHono = async (headers: Record<string, string>): Promise<string> => {
  const context = { req: { method: "GET", url: "http://a.example/" }, res: new Response() };
  const answer = await middleware(context, async () => {
    made += 1;
    context.res = new Response("hello from Hono", { headers });
  });
  return (answer ?? context.res).text();
};
await askHono({ ...type, "set-cookie": "session=7" });
await askHono(type);
console.log(await askHono(type), made); // hello from Hono 3

const hooks = fastifyCache(cache.namespace<Page>("fastify"));
const sent: unknown[] = [];
const reply: FastifyReply = {
  statusCode: 200,
  getHeader: (name) => (name === "content-type" ? "text/plain" : undefined),
  code: () => reply,
  headers: () => reply,
  send: (body) => (sent.push(body), reply),
};
const asked = { method: "GET", url: "/" };
console.log(await hooks.onRequest(asked, reply)); // undefined
await hooks.onSend(asked, reply, "hello from Fastify");
await hooks.onRequest(asked, reply);
console.log(sent); // [ 'hello from Fastify' ]

await cache.close();
