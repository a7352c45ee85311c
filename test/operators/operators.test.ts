// What a running cache answers operators over its socket, and what it does not put up with.
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { reachOwner } from "../../dist/src/directory/mod.js";
import { type Cache, type CacheOptions, openCache } from "../../dist/src/mod.js";
import {
  Answering,
  clientsMax,
  Connection,
  type KeyAct,
  namedSockets,
  type Sample,
} from "../../dist/src/operators/mod.js";

let folder: string;
let opened: Cache[];
const { XDG_RUNTIME_DIR: runtimeFolder } = process.env;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "undercroft-operators-"));
  process.env["XDG_RUNTIME_DIR"] = folder;
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((cache) => cache.close()));
  fs.rmSync(folder, { recursive: true, force: true });
  if (runtimeFolder === undefined) delete process.env["XDG_RUNTIME_DIR"];
  else process.env["XDG_RUNTIME_DIR"] = runtimeFolder;
});

async function open(options: CacheOptions = {}): Promise<Cache> {
  const cache = await openCache({ memory: "4mb", ...options });
  opened.push(cache);
  return cache;
}

const path = (): string => join(folder, "cache");
const onDisk = (options: CacheOptions = {}): Promise<Cache> =>
  open({ disk: { path: path(), capacity: "16mb" }, ...options });

const question = { v: 2, keys: 50, names: false, details: false } as const;
const connect = (): Promise<Connection> => reachOwner(path(), (address) => Connection.to(address));
const raw = (): Promise<net.Socket> =>
  reachOwner(path(), async (address) => {
    const socket = net.connect({ path: address }).setEncoding("utf8");
    socket.on("error", () => undefined); // it may be ended before it has written
    await once(socket, "connect");
    return socket;
  });

/** All that a cache says on a connection until it ends it. */
async function saidUntilEnd(socket: net.Socket): Promise<string> {
  let said = "";
  socket.on("data", (text: string) => (said += text));
  await new Promise((resolve) => socket.once("close", resolve)); // after an error, too
  return said;
}

async function sampleOf(connection: Connection, names = false) {
  const answer = await connection.ask({ ...question, names }, 30_000);
  if ("error" in answer) throw new Error(answer.error);
  return answer;
}

describe("a cache with a disk", () => {
  test("says what it is and does, again and again", async () => {
    const cache = await onDisk({ name: "patterns" });
    const connection = await connect();
    const first = await sampleOf(connection);
    expect(first).toMatchObject({ pid: process.pid, name: "patterns", path: path(), keys: [] });
    expect(first.openMs).toBeGreaterThan(0);
    cache.namespace("users", { memory: "1mb" }).set("7", "Ada");
    cache.getSync("absent");
    const second = await sampleOf(connection);
    const { namespaces, latency } = cache.stats();
    expect(second.stats).toMatchObject({ misses: 1, sets: { stored: 1 }, namespaces, latency });
    expect(second.openMs).toBeGreaterThan(first.openMs);
    connection.end();
  });

  test("names its hottest keys only if it is asked to", async () => {
    const cache = await onDisk();
    const users = cache.namespace<string>("users");
    const long = "ü".repeat(40);
    for (const key of ["7", long]) users.set(key, "Ada");
    for (let call = 0; call < 640; call++) {
      users.getSync("7");
      cache.getSync(Buffer.from("bytes"));
    }
    for (let call = 0; call < 128; call++) await users.fetch(long, () => "");
    const connection = await connect();
    const { keys, keySamples } = await sampleOf(connection);
    expect(keySamples).toBe(22);
    expect(keys).toHaveLength(3);
    expect(JSON.stringify(keys)).not.toMatch(/"key"|bytes|ü/);
    const named = await sampleOf(connection, true);
    expect(named.keys).toEqual([
      { hash: expect.any(String), namespace: "users", samples: 10, key: "7" },
      { hash: expect.any(String), namespace: "", samples: 10, key: "bytes" },
      { hash: expect.any(String), namespace: "users", samples: 2, key: `${"ü".repeat(22)}…` },
    ]);
    expect(named.keys.map(({ hash }) => hash)).toEqual(keys.map(({ hash }) => hash));
    const few = await connection.ask({ ...question, keys: 1 }, 30_000);
    expect("keys" in few && few.keys).toHaveLength(1);
    connection.end();
  });

  test("answers nobody with operators: false, and keeps no keys", async () => {
    const cache = await onDisk({ operators: false });
    expect(await saidUntilEnd(await raw())).toBe("");
    expect(cache.handle().worker.recentKeys).toBeNull();
  });

  test("lets in its user only", async () => {
    await onDisk();
    const sockets = fs.readdirSync(path()).filter((file) => file.includes(".lock-o-"));
    expect(sockets.map((file) => fs.statSync(join(path(), file)).mode & 0o777)).toEqual([0o600]);
  });

  test("ends connections when it closes, and is not kept from closing", async () => {
    const cache = await onDisk();
    const connection = await connect();
    await sampleOf(connection);
    const asked = connection.ask(question, 30_000); // and perhaps not answered any more
    const ended = asked.then(() => connection.ask(question, 30_000));
    const [end] = await Promise.allSettled([ended, cache.close()]);
    expect(end).toMatchObject({ status: "rejected", reason: { kind: "closed" } });
    await expect(connect()).rejects.toThrow(/: no cache has it open$/);
    await onDisk(); // the lock is free
  });

  test("that waits for its directory answers when it has it", async () => {
    const first = await onDisk();
    const disk = { path: path(), capacity: "16mb", whenLocked: "memory" } as const;
    const second = await open({ name: "second", disk });
    await first.close();
    await expect
      .poll(async () => {
        const connection = await connect().catch(() => undefined);
        const answer = await connection?.ask(question, 30_000).catch(() => undefined);
        connection?.end();
        return answer !== undefined && "name" in answer ? answer.name : "";
      })
      .toBe("second");
    await second.close();
  });
});

