// Caches over one server, as the machines of a service have them.
import { afterAll, afterEach, beforeAll } from "vitest";
import { type Cache, type CacheOptions, openCache } from "../../dist/src/mod.js";
import { redisTier, type RedisTierOptions } from "../../dist/src/redis/mod.js";
import { clients, type Opened } from "./clients.js";
import { RedisServer } from "./redis-server.js";

export interface Host {
  readonly cache: Cache<string>;
  readonly events: string[];
}

export class Hosts {
  server!: RedisServer;
  #prefixes = 0;
  #prefix = "";
  readonly #opened: (Opened | { close(): Promise<void> })[] = [];

  constructor() {
    beforeAll(async () => {
      this.server = await RedisServer.start();
    });
    afterEach(async () => {
      this.server.resume();
      // Caches before clients.
      for (const each of this.#opened.splice(0).toReversed()) {
        await each.close().catch(() => undefined);
      }
      this.#prefix = "";
    });
    afterAll(() => this.server.kill());
  }

  get prefix(): string {
    if (this.#prefix === "") this.#prefix = `p${++this.#prefixes}`;
    return this.#prefix;
  }

  async open(
    name = "node-redis 6",
    tier: RedisTierOptions = {},
    options: CacheOptions<string> = {},
  ): Promise<Host> {
    const opened = await clients[name]!(this.server.port);
    this.#opened.push(opened);
    const events: string[] = [];
    const cache = await openCache<string>({
      memory: "2mb",
      tiers: [redisTier(opened.client, { prefix: this.prefix, ...tier })],
      on: {
        "tier-down": ({ error }) => void events.push(`down: ${error.message}`),
        "tier-up": () => void events.push("up"),
      },
      ...options,
    });
    this.#opened.push(cache);
    return { cache, events };
  }
}
