// Two caches of one service over a Redis server, as two machines have them; shown in
// docs/guides/redis.md. The first argument is the server's URL.
import { createClient } from "@redis/client"; // or of "redis"; or new Redis() of "ioredis"
import { openCache } from "undercroft";
import { redisTier } from "undercroft/redis";

const url = process.argv[2] ?? "redis://localhost:6379";
const client = createClient({ url });
client.on("error", () => undefined); // node-redis wants a listener; the cache says "tier-down"
await client.connect();

const openHere = () =>
  openCache<string>({
    memory: "16mb",
    tiers: [redisTier(client, { prefix: "users" })],
    on: { "tier-down": ({ error }) => console.error(error.message) },
  });
const one = await openHere();
const two = await openHere(); // on another machine

const load = async (): Promise<string> => "Ada";
console.log(await one.fetch("user:7", load)); // Ada, loaded
await one.flush(); // the server has it
console.log(await two.fetch("user:7", () => "loaded again")); // Ada
one.set("user:7", "Grace");
await one.flush();
while (two.getSync("user:7") === "Ada") await new Promise((resolve) => setTimeout(resolve, 1));
console.log(await two.get("user:7")); // Grace

await one.close();
await two.close();
client.destroy(); // it is yours
