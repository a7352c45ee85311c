// setStream and getStream: what comes back, in whole and in part, from memory and disk; which of
// two writes counts; what a failed one leaves.
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";

import { afterEach, describe, expect, test } from "vitest";

import { type ByteStream, type Cache, ManualClock } from "../../dist/src/mod.js";
import { attached, setUpThreads } from "./attached.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "./opened.js";
import { bytesOf, expectBytes, notedIn, pieces, wholeOf } from "./stream-bytes.js";

setUpCaches();
setUpThreads();

/** A cache of 2 MiB has segments of 32 KiB: chunks of a stream have 16,312 bytes, and a value above
 *  a quarter of the segments is larger than memory takes. */
const chunk = 16_312;
const large = 1_500_000;

let ended: unknown[] = [];
afterEach(() => {
  ended = [];
});

const noted = (source: AsyncIterable<Buffer>): ByteStream => notedIn(ended, source);

const onDisk = (capacity = "8mb") => open({ ...diskAt(freshPath(), capacity) });

describe.each([
  ["memory", () => open({})],
  ["disk", onDisk],
])("a value on a cache with %s", (_, openOne) => {
  test.each([0, 1, 8192, 8193, chunk - 1, chunk, chunk + 1, 2 * chunk, 100_000, 200_000])(
    "of %i bytes comes back, whole and as bytes",
    async (bytes) => {
      const cache = await openOne();
      expect(await cache.setStream("a", pieces(1, bytes))).toBe("stored");
      const stream = await cache.getStream("a");
      expect(stream?.size).toBe(bytes);
      await expectBytes(stream, 1, 0, bytes);
      const value = (await cache.get("a")) as Buffer;
      expect(Buffer.isBuffer(value) && value.equals(bytesOf(1, 0, bytes))).toBe(true);
      expect(cache.stats()).toMatchObject({ sets: { stored: 1 } });
    },
  );

  test("comes from sources of every kind", async () => {
    const cache = await openOne();
    const sources: Record<string, () => ByteStream> = {
      readable: () => Readable.from(pieces(1, 50_000)),
      web: () => ReadableStream.from(pieces(1, 50_000)) as unknown as ByteStream,
      asynchronous: () => pieces(1, 50_000),
      iterable: () => [bytesOf(1, 0, 3), new Uint8Array(bytesOf(1, 3, 50_000))],
      response: () => new Response(bytesOf(1, 0, 50_000)).body as unknown as ByteStream,
    };
    for (const [name, source] of Object.entries(sources)) {
      expect(await cache.setStream(name, source())).toBe("stored");
      await expectBytes(await cache.getStream(name), 1, 0, 50_000);
    }
    expect(await cache.setStream("text", ["grüße, ", "", Buffer.from("Ada")])).toBe("stored");
    expect(String(await wholeOf(await cache.getStream("text")))).toBe("grüße, Ada");
  });

  test("that was set as bytes is read as a stream too, and nothing else is", async () => {
    const cache = await openOne();
    for (const bytes of [10, 100_000]) {
      cache.set("a", bytesOf(2, 0, bytes));
      await expectBytes(await cache.getStream("a"), 2, 0, bytes);
      await cache.setAsync("b", new Uint8Array(bytesOf(3, 0, bytes)));
      await expectBytes(await cache.getStream("b", { start: 5 }), 3, 5, bytes);
    }
    cache.set("text", "hello");
    cache.set("object", { a: 1 });
    for (const key of ["text", "object"]) {
      const error = await errorOf(() => cache.getStream(key));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain(`key "${key}"`);
    }
    expect(await cache.getStream("absent")).toBeUndefined();
  });
});

describe("a part of a value", () => {
  test("begins and ends at every border", async () => {
    const cache = await onDisk();
    const sizes = { small: 100, chunks: 3 * chunk + 7, large };
    for (const [key, bytes] of Object.entries(sizes)) {
      expect(await cache.setStream(key, pieces(4, bytes))).toBe("stored");
      const borders = [0, 1, 99, chunk - 1, chunk, chunk + 1, 2 * chunk - 1, 2 * chunk, 3 * chunk];
      const at = [...borders, bytes - 2, bytes - 1, bytes, bytes + 5].filter((from) => from >= 0);
      for (const start of at) {
        for (const end of at.filter((last) => last >= start)) {
          const [from, to] = [Math.min(start, bytes), Math.min(end + 1, bytes)];
          const stream = await cache.getStream(key, { start, end });
          expect(stream?.size).toBe(bytes);
          await expectBytes(stream, 4, from, to);
        }
        await expectBytes(await cache.getStream(key, { start }), 4, Math.min(start, bytes), bytes);
      }
    }
  });

  test("is refused with a border that is none", async () => {
    const cache = await open({});
    for (const options of [{ start: -1 }, { start: 1.5 }, { start: 3, end: 2 }, { end: NaN }]) {
      expect(await errorOf(() => cache.getStream("a", options))).toBeInstanceOf(RangeError);
    }
    const unknown = { begin: 1 } as object;
    expect((await errorOf(() => cache.getStream("a", unknown))).message).toContain("option begin");
    expect((await errorOf(() => cache.setStream("a", [], unknown))).message).toContain("begin");
  });
});

