// A process with a cache that operators ask: of the tests of operators/ and of `top`. Prints "open",
// and does what lines of its input say.
import { createInterface } from "node:readline";
import { attachCache, openCache } from "../../dist/src/mod.js";

const cache = await openCache({ memory: "8mb", ...JSON.parse(process.argv[2]) });
const users = cache.namespace("users", { memory: "2mb" });
users.set("7", "Ada");
for (let call = 0; call < 6400; call++) users.getSync("7");
for (let call = 0; call < 3200; call++) cache.getSync("absent\u001b[31m");
await cache.fetch("loaded", async () => "value");
process.stdout.write("open\n");

const secrets = Array.from({ length: 1000 }, (_, index) => `secret ${index}`);

const told = {
  /** Waits until requests are recorded: word 1 of the ring (stats/request-ring.ts). */
  async awaitRecording() {
    const words = new Uint32Array(cache.handle().worker.requests);
    while (Atomics.load(words, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  },
  async request() {
    for (let call = 0; call < 40; call++) users.getSync("7");
    for (let call = 0; call < 4; call++) cache.getSync("absent\u001b[31m");
    cache.set("7", "x".repeat(100));
    for (let call = 0; call < 40; call++) cache.getSync("7");
    const attached = attachCache(cache.handle());
    await attached.setAsync(Buffer.from("sécret"), "bytes");
    for (let call = 0; call < 3; call++) await attached.get(Buffer.from("sécret"));
    await attached.get("sécret");
    const load = () => new Promise((resolve) => setTimeout(resolve, 20, "slow"));
    for (let call = 0; call < 2; call++) await cache.fetch("secret load", load, { ttl: "1m" });
    await cache.getEntry("loaded");
  },
  many() {
    for (const key of secrets) cache.set(key, "value");
    for (let call = 0; call < 3; call++) for (const key of secrets) cache.getSync(key);
  },
  flood() {
    for (let call = 0; call < 40; call++) for (const key of secrets) cache.getSync(key);
  },
  close: () => cache.close(),
  read() {
    for (let call = 0; call < 1000; call++) users.getSync("7");
  },
  async attach() {
    const attached = attachCache(cache.handle());
    for (let call = 0; call < 6400; call++) attached.getSync("from the other");
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  await told[line]();
  process.stdout.write(`${line} done\n`);
}
