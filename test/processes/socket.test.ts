// What comes to the socket of a shared directory and is no process of this version: it is refused,
// counted and told, and the cache goes on.
import net from "node:net";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Cache } from "../../dist/src/mod.js";
import { leaseMs } from "../../dist/src/processes/member-session.js";
import { ByteReader, ByteWriter } from "../../dist/src/processes/wire/byte-stream.js";
import { type Frame, frameOf, FrameReader } from "../../dist/src/processes/wire/frames.js";
import {
  kinds,
  protocolVersion,
  readChanges,
  writeChanges,
} from "../../dist/src/processes/wire/wire-messages.js";
import { errorOf, freshPath, open, setUpCaches, until } from "../cache/opened.js";
import { Member } from "./member-process.js";

setUpCaches();

interface Shared {
  readonly cache: Cache<string>;
  readonly path: string;
  readonly errors: { readonly code: string; readonly message: string }[];
}

async function shared(path = freshPath()): Promise<Shared> {
  const errors: { code: string; message: string }[] = [];
  const cache = await open<string>({
    disk: { path, capacity: "8mb", share: "host", preload: false },
    on: { error: ({ error: { code, message } }) => errors.push({ code, message }) },
  });
  return { cache, path, errors };
}

/** A connection; `ended` resolves to what came before its end. */
function connect(path: string): { socket: net.Socket; ended: Promise<Buffer> } {
  const socket = net.connect({ path: join(path, "undercroft.socket") });
  onTestFinished(() => void socket.destroy());
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined);
  const ended = new Promise<Buffer>((resolve) => {
    socket.on("close", () => resolve(Buffer.concat(chunks)));
  });
  return { socket, ended };
}

/** A connection that has said hello, and what comes by it. */
function member(path: string): {
  readonly socket: net.Socket;
  readonly nextOf: (kind: number) => Promise<ByteReader>;
} {
  const { socket } = connect(path);
  const reader = new FrameReader();
  reader.bodyMax = 1 << 20;
  const frames: Frame[] = [];
  socket.on("data", (chunk: Buffer) => reader.push(chunk, (frame) => frames.push(frame)));
  const nextOf = async (kind: number): Promise<ByteReader> => {
    await until(() => frames.some((frame) => frame.kind === kind));
    const [frame] = frames.splice(0).filter((one) => one.kind === kind);
    return new ByteReader((frame as Frame).body);
  };
  socket.write(hello);
  return { socket, nextOf };
}

function helloOf(version: number, user: number): Buffer {
  const body = new ByteWriter().u16(version).f64(user).f64(1).end();
  return frameOf(kinds.hello, 0, body);
}

const user = process.getuid?.() ?? -1;
const hello = helloOf(protocolVersion, user);
const header = (length: number): Buffer => {
  const bytes = frameOf(kinds.read, 1);
  bytes.writeUInt32LE(length, 8);
  return bytes;
};

describe("a peer is refused that sends", () => {
  const list = new ByteWriter().u32(2 ** 31).end();
  const namelessKey = new ByteWriter().f64(0).u32(1).u8(2).bytes(Buffer.from("k")).end();
  test.each([
    ["no message", Buffer.from("GET / HTTP/1.1\r\n\r\n"), /no message/],
    ["no hello first", frameOf(kinds.ping, 1), /no hello/],
    ["a long hello", header(100_000), /at most 4096/],
    ["a short hello", frameOf(kinds.hello, 0, Buffer.from("a")), /early/],
    ["an oversized message", Buffer.concat([hello, header(2 ** 31)]), /at most 134217728/],
    ["an oversized list", Buffer.concat([hello, frameOf(kinds.read, 1, list)]), /at most/],
    ["a message of the owner's", Buffer.concat([hello, frameOf(kinds.pong, 1)]), /of kind 11/],
    ["a cut change", Buffer.concat([hello, frameOf(kinds.apply, 1, Buffer.alloc(9))]), /early/],
    ["a key of nobody", Buffer.concat([hello, frameOf(kinds.apply, 1, namelessKey)]), /no name/],
    [
      "another version",
      helloOf(protocolVersion + 1, user),
      new RegExp(`version ${protocolVersion + 1} of the protocol`),
    ],
    ["another user", helloOf(protocolVersion, user + 1), /runs as user/],
  ])("%s", async (_, bytes, reason) => {
    const { cache, path, errors } = await shared();
    cache.set("a", "kept");
    const { socket, ended } = connect(path);
    socket.write(bytes);
    await ended;
    expect(cache.stats().processes?.refused).toBe(1);
    expect(errors).toHaveLength(1);
    expect(errors[0]?.code).toBe("ERR_SHARE_REFUSED");
    expect(errors[0]?.message).toMatch(reason);
    await cache.flush();
    expect(await cache.get("a")).toBe("kept");
    expect(cache.stats().processes).toMatchObject({ role: "owner", guests: 0 });
  });
});

test("a peer of another version is told why", async () => {
  const { path } = await shared();
  const { socket, ended } = connect(path);
  socket.write(helloOf(protocolVersion + 1, user));
  expect((await ended).toString("utf8")).toMatch(
    new RegExp(`it speaks version ${protocolVersion + 1} .* and the owner ${protocolVersion}`),
  );
});

