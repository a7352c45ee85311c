// The suite for tiers, over a real server by each package of clients.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisTier } from "../../dist/src/redis/mod.js";
import { tierSuite } from "../../dist/src/tier-suite/mod.js";
import { clients, type Opened } from "./clients.js";
import { missing, RedisServer } from "./redis-server.js";

describe.skipIf(missing !== undefined)("the tier in Redis", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.kill());

  describe.each(Object.entries(clients))("by %s", (name, open) => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await open(server.port);
    });
    afterAll(() => opened.close());

    const stores = name.replace(/\W/g, "");
    const tier = (store: string) => redisTier(opened.client, { prefix: `${stores}:${store}` });
    const checks = Array.from(tierSuite(tier), ({ name: check, run }) => [check, run] as const);
    test.each(checks)("%s", async (_, run) => {
      await expect(run()).resolves.toBeUndefined();
    });
  });
});