describe("a value larger than memory takes", () => {
  test("goes to disk, is read by streams only, and is one entry", async () => {
    const cache = await onDisk();
    expect(await cache.setStream("a", pieces(5, large), { tags: ["t"] })).toBe("stored");
    await expectBytes(await cache.getStream("a"), 5, 0, large);
    const error = await errorOf(() => cache.get("a"));
    expect(error).toMatchObject({ code: "ERR_STREAM_ONLY" });
    expect(error.message).toContain("getStream");
    expect(await errorOf(() => cache.getEntry("a"))).toMatchObject({ code: "ERR_STREAM_ONLY" });
    expect(cache.getSync("a")).toBeUndefined();
    expect(cache.has("a")).toBe(true);
    const keys: unknown[] = [];
    for await (const key of cache.keys()) keys.push(key);
    expect(keys).toEqual(["a"]);
    const { memory, disk } = cache.stats();
    expect(memory.entries + (disk?.entries ?? 0)).toBe(1);
    // A fetch takes it for a miss, and what it loads replaces it.
    expect(await cache.fetch("a", async () => "loaded")).toBe("loaded");
    expect(await cache.get("a")).toBe("loaded");
  });

  test("is refused without a disk, and by the rules of admission", async () => {
    const memoryOnly = await open({});
    memoryOnly.set("a", "old");
    expect(await memoryOnly.setStream("a", noted(pieces(5, large)))).toBe("too-large");
    expect(memoryOnly.has("a")).toBe(false);
    await until(() => ended.includes("over"));
    expect(ended).toEqual(["over"]);
    expect(await memoryOnly.setStream("a", noted(pieces(5, large)), { size: large })).toBe(
      "too-large",
    );
    expect(memoryOnly.stats().sets.tooLarge).toBe(2);

    const asked: number[] = [];
    const { disk } = diskAt(freshPath());
    const filter = (_: unknown, size: number): boolean => {
      asked.push(size);
      return size < 2_000_000;
    };
    const cache = await open({ disk: { ...disk, admission: { filter } } });
    expect(await cache.setStream("a", pieces(5, large))).toBe("too-large");
    expect(await cache.setStream("a", pieces(5, large), { size: large })).toBe("stored");
    expect(asked).toEqual([Infinity, large + 1]);
  });

  test("is refused above half of the disk, and its room is free again", async () => {
    const cache = await onDisk();
    for (let round = 0; round < 4; round++) {
      expect(await cache.setStream("a", pieces(5, 5_000_000, 100_000))).toBe("too-large");
    }
    for (const key of ["b", "c"]) {
      expect(await cache.setStream(key, pieces(6, 2_500_000, 100_000))).toBe("stored");
    }
    for (const key of ["b", "c"]) await expectBytes(await cache.getStream(key), 6, 0, 2_500_000);
  });
});

describe("of two writes of a key", () => {
  const during = async (cache: Cache, change: () => unknown): Promise<string> =>
    cache.setStream(
      "a",
      noted(
        pieces(7, 200_000, 10_000, async (from) => {
          if (from === 150_000) await change();
        }),
      ),
      { tags: ["t"] },
    );

  test("the later one counts: set, delete, clear, a tag, another stream", async () => {
    const cache = await open({});
    const changes: Record<string, readonly [() => unknown, unknown]> = {
      set: [() => cache.set("a", "new"), "new"],
      delete: [() => cache.delete("a"), undefined],
      clear: [() => cache.clear(), undefined],
      tag: [() => cache.deleteByTag("t"), undefined],
    };
    for (const [name, [change, left]] of Object.entries(changes)) {
      cache.set("a", "old", { tags: ["t"] });
      expect([name, await during(cache, change)]).toEqual([name, "superseded"]);
      expect(await cache.get("a")).toEqual(left);
    }
    const other = (): Promise<string> => cache.setStream("a", pieces(8, 100_000));
    expect(await during(cache, other)).toBe("superseded");
    await expectBytes(await cache.getStream("a"), 8, 0, 100_000);
    // Nothing of those that lost is left but what is dead.
    expect(cache.stats().memory.entries).toBe(1);
  });

  test("until the end the older value is there, and a reader of it finds no other", async () => {
    const cache = await onDisk();
    await cache.setStream("a", pieces(1, large));
    const reading = await cache.getStream("a");
    const first = reading?.[Symbol.asyncIterator]();
    const begun = (await first?.next()) as IteratorResult<Buffer>;
    let between: Buffer | undefined;
    const source = pieces(2, large, 50_000, async (from) => {
      if (from === 1_000_000) between = await wholeOf(await cache.getStream("a"));
    });
    expect(await cache.setStream("a", source)).toBe("stored");
    expect(between?.equals(bytesOf(1, 0, large))).toBe(true);
    await expectBytes(await cache.getStream("a"), 2, 0, large);
    // The reader of the older one gets its bytes or an error.
    const got = [begun.value];
    const error = await errorOf(async () => {
      for (let next = await first?.next(); next?.done === false; next = await first?.next()) {
        got.push(next.value as Buffer);
      }
      throw Object.assign(new Error("whole"), { code: "whole" });
    });
    const read = Buffer.concat(got);
    expect(read.equals(bytesOf(1, 0, read.length))).toBe(true);
    expect(error.code).toBe(read.length === large ? "whole" : "ERR_STREAM_LOST");
  });
});

