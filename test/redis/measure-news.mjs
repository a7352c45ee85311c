// Measures three ways in which a machine can hear of others' writes: server-assisted invalidation
// (CLIENT TRACKING … BCAST), a channel (PUBLISH), and a log (XADD, XREAD BLOCK). For docs/internals/decisions/0050-shared-tiers.md.
//
//   node test/redis/measure-news.mjs redis://127.0.0.1:6379
import { createClient } from "@redis/client";

const url = process.argv[2] ?? "redis://127.0.0.1:6379";
const writes = 3000;
const burst = 20_000;

const open = async (options = {}) => {
  const client = createClient({ url, ...options });
  client.on("error", (error) => console.error(error.message));
  return client.connect();
};

/** Each way: how a key is written with its news, and how they are heard. */
const ways = {
  async tracking(heard) {
    const client = await open({ RESP: 3, emitInvalidate: true });
    client.on("invalidate", (key) => heard(String(key)));
    await client.sendCommand(["CLIENT", "TRACKING", "OFF"]);
    await client.sendCommand(["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "n:", "NOLOOP"]);
    return {
      write: (writer, key) => writer.sendCommand(["SET", key, "v"]),
      end: () => client.destroy(),
    };
  },
  async channel(heard) {
    const client = await open();
    await client.subscribe("n", heard);
    const script = "redis.call('SET', KEYS[1], 'v') redis.call('PUBLISH', 'n', KEYS[1])";
    return {
      write: (writer, key) => writer.sendCommand(["EVAL", script, "1", key]),
      end: () => client.destroy(),
    };
  },
  async log(heard) {
    const client = await open();
    let isOver = false;
    let id = "$";
    const follow = async () => {
      const [[last] = ["0-0"]] = await client.sendCommand([
        "XREVRANGE",
        "l",
        "+",
        "-",
        "COUNT",
        "1",
      ]);
      id = last;
      while (!isOver) {
        const words = ["XREAD", "BLOCK", "500", "COUNT", "256", "STREAMS", "l", id];
        // A map of one stream.
        const rows = Object.values((await client.sendCommand(words)) ?? { none: [] })[0];
        for (const [at, fields] of rows) {
          id = at;
          heard(fields[1]);
        }
      }
    };
    const script =
      "redis.call('SET', KEYS[1], 'v') redis.call('XADD', 'l', 'MAXLEN', '~', 8192, '*', 'k', KEYS[1])";
    follow().catch(() => undefined);
    return {
      write: (writer, key) => writer.sendCommand(["EVAL", script, "1", key]),
      end: () => {
        isOver = true;
        client.destroy();
      },
    };
  },
};

const cpu = async (writer) => {
  const info = await writer.sendCommand(["INFO", "cpu"]);
  return (
    Number(/used_cpu_user:([\d.]+)/.exec(info)[1]) + Number(/used_cpu_sys:([\d.]+)/.exec(info)[1])
  );
};

for (let round = 0; round < 3; round++) {
  for (const [name, begin] of Object.entries(ways)) {
    const writer = await open();
    await writer.sendCommand(["FLUSHALL"]);
    await writer.sendCommand(["XADD", "l", "*", "k", "first"]);
    const sent = new Map();
    const delays = [];
    let count = 0;
    const way = await begin((key) => {
      if (sent.has(key)) delays.push(performance.now() - sent.get(key));
      count += 1;
    });
    for (let n = 0; n < writes; n++) {
      sent.set(`n:${n}`, performance.now());
      await way.write(writer, `n:${n}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    delays.sort((a, b) => a - b);
    const heardFirst = count;
    const [before, start] = [await cpu(writer), performance.now()];
    sent.clear();
    const all = Array.from({ length: burst }, (_, n) => way.write(writer, `n:b${n}`));
    await Promise.all(all);
    const end = performance.now() + 10_000;
    while (count < heardFirst + burst && performance.now() < end)
      await new Promise((r) => setImmediate(r));
    const ms = performance.now() - start;
    const used = (await cpu(writer)) - before;
    const at = (share) => delays[Math.floor(delays.length * share)]?.toFixed(2);
    console.log(
      `${name.padEnd(9)} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${Math.round(burst / ms)} writes/ms heard,`,
      `server ${((used / burst) * 1e6).toFixed(1)} µs a write, heard ${count - heardFirst} of ${burst}`,
    );
    way.end();
    writer.destroy();
  }
}
