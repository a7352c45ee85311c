// Two caches over one real server: what each sees of the other, and what happens when connections
// are cut and the server is emptied, paused, killed and started again.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openCache } from "../../dist/src/mod.js";
import { redisTier } from "../../dist/src/redis/mod.js";
import { clients } from "./clients.js";
import { missing } from "./redis-server.js";
import { Hosts } from "./two-hosts.js";

const soon = { timeout: 10_000, interval: 5 };

describe.skipIf(missing !== undefined)("two caches over one server", () => {
  const hosts = new Hosts();

  describe.each(Object.keys(clients))("by %s", (name) => {
    test("see each other's sets, deletes, tags and clears", async () => {
      const [one, two] = [(await hosts.open(name)).cache, (await hosts.open(name)).cache];
      const [here, there] = [one.namespace<string>("n"), two.namespace<string>("n")];
      one.set("a", "1", { tags: ["t"], ttl: "1h", staleFor: "2h" });
      here.set("b", "2");
      await one.flush();
      const entry = await two.getEntry("a");
      expect(entry).toMatchObject({ value: "1", source: "tier", tags: ["t"] });
      expect(Math.abs((entry?.expiresAt ?? 0) - Date.now() - 3_600_000)).toBeLessThan(60_000);
      expect(await there.get("b")).toBe("2");
      one.set("a", "changed", { tags: ["t"] });
      await expect.poll(() => two.getSync("a"), soon).toBeUndefined();
      await one.flush();
      expect(await two.get("a")).toBe("changed");
      expect(there.getSync("b")).toBe("2");
      here.delete("b");
      await expect.poll(() => there.getSync("b"), soon).toBeUndefined();
      await one.flush();
      expect(await there.get("b")).toBeUndefined();
      two.deleteByTag("t");
      await expect.poll(() => one.getSync("a"), soon).toBeUndefined();
      await two.flush();
      expect(await one.get("a")).toBeUndefined();
      there.set("c", "3");
      await two.flush();
      expect(await here.get("c")).toBe("3");
      here.clear();
      await expect.poll(() => there.getSync("c"), soon).toBeUndefined();
    });

    test("find the server again after their connections were cut, and miss nothing", async () => {
      const [one, two] = [await hosts.open(name), await hosts.open(name)];
      one.cache.set("a", "1");
      await one.cache.flush();
      expect(await two.cache.get("a")).toBe("1");
      await hosts.server.cut();
      one.cache.set("a", "2");
      await expect
        .poll(
          () =>
            one.cache.flush().then(
              () => true,
              () => false,
            ),
          soon,
        )
        .toBe(true);
      await expect.poll(() => two.cache.getSync("a"), soon).toBeUndefined();
      await expect.poll(() => two.cache.get("a"), soon).toBe("2");
    });
  });

  test("share a load: one loads, the other waits", async () => {
    const [one, two] = [(await hosts.open()).cache, (await hosts.open("ioredis 5")).cache];
    let loads = 0;
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const load = async (): Promise<string> => {
      loads += 1;
      await gate;
      return "loaded";
    };
    const first = one.fetch("a", load);
    await expect.poll(() => loads, soon).toBe(1);
    const others = [two.fetch("a", load), two.fetch("a", load)];
    await expect.poll(() => two.stats().tiers?.waited, soon).toBeGreaterThan(0);
    open();
    expect(await Promise.all([first, ...others])).toEqual(["loaded", "loaded", "loaded"]);
    expect(loads).toBe(1);
    expect(await two.get("a")).toBe("loaded");
    await expect.poll(() => hosts.server.keys("*:w:*"), soon).toEqual([]);
  });

  test("a lease of a process that died ends, and the waiter takes over", async () => {
    const two = (await hosts.open("node-redis 6", { lease: "300ms" })).cache;
    const dead = redisTier((await clients["iovalkey"]!(hosts.server.port)).client, {
      prefix: hosts.prefix,
      lease: "300ms",
    });
    const key = { namespace: "", key: Buffer.from("a") };
    expect(await dead.lease!(key, "dead", Date.now())).toMatchObject({ isGiven: true });
    await dead.close?.();
    expect(await two.fetch("a", () => "taken over")).toBe("taken over");
    expect(two.stats().tiers?.waited).toBeGreaterThan(0);
  });

  test("drop all when the server is emptied, and fill it anew", async () => {
    const [one, two] = [(await hosts.open()).cache, (await hosts.open("iovalkey")).cache];
    one.set("a", "1");
    await one.flush();
    expect(await two.get("a")).toBe("1");
    await hosts.server.send("FLUSHALL");
    await expect
      .poll(() => [one.getSync("a"), two.getSync("a")], soon)
      .toEqual([undefined, undefined]);
    one.set("a", "2");
    await one.flush();
    expect(await two.get("a")).toBe("2");
  });

  test.each(["m", "v", "l"])(
    "drop all when the server loses a part of its state: %s",
    async (part) => {
      const [one, two] = [(await hosts.open()).cache, (await hosts.open()).cache];
      one.set("a", "1", { tags: ["t"] });
      one.set("b", "1", { tags: ["u"] });
      await one.flush();
      one.deleteByTag("t");
      await one.flush();
      expect(await two.get("b")).toBe("1");
      await hosts.server.send("DEL", `{${hosts.prefix}}:${part}`);
      await expect.poll(() => two.getSync("b"), soon).toBeUndefined();
      expect(await two.get("a")).toBeUndefined();
      two.set("b", "2");
      await two.flush();
      await expect.poll(() => one.get("b"), soon).toBe("2");
    },
  );

  test("a history that a failover cut back ends what it has", async () => {
    const [one, two] = [(await hosts.open()).cache, (await hosts.open()).cache];
    one.set("a", "old");
    await one.flush();
    expect(await two.get("a")).toBe("old");
    const tag = `{${hosts.prefix}}`;
    const entry = (await hosts.server.keys(`${tag}:e:*`))[0]!;
    await hosts.server.send("COPY", entry, "kept");
    two.set("a", "new");
    await two.flush();
    await expect.poll(() => one.get("a"), soon).toBe("new");
    // As a replica has it that did not get the last batch; then others go on there.
    await hosts.server.send("COPY", "kept", entry, "REPLACE");
    await hosts.server.send("HINCRBY", `${tag}:m`, "s", "-1");
    const [[last]] = (await hosts.server.send("XREVRANGE", `${tag}:l`, "+", "-", "COUNT", "1")) as [
      [string],
    ];
    await hosts.server.send("XDEL", `${tag}:l`, last);
    await expect
      .poll(() => [one.getSync("a"), two.getSync("a")], soon)
      .toEqual([undefined, undefined]);
    expect([await one.get("a"), await two.get("a")]).toEqual([undefined, undefined]);
  });

  test("while the server is paused go on alone, within the bound; and come back", async () => {
    const options = { staleness: "400ms", timeout: "200ms" };
    const [one, two] = [
      await hosts.open("node-redis 6", options),
      await hosts.open("ioredis 5", options),
    ];
    one.cache.set("a", "1");
    await one.cache.flush();
    expect(await two.cache.get("a")).toBe("1");
    hosts.server.pause();
    await expect.poll(() => two.cache.getSync("a"), soon).toBeUndefined();
    expect(await two.cache.fetch("a", () => "local")).toBe("local");
    expect(two.cache.getSync("a")).toBe("local");
    await expect.poll(() => two.cache.getSync("a"), soon).toBeUndefined();
    await expect.poll(() => two.events.length, soon).toBeGreaterThan(0);
    expect(two.events[0]).toMatch(/^down: Cannot .* tier "redis"/);
    hosts.server.resume();
    await expect.poll(() => two.events.at(-1), soon).toBe("up");
    await expect.poll(() => one.events.at(-1), soon).toBe("up");
    // What both set meanwhile is no longer known to be the newest.
    expect(await one.cache.fetch("a", () => "again")).toMatch(/again|1/);
    expect(two.cache.stats().tiers?.down).toBe(0);
  });

  test("a killed and restarted server is filled anew", async () => {
    const options = { staleness: "500ms" };
    const [one, two] = [
      await hosts.open("node-redis 5", options),
      await hosts.open("ioredis 6", options),
    ];
    one.cache.set("a", "1");
    await one.cache.flush();
    expect(await two.cache.get("a")).toBe("1");
    await hosts.server.kill();
    expect(await one.cache.fetch("b", () => "alone")).toBe("alone");
    await expect.poll(() => two.cache.getSync("a"), soon).toBeUndefined();
    await hosts.server.restart();
    await expect
      .poll(() => [one, two].map(({ cache }) => cache.stats().tiers?.down), soon)
      .toEqual([0, 0]);
    two.cache.set("a", "2");
    await expect
      .poll(
        () =>
          two.cache.flush().then(
            () => true,
            () => false,
          ),
        soon,
      )
      .toBe(true);
    await expect.poll(() => one.cache.get("a"), soon).toBe("2");
  });

  test("a tier is of one cache at a time", async () => {
    const opened = await clients["node-redis 6"]!(hosts.server.port);
    const { client } = opened;
    const options = { memory: "2mb", tiers: [redisTier(client, { prefix: hosts.prefix })] };
    const one = await openCache<string>(options);
    await expect(openCache<string>(options)).rejects.toThrow(
      /tier "redis" is another open cache's; make one for each cache/,
    );
    one.set("a", "1");
    await one.close();
    const two = await openCache<string>(options);
    expect(await two.get("a")).toBe("1");
    await two.close();
    await opened.close();
  });

  test("a directory is not trusted over sessions: others may have changed it", async () => {
    const path = mkdtempSync(join(tmpdir(), "undercroft-redis-"));
    const disk = { path, capacity: "8mb" } as const;
    const one = (await hosts.open("node-redis 6", {}, { disk })).cache;
    one.set("a", "old");
    await one.close();
    const two = (await hosts.open()).cache;
    two.set("a", "new");
    await two.flush();
    const again = (await hosts.open("node-redis 6", {}, { disk })).cache;
    expect(await again.get("a")).toBe("new");
    await again.close();
    rmSync(path, { recursive: true });
  });

  test("many values of all sizes come back whole", async () => {
    const [one, two] = [(await hosts.open()).cache, (await hosts.open("ioredis 6")).cache];
    const values = new Map(
      Array.from({ length: 1500 }, (_, n) => [`k${n}`, `${n}`.repeat((n % 40) + 1)]),
    );
    one.setMany(values);
    one.set("large", "x".repeat(300_000));
    await one.flush();
    // News of the sets may still be on its way to the other host: it ends what is read meanwhile.
    await expect.poll(() => two.getMany([...values.keys()]), soon).toEqual(values);
    await expect.poll(() => two.get("large"), soon).toBe("x".repeat(300_000));
    expect(two.stats().tiers).toMatchObject({ corrupt: 0, errors: 0 });
    expect(two.stats().tiers?.hits).toBeGreaterThan(1500);
  });
});

describe("a wrong client or option is refused", () => {
  const client = { duplicate() {}, sendCommand() {} };
  test.each<[unknown, object, RegExp]>([
    ["redis://a", {}, /current value is "redis:\/\/a"; it must be a client of one server/],
    [null, {}, /current value is null/],
    [{ sendCommand() {} }, {}, /Cannot use a Redis client/],
    [{ ...client, isCluster: true }, {}, /a client of a cluster/],
    [client, { prefix: "a b" }, /option prefix: current value is "a b"/],
    [client, { name: 5 }, /option name: current value is 5; it must be a string/],
    [client, { timeout: 1 }, /option timeout: current value is 1; it must be at least 10 ms/],
    [client, { staleness: "1ms" }, /option staleness: .* at least 100 ms/],
    [client, { lease: "1h" }, /option lease: .* at most 30000 ms/],
    [client, { leases: 1 }, /leases/],
  ])("%o %j", (given, options, message) => {
    expect(() => redisTier(given, options)).toThrow(message);
  });
});