describe("garbage", () => {
  const lines = [
    "hello",
    "{}",
    "null",
    "[1]",
    '{"v":1,"keys":1,"names":true,"details":true}',
    '{"v":2}',
    '{"v":2,"keys":51,"names":true,"details":true}',
    '{"v":2,"keys":-1,"names":true,"details":true}',
    '{"v":2,"keys":0.5,"names":true,"details":true}',
    '{"v":2,"keys":1,"names":"yes","details":true}',
    '{"v":2,"keys":1,"names":true,"details":1}',
    '{"v":2,"act":"clear","namespace":"","key":"7"}',
    '{"v":2,"act":"delete","namespace":0,"key":"7"}',
    '{"v":2,"act":"delete","namespace":"","key":7}',
    '{"v":2,"act":"delete","namespace":""}',
    `${JSON.stringify(question)}\n${JSON.stringify(question)}`,
  ];

  test.each(lines)("%s is told apart, and ends the connection", async (line) => {
    await onDisk();
    const socket = await raw();
    socket.write(`${line}\n`);
    const said = await saidUntilEnd(socket);
    expect(Object.keys(JSON.parse(said) as object)).toEqual(["v", "error"]);
  });

  test("without an end is not kept", async () => {
    const cache = await onDisk();
    const socket = await raw();
    socket.write(Buffer.alloc(1024 * 1024, 0xff));
    await saidUntilEnd(socket);
    // The lock is what it was, and so is the cache.
    await expect(onDisk()).rejects.toMatchObject({ code: "ERR_DIRECTORY_LOCKED" });
    expect(cache.set("a", 1)).toBe("stored");
    const connection = await connect();
    expect((await sampleOf(connection)).stats.sets.stored).toBe(1);
    connection.end();
  });

  test("a question before the last answer was given ends the connection", async () => {
    await onDisk();
    const socket = await raw();
    socket.write(`${JSON.stringify(question)}\n`);
    await once(socket, "data");
    socket.removeAllListeners("data");
    socket.write(`${JSON.stringify(question)}\n`); // waits for its time
    socket.write(`${JSON.stringify(question)}\n`);
    expect(await saidUntilEnd(socket)).toContain("one question at a time");
  });

  test("no more than so many are connected at once", async () => {
    await onDisk();
    const connections: Connection[] = [];
    for (let client = 0; client < clientsMax; client++) connections.push(await connect());
    for (const connection of connections) await sampleOf(connection);
    expect(await saidUntilEnd(await raw())).toContain(`${clientsMax} others are connected`);
    connections.pop()?.end();
    await expect
      .poll(async () => {
        const connection = await connect();
        const answer = await connection.ask(question, 30_000).catch(() => undefined);
        connection.end();
        return answer !== undefined && "name" in answer;
      })
      .toBe(true);
    for (const connection of connections) connection.end();
  });
});

describe("a cache without a disk", () => {
  const ask = async (address: string): Promise<string> => {
    const connection = await Connection.to(address);
    const { name } = await sampleOf(connection);
    connection.end();
    return name;
  };
  const own = (): string => join(folder, `undercroft-${process.getuid?.()}`);

  test("listens only if it is told to", async () => {
    await open();
    expect(fs.readdirSync(folder)).toEqual([]);
    expect(await namedSockets(undefined)).toEqual([]);
  });

  test("is found by its name, by its user only, until it closes", async () => {
    const cache = await open({ name: "a/b\n", operators: true });
    await open({ name: "other", operators: true });
    const [address = "", ...more] = await namedSockets("a/b\n");
    expect(more).toEqual([]);
    expect(await ask(address)).toBe("a/b\n");
    expect(fs.statSync(own()).mode & 0o777).toBe(0o700);
    expect(fs.statSync(address).mode & 0o777).toBe(0o600);
    expect(await namedSockets(undefined)).toHaveLength(2);
    expect(await namedSockets("nobody")).toEqual([]);
    await cache.close();
    expect(await namedSockets("a/b\n")).toEqual([]);
  });

  test("is one of several of that name", async () => {
    await open({ operators: true });
    await open({ operators: true });
    expect(await namedSockets("default")).toHaveLength(2);
  });

  test.each(["a folder that others may enter", "a link"])("does not listen in %s", async (what) => {
    if (what === "a link") fs.symlinkSync(fs.mkdtempSync(join(folder, "elsewhere-")), own());
    else fs.mkdirSync(own(), { mode: 0o755 });
    await expect(open({ operators: true })).rejects.toMatchObject({
      code: "ERR_DISK_IO",
      message: expect.stringContaining("it is not a folder of this user's alone"),
    });
    expect(await namedSockets(undefined)).toEqual([]);
  });
});