test("a connection that says nothing, or half of a message, harms nobody", async () => {
  const { cache, path } = await shared();
  const silent = connect(path);
  const half = connect(path);
  half.socket.write(hello.subarray(0, 7));
  cache.set("a", "kept");
  await cache.flush();
  expect(await cache.get("a")).toBe("kept");
  expect(cache.stats().processes?.refused).toBe(0);
  expect([silent.socket.destroyed, half.socket.destroyed]).toEqual([false, false]);
});

test("a member that does not look at what ended is cut off, and holds nobody up", async () => {
  const { cache, path } = await shared();
  const { socket, ended } = connect(path);
  socket.write(hello);
  await until(() => cache.stats().processes?.guests === 1);
  cache.set("a", "newer");
  await cache.flush();
  await ended;
  expect(cache.stats().processes).toMatchObject({ cutOff: 1, guests: 0 });
});

test("a value sent before its member had heard of others is not kept", async () => {
  const { cache, path } = await shared();
  const { socket, nextOf } = member(path);
  await nextOf(kinds.welcome);
  cache.set("a", "old");
  const ended = await nextOf(kinds.ended);
  const seen = ended.f64();
  const [end] = readChanges(ended);
  const key = end?.kind === "delete" ? end.key : Buffer.alloc(0);
  socket.write(frameOf(kinds.read, 1, new ByteWriter().u32(1).bytes(key).end()));
  const entries = await nextOf(kinds.entries);
  expect(entries.u32()).toBe(1);
  const entry = entries.bytes();
  cache.set("a", "newer");
  await nextOf(kinds.ended);
  const apply = (number: number): Promise<ByteReader> => {
    const change = { kind: "set" as const, key, entry };
    const body = writeChanges(new ByteWriter().f64(number), [change]).end();
    socket.write(frameOf(kinds.apply, 2, body));
    return nextOf(kinds.applied);
  };
  await apply(seen);
  await expect.poll(() => cache.getSync("a"), { interval: 5 }).toBeUndefined();
  expect(await cache.get("a")).toBeUndefined();
  // With the knowledge of all that has ended it is.
  await apply(seen + 1000);
  expect(await cache.get("a")).toBe("old");
});

test("who asks for a lease again is told that it has it, fresh as the key is by then", async () => {
  const { cache, path } = await shared();
  const { socket, nextOf } = member(path);
  await nextOf(kinds.welcome);
  cache.set("a", "value");
  const [end] = await nextOf(kinds.ended).then((ended) => (ended.f64(), readChanges(ended)));
  const key = end?.kind === "delete" ? end.key : Buffer.alloc(0);
  cache.delete("a");
  await nextOf(kinds.ended);
  const ask = (): Promise<ByteReader> => {
    const body = new ByteWriter().bytes(key).text("token").end();
    socket.write(frameOf(kinds.lease, 1, body));
    return nextOf(kinds.turn);
  };
  const first = await ask();
  expect([first.u32(), first.u8(), first.bytes().length]).toEqual([0, 1, 0]);
  cache.set("a", "newer");
  await nextOf(kinds.ended);
  const again = await ask();
  expect([again.u32(), again.u8(), again.bytes().length > 0]).toEqual([0, 1, true]);
});

test("an owner settles nothing for one lease after another one was killed", async () => {
  const path = freshPath();
  const killed = await Member.start(path);
  await killed.set("a", "kept");
  await killed.kill();
  const before = performance.now();
  const { cache } = await shared(path);
  cache.set("a", "newer");
  await cache.flush();
  // A process that was its member might have answered until then.
  expect(performance.now() - before).toBeGreaterThanOrEqual(leaseMs);
});

test("an owner that refuses is told; its directory is taken when it has gone", async () => {
  const path = freshPath();
  mkdirSync(path, { mode: 0o700 });
  const reason = new ByteWriter().text("it speaks version 1, and the owner 9").end();
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.end(frameOf(kinds.refused, 0, reason));
  });
  onTestFinished(() => void server.close());
  const address = join(path, "undercroft.socket");
  await new Promise<void>((resolve) => server.listen(address, resolve));
  const { cache, errors } = await shared(path);
  expect(errors[0]).toMatchObject({ code: "ERR_SHARE_REFUSED" });
  expect(errors[0]?.message).toMatch(/the owner 9/);
  expect(cache.stats().processes?.role).toBe("none");
  cache.set("a", "own");
  expect(cache.getSync("a")).toBeUndefined();
  expect(await cache.fetch("b", async () => "loaded")).toBe("loaded");
  const flushed = await errorOf(() => cache.flush());
  expect(flushed.code).toBe("ERR_TIER");
  for (const socket of sockets) socket.destroy();
  server.close();
  await until(() => cache.stats().processes?.role === "owner");
  cache.set("a", "shared");
  // One that waited for an owner before may be late still.
  const flush = () =>
    cache.flush().then(
      () => "flushed",
      (error: Error & { code?: string }) => error.code,
    );
  await expect.poll(flush, { interval: 10, timeout: 20_000 }).toBe("flushed");
  expect(cache.getSync("a")).toBe("shared");
});
