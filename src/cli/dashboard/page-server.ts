// Serves the page of the dashboard on loopback. Called by `undercroft dashboard`. Invariants: who
// does not know the token is answered no more than a refusal; what is answered names no other
// origin; nothing changes without --write, and a body is at most bodyBytesMax bytes. The token is
// in the path and not in a cookie, which servers on other ports of this machine would be sent.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { describe, UndercroftError } from "../../base/mod.js";
import { keyActs, type KeyAnswer, type KeyQuestion, type Refusal } from "../../operators/mod.js";
import type { View } from "./view.js";

/** What the page asks for. */
export interface PageSource {
  /** Undefined before the first answer of the cache. */
  view(sinceMs: number): View | undefined;
  /** Null without --write. */
  readonly act: ((question: Omit<KeyQuestion, "v">) => Promise<KeyAnswer | Refusal>) | null;
}

export interface PageServer {
  readonly url: string;
  close(): void;
}

const loopback = "127.0.0.1";
/** Browsers, and tabs of them, at once. */
const connectionsMax = 32;
const bodyBytesMax = 4096;
/** Milliseconds for a request to come whole. */
const requestMs = 10_000;

const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-store",
};

const script = "text/javascript; charset=utf-8";
const assets: ReadonlyMap<string, readonly [file: string, type: string]> = new Map([
  ["", ["page.html", "text/html; charset=utf-8"]],
  ["page.js", ["page.js", script]],
  ["ask.js", ["ask.js", script]],
  ["draw.js", ["draw.js", script]],
  ["words.js", ["words.js", script]],
  ["page.css", ["page.css", "text/css; charset=utf-8"]],
]);

function readAsset(file: string): Buffer {
  // By the package's name: the code of a command is not where its file is.
  const root = import.meta.resolve("undercroft/package.json");
  return readFileSync(new URL(`dist/src/cli/dashboard/page/${file}`, root));
}

/** Listens on a port of loopback; 0: a free one. Rejects with RangeError if it is taken. */
export async function servePage(source: PageSource, port: number): Promise<PageServer> {
  const token = randomBytes(24).toString("base64url");
  const server = http.createServer({
    requestTimeout: requestMs,
    headersTimeout: requestMs,
    maxHeaderSize: 8192,
  });
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(portError(port, error)));
    server.listen({ port, host: loopback }, resolve);
  });
  const taken = (server.address() as AddressInfo).port;
  const guard = new Guard(source, token, taken);
  server.on("request", (request, response) => void guard.answer(request, response));
  return {
    url: `http://${loopback}:${taken}/${token}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function portError(port: number, error: NodeJS.ErrnoException): Error {
  const why = error.code === "EADDRINUSE" ? "another program has it" : error.message;
  const text = `Cannot serve on port ${port} of ${loopback}: ${why}; name another by --port`;
  return new RangeError(text, { cause: error });
}

/** Why a request is not answered. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

class Guard {
  readonly #source: PageSource;
  readonly #token: Buffer;
  readonly #hosts: readonly string[];

  constructor(source: PageSource, token: string, port: number) {
    this.#source = source;
    this.#token = digest(token);
    this.#hosts = [`${loopback}:${port}`, `localhost:${port}`];
  }

  async answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    let status = 200;
    let type = "text/plain; charset=utf-8";
    let body: string | Buffer;
    try {
      [type, body] = await this.#bodyFor(request);
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof UndercroftError)) {
        process.emitWarning(error instanceof Error ? error : String(error));
      }
      status = error instanceof Refused ? error.status : 502;
      body = `${error instanceof Error ? error.message : String(error)}\n`;
    }
    // What is left of a body is not read.
    const end = request.complete ? {} : { connection: "close" };
    response.writeHead(status, { ...headers, ...end, "content-type": type }).end(body);
  }

  async #bodyFor(request: http.IncomingMessage): Promise<[type: string, body: string | Buffer]> {
    const { host } = request.headers;
    if (host === undefined || !this.#hosts.includes(host)) {
      throw new Refused(403, `This page is at ${this.#hosts.join(" and ")} only`);
    }
    const [, given = "", ...rest] = (request.url ?? "").split("?", 1)[0]?.split("/") ?? [];
    if (!timingSafeEqual(digest(given), this.#token)) {
      throw new Refused(403, "The token in the address is missing or wrong; the command prints it");
    }
    const name = rest.join("/");
    if (request.method === "POST" && name === "key" && rest.length === 1) {
      return ["application/json", JSON.stringify(await this.#act(request))];
    }
    if (request.method !== "GET") throw new Refused(405, "Only GET is answered here");
    if (rest.length === 0) throw new Refused(404, "The address ends with a slash");
    if (name === "data") return ["application/json", this.#data(request.url ?? "")];
    const asset = assets.get(name);
    if (asset === undefined) throw new Refused(404, "There is no such page");
    return [asset[1], readAsset(asset[0])];
  }

  #data(url: string): string {
    const since = Number(new URLSearchParams(url.split("?")[1] ?? "").get("since") ?? 0);
    const view = this.#source.view(Number.isFinite(since) ? since : 0);
    if (view === undefined) throw new Refused(503, "The cache has not answered yet");
    return JSON.stringify(view);
  }

  async #act(request: http.IncomingMessage): Promise<KeyAnswer | Refusal> {
    const { act } = this.#source;
    if (act === null) throw new Refused(403, "Keys are asked for and changed only with --write");
    const { origin, host, "content-type": type } = request.headers;
    // A browser names the origin of each POST, and asks before it sends JSON to another.
    if (origin !== `http://${host}`) throw new Refused(403, "Only this page may ask for keys");
    if (type !== "application/json") throw new Refused(415, "The question must be JSON");
    return act(questionOf(await bodyOf(request)));
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function bodyOf(request: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bodyBytesMax) {
      throw new Refused(413, `A question has at most ${bodyBytesMax} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function questionOf(body: string): Omit<KeyQuestion, "v"> {
  let asked: Readonly<Record<string, unknown>> | null;
  try {
    asked = JSON.parse(body) as Readonly<Record<string, unknown>> | null;
  } catch {
    asked = null;
  }
  const { namespace, key } = asked ?? {};
  const act = keyActs.find((each) => each === asked?.["act"]);
  if (act === undefined || typeof namespace !== "string" || typeof key !== "string") {
    const allowed = `act (${keyActs.join(", ")}), namespace and key, which are texts`;
    throw new Refused(400, `The question is ${describe(body)}; it needs ${allowed}`);
  }
  return { act, namespace, key };
}
