// What threads that read the same entries take of memory: through the default near cache, without
// one, and with an lru-cache in each thread. Each in a process of its own.

import type { Row, Suite } from "../suite.js";
import { filled, Service } from "../threads/service.js";

const entries = 200_000;
const threads = 4;
const memory = 64 * 1024 ** 2;
const readMs = 3000;

export const threadMemory: Suite = {
  name: "thread-memory",
  about:
    `Growth of a process in which ${threads} threads read ${entries} entries of 5 fields, Zipf, ` +
    `for ${readMs / 1000} s; openCache({ memory: "64mb" }) against an lru-cache in each thread ` +
    "with room for all. Heaps as the threads leave them, nothing collected by force.",
  cases: ["undercroft", "undercroft, near: false", "lru-cache"],
  run: async (peer): Promise<Row[]> => {
    const before = process.memoryUsage().rss;
    const isCache = peer !== "lru-cache";
    const near = peer === "undercroft, near: false" ? false : undefined;
    const cache = isCache ? await filled(entries, memory, near) : undefined;
    const service = new Service();
    await service.start(cache, entries, threads);
    const ns = await service.work(threads, 0, readMs);
    const grown = process.memoryUsage().rss - before;
    await service.end();
    await cache?.close();
    const mib = Math.round(grown / 1024 ** 2);
    return [{ peer, threads, entries, "resident MiB": mib, "ns a read": Math.round(ns) }];
  },
};