test("times count from the call", async () => {
  const clock = new ManualClock(1_000_000);
  const cache = await open({ clock });
  const source = pieces(1, 100_000, 10_000, (from) => {
    if (from === 50_000) clock.advance(600);
  });
  expect(await cache.setStream("a", source, { ttl: 1000 })).toBe("stored");
  clock.advance(399);
  await expectBytes(await cache.getStream("a"), 1, 0, 100_000);
  clock.advance(1);
  expect(await cache.getStream("a")).toBeUndefined();
  cache.set("a", "old");
  const slow = pieces(1, 100_000, 10_000, () => clock.advance(200));
  expect(await cache.setStream("a", slow, { ttl: 1000 })).toBe("expired");
  expect(cache.has("a")).toBe(false);
});

test("at most 64 streams are written at once, over all threads", async () => {
  const cache = await open({ memory: "16mb" });
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  // Each waits with a chunk in the cache.
  let waiting = 0;
  const wait = async (from: number): Promise<void> => {
    if (from !== 150_000) return;
    waiting += 1;
    await released;
  };
  const outcomes = Array.from({ length: 64 }, (_, index) =>
    cache.setStream(`a${index}`, pieces(index, 200_000, 50_000, wait)),
  );
  await until(() => waiting === 64);
  expect(await cache.setStream("b", pieces(1, 200_000))).toBe("overloaded");
  release();
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["stored"]));
  expect(await cache.setStream("b", pieces(1, 200_000))).toBe("stored");
});

test("a namespace has its own, by its own keys, tags and share", async () => {
  const cache = await onDisk();
  const films = cache.namespace<Buffer, { id: number }>("films", {
    key: ({ id }) => `f${id}`,
    tags: ({ id }) => [`film:${id}`],
  });
  expect(await films.setStream({ id: 7 }, pieces(3, large))).toBe("stored");
  expect(await cache.getStream("f7")).toBeUndefined();
  await expectBytes(await films.getStream({ id: 7 }, { start: 100 }), 3, 100, large);
  cache.deleteByTag("film:7");
  expect(await films.getStream({ id: 7 })).toBeUndefined();
  expect(await films.setStream({ id: 8 }, pieces(3, large))).toBe("stored");
  films.clear();
  expect(await films.getStream({ id: 8 })).toBeUndefined();
});

test("a slow reader and a slow source are waited for", async () => {
  const cache = await onDisk();
  let asked = 0;
  await cache.setStream("a", pieces(1, large, 10_000));
  const stream = await cache.getStream("a");
  const held: number[] = [];
  for await (const piece of stream ?? []) {
    asked += (piece as Buffer).length;
    held.push(stream?.readableLength ?? 0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(asked).toBe(large);
  // What is in hand is one chunk, and one more is read ahead.
  expect(Math.max(...held)).toBeLessThanOrEqual(2 * chunk);
});

test("other threads read and write them, and find one value or the other, whole", async () => {
  const cache = await onDisk("32mb");
  await cache.setStream("a", pieces(1, large));
  const [one, two] = [attached(cache), attached(cache)] as const;
  expect(await one.call("copyStream", "a", "b")).toBe("stored");
  await expectBytes(await cache.getStream("b"), 1, 0, large);
  const reading = [one, two].map((thread) => thread.call("readStreams", "a"));
  const begun = (): boolean =>
    [one, two].every(({ worker }) => cache.has(`begun-${worker.threadId}`));
  await until(begun);
  const seeds = [1, 2, 3, 4, 5, 6];
  for (const seed of seeds) expect(await cache.setStream("a", pieces(seed, large))).toBe("stored");
  cache.set("stop", true);
  const met = new Set((await Promise.all(reading)).flat() as string[]);
  const allowed = seeds.map((seed) =>
    createHash("sha256")
      .update(bytesOf(seed, 0, large))
      .digest("hex"),
  );
  expect([...met].filter((each) => !allowed.includes(each) && each !== "ERR_STREAM_LOST")).toEqual(
    [],
  );
  expect([...met].some((each) => allowed.includes(each))).toBe(true);
});