test("what answers late, or with no answer, is told apart", async () => {
  const address = join(folder, "s");
  let client: net.Socket | undefined;
  const server = net.createServer((socket) => (client = socket));
  await once(server.listen(address), "listening");
  const connection = await Connection.to(address);
  await expect(connection.ask(question, 20)).rejects.toMatchObject({ kind: "silent" });
  const late = connection.ask(question, 30_000);
  await expect.poll(() => client !== undefined).toBe(true);
  client?.write('{"v":2,"error":"late"}\n');
  expect(await late).toEqual({ v: 2, error: "late" });
  const next = connection.ask(question, 30_000);
  client?.write("hello\n");
  await expect(next).rejects.toMatchObject({ kind: "garbage" });
  server.close();
});

describe("a key", () => {
  const act = async (what: KeyAct, namespace: string, key: string) => {
    const connection = await connect();
    const answer = await connection.askOfKey({ v: 2, act: what, namespace, key }, 30_000);
    connection.end();
    return answer;
  };

  test("is looked up with its times and tags, without its value", async () => {
    const cache = await onDisk();
    cache.set("a", "secret", { ttl: "1h", staleFor: "1m", tags: ["t", "u"] });
    const entry = await cache.getEntry("a");
    const { createdAt, expiresAt, staleUntil, size } = entry ?? {};
    const found = await act("look", "", "a");
    expect(found).toEqual({
      v: 2,
      act: "look",
      outcome: "found",
      entry: {
        source: expect.any(String),
        createdAt,
        expiresAt,
        staleUntil,
        size,
        tags: ["t", "u"],
      },
    });
    expect(JSON.stringify(found)).not.toContain("secret");
  });

  test("of a namespace is named by what its function makes, and options may follow", async () => {
    const cache = await onDisk();
    const options = { key: (id: number) => `u${id}`, ttl: "1h" } as const;
    const users = cache.namespace<string, number>("users", options);
    users.set(7, "Ada");
    expect(await act("look", "users", "7")).toMatchObject({ outcome: "absent" });
    expect(await act("look", "users", "u7")).toMatchObject({ outcome: "found" });
    expect(await act("delete", "users", "u7")).toMatchObject({ outcome: "deleted" });
    expect(users.getSync(7)).toBeUndefined();
    await cache.close();
    const again = await onDisk();
    expect(await act("look", "users", "u7")).toHaveProperty("error");
    again.namespace<string, number>("users", options).set(8, "Grace");
    expect(await act("expire", "users", "u8")).toMatchObject({ outcome: "expired" });
    await expect.poll(() => again.namespace<string, number>("users").getSync(8)).toBeUndefined();
  });

  test("that is deleted while it is loaded is loaded anew by the next fetch", async () => {
    const cache = await onDisk();
    const users = cache.namespace<string>("users");
    let release: (value: string) => void = () => undefined;
    const first = users.fetch("7", () => new Promise<string>((resolve) => (release = resolve)));
    await act("delete", "users", "7");
    expect(await users.fetch("7", () => "new")).toBe("new");
    release("old");
    await first;
    expect(await users.get("7")).toBe("new");
  });
});

test("another option than true or false is refused", async () => {
  await expect(openCache({ operators: "yes" as never })).rejects.toThrow(
    'Cannot use option operators: current value is "yes"; it must be true or false',
  );
});

test("who does not read an answer is disconnected at the next question", async () => {
  const address = join(folder, "s");
  const line = `${JSON.stringify(question)}\n`;
  let answers = 0;
  const answering = new Answering({
    sample: () => {
      answers += 1;
      return { name: "x".repeat(8 * 1024 * 1024) } as Sample; // more than the system takes
    },
    key: () => Promise.reject(new Error("nobody asks")),
  });
  let accepted: net.Socket | undefined;
  const server = net.createServer((socket) => answering.accept((accepted = socket)));
  await once(server.listen(address), "listening");
  const client = net.connect(address).pause();
  client.on("error", () => undefined); // it is ended
  client.write(line);
  await expect.poll(() => accepted?.writableLength ?? 0).toBeGreaterThan(0);
  client.write(line);
  client.write(line);
  await expect.poll(() => accepted?.writableEnded).toBe(true);
  expect(answers).toBe(1);
  answering.close();
  expect(accepted?.destroyed).toBe(true);
  client.destroy();
  server.close();
});
