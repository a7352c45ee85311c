// No answer is older than promised, whatever happens to the connections and the server.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cache, openCache } from "../../dist/src/mod.js";
import { redisTier } from "../../dist/src/redis/mod.js";
import { clients, type Opened } from "./clients.js";
import { Proxy } from "./proxy.js";
import { missing, RedisServer } from "./redis-server.js";
import { type Counts, StalenessCheck } from "./staleness.js";

const stalenessMs = 500;

describe.skipIf(missing !== undefined)("under faults", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.kill());

  async function check(
    prefix: string,
    faults: (proxies: readonly Proxy[]) => Promise<void>,
    staleness: number = stalenessMs,
  ): Promise<Counts> {
    const proxies: Proxy[] = [];
    const opened: Opened[] = [];
    const caches: Cache<number>[] = [];
    try {
      for (const name of ["node-redis 6", "ioredis 5"]) {
        const proxy = await Proxy.to(server.port);
        proxies.push(proxy);
        const one = await clients[name]!(proxy.port);
        opened.push(one);
        const options = { prefix, staleness, timeout: "200ms" };
        const tiers = [redisTier(one.client, options)];
        caches.push(await openCache<number>({ memory: "2mb", tiers }));
      }
      return await new StalenessCheck(caches, stalenessMs).run(() => faults(proxies));
    } finally {
      server.resume();
      for (const proxy of proxies) proxy.release();
      for (const cache of caches) await cache.close().catch(() => undefined);
      for (const one of opened) await one.close();
      for (const proxy of proxies) await proxy.close();
    }
  }

  test.each<[string, (proxies: readonly Proxy[]) => Promise<void>]>([
    [
      "one host is cut off while the other writes",
      async ([, two]) => {
        await sleep(300);
        two!.hold();
        await sleep(2500);
        two!.release();
        await sleep(1000);
      },
    ],
    [
      "connections are cut again and again",
      async (proxies) => {
        for (let cut = 0; cut < 8; cut++) {
          await sleep(200);
          proxies[cut % 2]!.cut();
        }
        await sleep(1000);
      },
    ],
    [
      "the server is paused",
      async () => {
        await sleep(300);
        server.pause();
        await sleep(1500);
        server.resume();
        await sleep(1500);
      },
    ],
    [
      "the server is emptied, killed and started again",
      async () => {
        await sleep(300);
        await server.send("FLUSHALL");
        await sleep(700);
        await server.kill();
        await sleep(700);
        await server.restart();
        await sleep(1500);
      },
    ],
  ])("%s", async (name, faults) => {
    const counts = await check(name.replaceAll(/\W/g, "-").slice(0, 60), faults);
    expect(counts.late).toEqual([]);
    expect(counts.backward).toEqual([]);
    expect(counts.writes).toBeGreaterThan(50);
    expect(counts.answers).toBeGreaterThan(200);
  });

  test("and the check finds those of a tier that never drops what it has", async () => {
    const counts = await check(
      "broken",
      async ([, two]) => {
        await sleep(300);
        two!.hold();
        await sleep(2500);
        two!.release();
      },
      Infinity,
    );
    expect(counts.late.length).toBeGreaterThan(0);
  });
});
