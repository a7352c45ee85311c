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

const told = {
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
