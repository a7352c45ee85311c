// The packages of clients that the tier works with, each as its users open it.
import { createClient } from "@redis/client";
import { Redis as Redis5 } from "ioredis";
import { Redis as Redis6 } from "ioredis-6";
import { Redis as Valkey } from "iovalkey";
import { createClient as createClient5 } from "redis-client-5";

export interface Opened {
  readonly client: unknown;
  close(): Promise<void>;
}

type OpenClient = (port: number) => Promise<Opened>;

interface NodeRedis {
  on(event: "error", listener: () => void): unknown;
  connect(): Promise<unknown>;
  destroy(): void;
}

function nodeRedis(create: (options: object) => unknown): OpenClient {
  return async (port) => {
    const client = create({ url: `redis://127.0.0.1:${port}` }) as NodeRedis;
    client.on("error", () => undefined);
    await client.connect();
    return { client, close: async () => client.destroy() };
  };
}

interface IoRedis {
  on(event: "error", listener: () => void): unknown;
  disconnect(): void;
}

function ioRedis(Redis: new (port: number, host: string, options: object) => unknown): OpenClient {
  return async (port) => {
    const client = new Redis(port, "127.0.0.1", {}) as IoRedis;
    client.on("error", () => undefined);
    return { client, close: async () => client.disconnect() };
  };
}

export const clients: Readonly<Record<string, OpenClient>> = {
  "node-redis 6": nodeRedis(createClient),
  "node-redis 5": nodeRedis(createClient5),
  "ioredis 5": ioRedis(Redis5),
  "ioredis 6": ioRedis(Redis6 as never),
  iovalkey: ioRedis(Valkey),
};
