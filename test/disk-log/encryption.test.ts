// An encrypted directory, from outside: nothing of what is stored is in its files, at any moment;
// what is there comes back by its key, and by no other.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { type Cache, type EncryptionOptions, openCache } from "../../dist/src/mod.js";
import { verifyDirectory } from "../../dist/src/inspection/mod.js";
// Not those of scratch-cache.ts, under which two openers of a directory have one id.
import { scratchFolder as scratchDirectory } from "../inspection/made-directory.js";

const [first, second, third] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [
  Buffer,
  Buffer,
  Buffer,
];
const entryCount = 1500;

interface Item {
  readonly secretProperty: string;
  readonly pad: string;
}

function itemOf(key: string): Item {
  return { secretProperty: `secret-of-${key}`, pad: "secret-pad".repeat(key.length * 3) };
}

async function openWith(path: string, encryption: EncryptionOptions): Promise<Cache<Item>> {
  const disk = { path, capacity: "8mb", preload: false as const, encryption };
  const cache = await openCache<Item>({ memory: "1mb", near: false, disk });
  onTestFinished(() => cache.close());
  return cache;
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${prefix}-${number}`);
}

async function fillItems(cache: Cache<Item>, keys: readonly string[]): Promise<void> {
  for (const [index, key] of keys.entries()) {
    cache.set(key, itemOf(key), { tags: [`secret-tag-${index % 7}`] });
    if (index % 50 === 49) await cache.flush();
  }
  await cache.flush();
}

/** Files that hold one of the words in plain. */
function leaks(path: string): string[] {
  return readdirSync(path).filter((name) => {
    const file = join(path, name);
    if (!statSync(file).isFile()) return false;
    const bytes = readFileSync(file);
    return ["secret", "secretProperty"].some(
      (word) => bytes.includes(word) || bytes.includes(Buffer.from(word, "utf16le")),
    );
  });
}

/** The keys that are there; each has its own value. */
async function found(cache: Cache<Item>, keys: readonly string[]): Promise<string[]> {
  const there: string[] = [];
  for (const key of keys) {
    const item = await cache.get(key);
    if (item === undefined) continue;
    expect(item).toEqual(itemOf(key));
    there.push(key);
  }
  return there;
}

const keys = names("secret-key", entryCount);

test("nothing of keys, values, tags and property names is in any file", async () => {
  const path = scratchDirectory();
  const cache = await openWith(path, { key: first });
  await fillItems(cache, keys);
  cache.set("secret-large", { secretProperty: "secret".repeat(6_000), pad: "" });
  cache.deleteByTag("secret-tag-3");
  await cache.flush();
  expect(leaks(path)).toEqual([]);
  const before = await found(cache, keys);
  expect(before.length).toBeGreaterThan(entryCount / 2);
  await cache.close();
  expect(leaks(path)).toEqual([]);
  expect((await verifyDirectory(path)).faultCount).toBe(0);
  expect((await verifyDirectory(path, { key: first })).faultCount).toBe(0);

  for (const isSnapshotThere of [true, false]) {
    if (!isSnapshotThere) rmSync(join(path, "undercroft.index"));
    const again = await openWith(path, { key: first });
    expect(again.recovery?.kind).toBe(isSnapshotThere ? "clean" : "scan");
    expect(await found(again, keys)).toEqual(before);
    expect((await again.get("secret-large"))?.secretProperty).toHaveLength(36_000);
    expect(again.stats().corruptRecords).toBe(0);
    await again.close();
  }
  // The words would be found.
  const plain = scratchDirectory();
  const other = await openCache<Item>({ memory: "1mb", disk: { path: plain, capacity: "8mb" } });
  await fillItems(other, keys.slice(0, 50));
  await other.close();
  expect(leaks(plain)).toEqual(expect.arrayContaining(["segment-000.ucs", "undercroft.shapes"]));
});

test("another key, or none, is refused, and changes nothing", async () => {
  const path = scratchDirectory();
  const cache = await openWith(path, { key: first });
  await fillItems(cache, keys.slice(0, 100));
  await cache.close();
  const bytesOf = (): string[] => readdirSync(path).map((name) => hexOf(join(path, name)));
  const before = bytesOf();
  for (const encryption of [
    undefined,
    { key: second },
    { key: second, previousKey: third },
  ] as const) {
    await expect(openCache({ disk: { path, ...(encryption && { encryption }) } })).rejects.toThrow(
      expect.objectContaining({ code: "ERR_ENCRYPTION_KEY" }),
    );
    expect(bytesOf()).toEqual(before);
  }
  await expect(verifyDirectory(path, { key: second })).rejects.toMatchObject({
    code: "ERR_ENCRYPTION_KEY",
  });
  const again = await openWith(path, { key: first });
  expect(await found(again, keys.slice(0, 100))).toHaveLength(100);
});

function hexOf(file: string): string {
  return readFileSync(file).toString("base64");
}

test("a new key takes the place of the previous one at one open, a kill included", async () => {
  const path = scratchDirectory();
  const some = keys.slice(0, 200);
  const cache = await openWith(path, { key: first });
  await fillItems(cache, some);
  await cache.close();
  const rotated = await openWith(path, { key: second, previousKey: first });
  // As a kill here leaves the files.
  const left = scratchDirectory();
  for (const name of readdirSync(path)) {
    if (statSync(join(path, name)).isFile()) writeFileSync(join(left, name), hexBytes(path, name));
  }
  expect(await found(rotated, some)).toHaveLength(200);
  await rotated.close();
  for (const one of [path, left]) {
    await expect(openWith(one, { key: first })).rejects.toMatchObject({
      code: "ERR_ENCRYPTION_KEY",
    });
  }
  const again = await openWith(path, { key: second });
  expect(await found(again, some)).toHaveLength(200);
});

function hexBytes(path: string, name: string): Buffer {
  return readFileSync(join(path, name));
}

test("a directory that was not encrypted starts cold, and what it held is gone", async () => {
  const path = scratchDirectory();
  const plain = await openCache<Item>({ memory: "1mb", disk: { path, capacity: "8mb" } });
  await fillItems(plain, keys.slice(0, 100));
  await plain.close();
  expect(leaks(path).length).toBeGreaterThan(0);
  const cache = await openWith(path, { key: first });
  expect(cache.recovery).toMatchObject({
    kind: "cold",
    reason: expect.stringContaining("without encryption") as string,
  });
  expect(await found(cache, keys.slice(0, 100))).toEqual([]);
  expect(leaks(path)).toEqual([]);
});

test("a byte that is changed with its checksum is a miss, never another value", async () => {
  const path = scratchDirectory();
  const cache = await openWith(path, { key: first });
  await fillItems(cache, keys.slice(0, 100));
  await cache.close();
  // The manifest of another encrypted directory with the same key, over this one's.
  const other = scratchDirectory();
  await (await openWith(other, { key: first })).close();
  const manifest = readFileSync(join(path, "undercroft.manifest"));
  const sealed = readFileSync(join(other, "undercroft.manifest")).subarray(444, 504);
  for (const copy of [0, 4096]) sealed.copy(manifest, copy + 444);
  writeFileSync(join(path, "undercroft.manifest"), manifest);
  // Its checksum fails: the directory starts cold.
  const again = await openWith(path, { key: first });
  expect(again.recovery?.kind).toBe("cold");
});

test("a thread, reclaim, and a synchronous update read what is encrypted", async () => {
  const path = scratchDirectory();
  const disk = { path, capacity: "2mb", preload: false as const, encryption: { key: first } };
  const cache = await openCache<number | string>({ memory: "1mb", disk, near: false });
  // Far more than the disk holds, so that segment files are reclaimed and hit entries move.
  for (let round = 0; round < 4; round++) {
    for (let number = 0; number < 1200; number++) {
      while (cache.set(`r${round}-${number}`, "v".repeat(700)) !== "stored") await cache.flush();
      if (number % 100 === 0) await cache.flush();
      if (number % 10 === 0) await cache.get(`r${round}-${Math.max(0, number - 300)}`);
    }
  }
  await cache.flush();
  const { segments, corruptRecords } = cache.stats();
  expect(segments.diskReclaimed).toBeGreaterThan(0);
  expect(corruptRecords).toBe(0);
  cache.set("count", 1);
  await cache.close();

  const again = await openCache<number | string>({ memory: "1mb", disk, near: false });
  expect(await again.updateAsync("count", (value) => Number(value) + 1)).not.toBe("absent");
  expect(again.getSync("count")).toBe(2);
  const code = `
    const { workerData, parentPort } = require("node:worker_threads");
    import(workerData.door).then(async ({ attachCache }) => {
      const cache = attachCache(workerData.handle);
      let hits = 0;
      for (let n = 0; n < 1200; n++) if (await cache.get("r3-" + n) !== undefined) hits += 1;
      parentPort.postMessage([hits, cache.stats().corruptRecords]);
      await cache.close();
    });`;
  const door = new URL("../../dist/src/mod.js", import.meta.url).href;
  const worker = new Worker(code, { eval: true, workerData: { door, handle: again.handle() } });
  const [hits, corrupt] = await new Promise<[number, number]>((resolve, reject) => {
    worker.on("message", resolve).on("error", reject);
  });
  expect(hits).toBeGreaterThan(300);
  expect(corrupt).toBe(0);
  await again.close();
});

test("a write with a revision that must see the record on disk reads it", async () => {
  const path = scratchDirectory();
  const disk = { path, capacity: "2mb", preload: false as const, encryption: { key: first } };
  const cache = await openCache<string>({ memory: "1mb", disk, near: false });
  cache.set("a", "of revision 5", { revision: 5 });
  await cache.close();
  const again = await openCache<string>({ memory: "1mb", disk, near: false });
  expect(again.set("a", "older", { revision: 4 })).toBe("outdated");
  expect(again.set("a", "newer", { revision: 6 })).toBe("stored");
  expect(await again.get("a")).toBe("newer");
  await again.close();
});

test("a cache that takes an encrypted directory over reads it, and writes to it", async () => {
  const path = scratchDirectory();
  const encryption = { key: first };
  const disk = { path, capacity: "4mb", preload: false as const, encryption };
  let isUp = (): void => undefined;
  const up = new Promise<void>((resolve) => (isUp = resolve));
  const old = await openCache<string>({ memory: "1mb", disk });
  old.set("secret-kept", "by the old one");
  const cache = await openCache<string>({
    memory: "1mb",
    disk: { ...disk, whenLocked: "memory" },
    on: { "tier-up": () => isUp() },
  });
  cache.set("secret-new", "by the new one");
  await old.close();
  await up;
  expect(await cache.get("secret-kept")).toBe("by the old one");
  await cache.flush();
  expect(leaks(path)).toEqual([]);
  await cache.close();
  const again = await openCache<string>({ memory: "1mb", disk });
  expect(await again.get("secret-new")).toBe("by the new one");
  await again.close();
});

test("what is no key is refused, and not told", async () => {
  const secret = "a password of 31 characters !!!";
  for (const [encryption, error, words] of [
    [{ key: Buffer.alloc(16) }, RangeError, /encryption\.key: .* 32 bytes, not of 16; make one by/],
    [{ key: secret }, TypeError, /not a string of 31 characters; .*Buffer\.from/],
    [{}, TypeError, /encryption\.key: .*not undefined/],
    [{ key: first, previousKey: 7 }, TypeError, /encryption\.previousKey: .*of type number/],
    [{ key: first, old: second }, RangeError, /encryption\.old: there is no such option/],
    [{ key: new Uint16Array(16) }, TypeError, /must be a Uint8Array/],
  ] as const) {
    const opening = openCache({ disk: { path: "unused", encryption: encryption as never } });
    const fault = await opening.catch((reason: unknown) => reason);
    expect(fault).toBeInstanceOf(error);
    expect((fault as Error).message).toMatch(words);
    expect((fault as Error).message).not.toContain(secret);
  }
});

test("a stream larger than the memory is in no file in plain, and comes back whole", async () => {
  const path = scratchDirectory();
  const encryption: EncryptionOptions = { key: first };
  const whole = Buffer.from(
    Array.from({ length: 200_000 }, (_, number) => `secret ${number} `).join(""),
  );
  const cache = await openWith(path, encryption);
  const source = async function* (): AsyncGenerator<Buffer> {
    for (let from = 0; from < whole.length; from += 50_000) {
      yield whole.subarray(from, from + 50_000);
    }
  };
  expect(whole.length).toBeGreaterThan(2 ** 21);
  expect(await cache.setStream("secret-stream", source())).toBe("stored");
  await cache.flush();
  expect(leaks(path)).toEqual([]);
  const read = async (from: Cache<Item>, start = 0): Promise<Buffer> => {
    const stream = await from.getStream("secret-stream", { start });
    return Buffer.concat((await stream?.toArray()) as Buffer[]);
  };
  expect((await read(cache)).equals(whole)).toBe(true);
  await cache.close();
  expect(leaks(path)).toEqual([]);
  expect((await verifyDirectory(path, encryption)).faultCount).toBe(0);
  const again = await openWith(path, encryption);
  expect((await read(again, 1_000_001)).equals(whole.subarray(1_000_001))).toBe(true);
});
