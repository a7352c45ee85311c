// Values that came as streams and are larger than memory takes, on disk: what a restart and a kill
// leave of them, a full disk, damage, and that the disk gives them up as one.
import { closeSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import type { Cache } from "../../dist/src/mod.js";
import { bytesOf, expectBytes, pieces, wholeOf } from "../cache/stream-bytes.js";
import { builtDoor, compile, Program } from "../crash/program.js";
import { controlWord, names, open, scratchDirectory, until } from "./scratch-cache.js";
import type { StreamedOptions } from "./streamed-program.js";

const large = 1_500_000;

function openAt(path: string, capacity = "8mb"): Promise<Cache<unknown>> {
  return open<unknown>({ memory: "2mb", disk: { path, capacity, preload: false } });
}

describe("after a restart", () => {
  test.each([
    ["in order", (cache: Cache<unknown>) => cache.close()],
    ["with another memory", (cache: Cache<unknown>) => cache.close()],
  ])("%s they are there, in whole and in part", async (how) => {
    const path = join(scratchDirectory(), "cache");
    const first = await openAt(path, "16mb");
    const sizes = { a: large, b: 3_000_000, c: 100_000 };
    for (const [index, [key, bytes]] of Object.entries(sizes).entries()) {
      expect(await first.setStream(key, pieces(index, bytes), { ttl: "1h" })).toBe("stored");
    }
    await first.close();
    const memory = how === "in order" ? "2mb" : "4mb";
    const again = await open<unknown>({
      memory,
      disk: { path, capacity: "16mb", preload: false },
    });
    for (const [index, [key, bytes]] of Object.entries(sizes).entries()) {
      await expectBytes(await again.getStream(key), index, 0, bytes);
      const part = { start: bytes - 20_000, end: bytes - 10 };
      await expectBytes(await again.getStream(key, part), index, bytes - 20_000, bytes - 9);
    }
    expect(again.stats().chunksMissing).toBe(0);
  });
});

/** The version and length of a value that the program wrote; an error code, or "absent". */
async function versionOf(cache: Cache<unknown>): Promise<string> {
  try {
    const whole = await wholeOf(await cache.getStream("a"));
    if (whole === undefined) return "absent";
    const version = whole.readUInt32LE(0);
    for (let at = 0; at < whole.length; at += 8) {
      const isRight = whole.readUInt32LE(at) === version && whole.readUInt32LE(at + 4) === at;
      if (!isRight) return `wrong at ${at}`;
    }
    return `${version}:${whole.length}`;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

describe("a process that is killed while it streams", () => {
  test.each([1, 2, 3])("leaves the newest whole value, or nothing: %i", async (round) => {
    const scratch = scratchDirectory();
    const program = compile(scratch, new URL(".", import.meta.url), "streamed-program.ts");
    const path = join(scratch, "cache");
    const bytes = 8192 * 500;
    const options: StreamedOptions = { door: builtDoor, path, bytes, what: "write" };
    const running = new Program(program, options);
    await running.said(`${round} stored`);
    // Somewhere in the next one.
    const size = (): number =>
      readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).blocks, 0);
    const before = size();
    await until(() => size() > before + 1000 || running.lines.length > round);
    running.kill("SIGKILL");
    await running.ended;
    const written = running.lines.length;
    const cache = await openAt(path, "32mb");
    const found = await versionOf(cache);
    const allowed = [written, written + 1].map((version) => `${version}:${bytes}`);
    expect(allowed).toContain(found);
    // What is left of the one that was cut short takes no room for good.
    for (let version = 1; version <= 4; version++) {
      const outcome = await cache.setStream(`b${version}`, pieces(version, bytes));
      expect(outcome).toBe("stored");
      await expectBytes(await cache.getStream(`b${version}`), version, 0, bytes);
    }
  });
});

test("a disk that is full ends a stream, leaves the older value, and comes back", async () => {
  const scratch = scratchDirectory();
  const program = compile(scratch, new URL(".", import.meta.url), "streamed-program.ts");
  const path = join(scratch, "cache");
  const bytes = 8192 * 500;
  const running = new Program(program, { door: builtDoor, path, bytes, what: "starve" });
  const { errors } = await running.ended;
  expect(errors).toBe("");
  const result = JSON.parse(running.lines.at(-1) ?? "null") as Record<string, unknown>;
  expect(result).toMatchObject({ ended: "ERR_DISK_IO", small: "stored", after: `3:${bytes}` });
  expect([`1:${bytes}`, "ERR_STREAM_LOST"]).toContain(result["during"]);
  expect(result["events"]).toContain("ERR_DISK_IO");
  expect(await versionOf(await openAt(path, "32mb"))).toBe(`3:${bytes}`);
});

describe("on disk", () => {
  test("a damaged part is never handed out: the stream fails, and the entry goes", async () => {
    const path = join(scratchDirectory(), "cache");
    const first = await openAt(path);
    await first.setStream("a", pieces(1, large));
    await first.close();
    // Something in the middle of every file.
    for (const name of readdirSync(path).filter((each) => each.endsWith(".ucs"))) {
      const file = join(path, name);
      const fd = openSync(file, "r+");
      for (let at = 70_000; at < statSync(file).size; at += 100_000) {
        writeSync(fd, Buffer.of(0x5a, 0xa5, 0x5a, 0xa5), 0, 4, at);
      }
      closeSync(fd);
    }
    const cache = await openAt(path);
    const stream = await cache.getStream("a");
    const got: Buffer[] = [];
    const failed = await (async () => {
      for await (const piece of stream ?? []) got.push(piece as Buffer);
    })().catch((error: unknown) => error);
    const read = Buffer.concat(got);
    expect(read.equals(bytesOf(1, 0, read.length))).toBe(true);
    expect(stream === undefined || (failed as { code?: string }).code === "ERR_STREAM_LOST").toBe(
      true,
    );
    expect(read.length).toBeLessThan(large);
    expect(await cache.getStream("a")).toBeUndefined();
    expect(cache.has("a")).toBe(false);
  });

  test("the capacity holds, and what leaves leaves whole", async () => {
    const path = join(scratchDirectory(), "cache");
    const cache = await openAt(path);
    const all = names("v", 12);
    const evicted: unknown[] = [];
    cache.on("evict", ({ key }) => evicted.push(key));
    for (const [seed, key] of all.entries()) {
      expect(await cache.setStream(key, pieces(seed, large))).toBe("stored");
      const files = readdirSync(path).map((name) => statSync(join(path, name)).size);
      expect(files.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(8 * 2 ** 20);
    }
    await cache.flush();
    const present: string[] = [];
    for (const [seed, key] of all.entries()) {
      const stream = await cache.getStream(key);
      if (stream === undefined) continue;
      await expectBytes(stream, seed, 0, large);
      present.push(key);
    }
    // As many as fit, the newest ones; the others are gone as entries.
    expect(present.length).toBeGreaterThanOrEqual(2);
    expect(present).toEqual(all.slice(-present.length));
    const { memory, disk, chunksMissing } = cache.stats();
    expect(memory.entries + (disk?.entries ?? 0)).toBe(present.length);
    expect(chunksMissing).toBe(0);
    await until(() => evicted.length === all.length - present.length);
    expect(new Set(evicted)).toEqual(new Set(all.slice(0, -present.length)));
  });

  test("one whose beginning the disk gives up is refused, and never half", async () => {
    const path = join(scratchDirectory(), "cache");
    const cache = await openAt(path);
    cache.set("a", "old");
    let number = 0;
    // Between two pieces others write the disk full, some times over.
    const turnOver = async (from: number): Promise<void> => {
      if (from !== 1_200_000) return;
      for (let round = 0; round < 40; round++) {
        for (let set = 0; set < 100; set++) cache.set(`other-${number++}`, "x".repeat(8000));
        await cache.flush();
      }
    };
    expect(await cache.setStream("a", pieces(1, large, 50_000, turnOver))).toBe("overloaded");
    expect(cache.has("a")).toBe(false);
    expect(await cache.getStream("a")).toBeUndefined();
    expect(cache.stats().chunksMissing).toBe(0);
    expect(await cache.setStream("a", pieces(2, large))).toBe("stored");
    await expectBytes(await cache.getStream("a"), 2, 0, large);
  });

  test("they do not take the memory of other entries", async () => {
    const path = join(scratchDirectory(), "cache");
    const cache = await open<unknown>({
      memory: "8mb",
      disk: { path, capacity: "64mb", preload: false },
    });
    // Nobody has asked for them: the first to go, if memory were short.
    const others = names("other", 200);
    for (const key of others) cache.set(key, `${key};`.repeat(100));
    const size = 20_000_000;
    expect(await cache.setStream("a", pieces(1, size, 50_000), { size })).toBe("stored");
    expect(others.filter((key) => cache.getSync(key) === undefined)).toEqual([]);
    // Nor pages that nobody has used yet, but for what it may have in memory before it spills.
    const word = (segment: number, field: number): number =>
      controlWord(cache as Cache<string>, at.segmentTable + segment * at.segmentEntrySize + field);
    const all = Array.from(
      { length: controlWord(cache as Cache<string>, at.controlSegmentCount) },
      (_, segment) => segment,
    );
    const isUsed = (segment: number): boolean =>
      word(segment, at.segmentGeneration) > 0 || word(segment, at.segmentState) !== at.segmentFree;
    expect(all.filter(isUsed).length).toBeLessThan(all.length * 0.75);
  });

  test("many at once, among sets, are all whole or refused", async () => {
    const path = join(scratchDirectory(), "cache");
    const cache = await openAt(path, "64mb");
    const keys = names("v", 10);
    const streams = keys.map((key, seed) =>
      cache.setStream(
        key,
        pieces(seed, large, 10_000, () => {
          cache.set(`small-${seed}`, "x".repeat(1000));
        }),
      ),
    );
    const outcomes = await Promise.all(streams);
    expect(new Set(outcomes)).toEqual(new Set(["stored"]));
    for (const [seed, key] of keys.entries()) {
      await expectBytes(await cache.getStream(key), seed, 0, large);
    }
  });
});
