// Values as streams: docs/guides/streams.md.
import { createReadStream, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";

writeFileSync("film.bin", Buffer.alloc(20_000_000, "film "));

import { openCache } from "undercroft";

const cache = await openCache({
  memory: "16mb",
  disk: { path: "./films", capacity: "256mb" },
});
const outcome = await cache.setStream("film:7", createReadStream("film.bin"), { ttl: "1d" });
const film = await cache.getStream("film:7");
console.log(outcome, film?.size); // stored 20000000
film?.destroy(); // or read it

async function send(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = /^bytes=(?<first>\d+)-(?<last>\d*)$/.exec(request.headers.range ?? "");
  const { first = "0", last = "" } = asked?.groups ?? {};
  const range = { start: Number(first), ...(last === "" ? {} : { end: Number(last) }) };
  const part = await cache.getStream("film:7", range);
  if (part === undefined) {
    response.writeHead(404).end();
    return;
  }
  const end = Math.min(range.end ?? Infinity, part.size - 1);
  response.writeHead(206, { "content-range": `bytes ${range.start}-${end}/${part.size}` });
  await pipeline(part, response); // rejects if the client leaves, or with ERR_STREAM_LOST
}
const server = createServer((request, response) => {
  send(request, response).catch(() => response.destroy());
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;
const response = await fetch(url, { headers: { range: "bytes=5-8" } });
const range = response.headers.get("content-range");
console.log(await response.text(), range); // film bytes 5-8/20000000

async function download(from: string, signal: AbortSignal): Promise<string> {
  const { body, headers } = await fetch(from, { signal });
  if (body === null) return "no body";
  const length = headers.get("content-length");
  const size = length === null ? {} : { size: Number(length) }; // a shorter body is an error
  return cache.setStream(`page:${from}`, body, { ...size, signal });
}

console.log(await download(url, AbortSignal.timeout(10_000))); // stored

server.close();
await cache.close();
