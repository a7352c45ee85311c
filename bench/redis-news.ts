// Measures three ways in which a machine can hear of others' writes in Redis: server-assisted
// invalidation (CLIENT TRACKING … BCAST), a channel (PUBLISH), and a log (XADD, XREAD BLOCK).
// docs/internals/decisions/0050-shared-tiers.md has the numbers.
//
//   node dist/bench/redis-news.js redis://127.0.0.1:6379
//
// It empties the server.
import { createClient } from "@redis/client";

const url = process.argv[2] ?? "redis://127.0.0.1:6379";
const writes = 3000;
const burst = 20_000;
const heardMsMax = 10_000;

interface Client {
  send(...words: string[]): Promise<unknown>;
  destroy(): void;
}

interface Way {
  write(writer: Client, key: string): Promise<unknown>;
  end(): void;
}

type Hear = (key: string) => void;

async function open(): Promise<Client> {
  const client = createClient({ url });
  client.on("error", (error: Error) => console.error(error.message));
  await client.connect();
  return {
    send: async (...words) => client.sendCommand(words),
    destroy: () => client.destroy(),
  };
}

async function tracking(heard: Hear): Promise<Way> {
  const client = createClient({ url, RESP: 3, emitInvalidate: true });
  client.on("error", (error: Error) => console.error(error.message));
  client.on("invalidate", (key: unknown) => heard(String(key)));
  await client.connect();
  await client.sendCommand(["CLIENT", "TRACKING", "OFF"]);
  await client.sendCommand(["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "n:", "NOLOOP"]);
  const write: Way["write"] = async (writer, key) => writer.send("SET", key, "v");
  return { write, end: () => client.destroy() };
}

async function channel(heard: Hear): Promise<Way> {
  const client = createClient({ url });
  client.on("error", (error: Error) => console.error(error.message));
  await client.connect();
  await client.subscribe("n", heard);
  const script = "redis.call('SET', KEYS[1], 'v') redis.call('PUBLISH', 'n', KEYS[1])";
  const write: Way["write"] = async (writer, key) => writer.send("EVAL", script, "1", key);
  return { write, end: () => client.destroy() };
}

async function log(heard: Hear): Promise<Way> {
  const client = await open();
  let isOver = false;
  const rows = (await client.send("XREVRANGE", "l", "+", "-", "COUNT", "1")) as [string][];
  let id = rows[0]?.[0] ?? "0-0";
  const follow = async (): Promise<void> => {
    while (!isOver) {
      const words = ["XREAD", "BLOCK", "500", "COUNT", "256", "STREAMS", "l", id];
      const answer = (await client.send(...words)) as Record<string, [string, string[]][]> | null;
      for (const [at, fields] of Object.values(answer ?? {})[0] ?? []) {
        id = at;
        heard(fields[1] ?? "");
      }
    }
  };
  follow().catch(() => undefined);
  const add = "redis.call('XADD', 'l', 'MAXLEN', '~', 8192, '*', 'k', KEYS[1])";
  const script = `redis.call('SET', KEYS[1], 'v') ${add}`;
  const write: Way["write"] = async (writer, key) => writer.send("EVAL", script, "1", key);
  const end = (): void => {
    isOver = true;
    client.destroy();
  };
  return { write, end };
}

async function cpu(writer: Client): Promise<number> {
  const info = String(await writer.send("INFO", "cpu"));
  const of = (name: string): number => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
  return of("used_cpu_user") + of("used_cpu_sys");
}

const turn = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function measure(name: string, begin: (heard: Hear) => Promise<Way>): Promise<void> {
  const writer = await open();
  await writer.send("FLUSHALL");
  await writer.send("XADD", "l", "*", "k", "first");
  const sent = new Map<string, number>();
  const delays: number[] = [];
  let count = 0;
  const way = await begin((key) => {
    const at = sent.get(key);
    if (at !== undefined) delays.push(performance.now() - at);
    count += 1;
  });
  for (let n = 0; n < writes; n++) {
    sent.set(`n:${n}`, performance.now());
    await way.write(writer, `n:${n}`);
    await turn();
  }
  delays.sort((a, b) => a - b);
  sent.clear();
  const before = count;
  const cpuBefore = await cpu(writer);
  await Promise.all(Array.from({ length: burst }, async (_, n) => way.write(writer, `n:b${n}`)));
  const end = performance.now() + heardMsMax;
  while (count < before + burst && performance.now() < end) await turn();
  const used = ((await cpu(writer)) - cpuBefore) / burst;
  const at = (share: number): string => (delays[Math.floor(delays.length * share)] ?? 0).toFixed(2);
  const server = `server ${(used * 1e6).toFixed(1)} µs a write`;
  console.log(`${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${server}, heard ${count - before}`);
  way.end();
  writer.destroy();
}

for (let round = 0; round < 3; round++) {
  for (const way of [tracking, channel, log]) await measure(way.name, way);
}
