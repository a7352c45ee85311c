// What a stream leaves that fails, is aborted, is none, or is cut short by a close.
import { Readable } from "node:stream";

import { afterEach, describe, expect, test } from "vitest";

import { type ByteStream, type Cache } from "../../dist/src/mod.js";
import { diskAt, errorOf, freshPath, open, setUpCaches, until } from "./opened.js";
import { bytesOf, notedIn, pieces } from "./stream-bytes.js";

setUpCaches();

const large = 1_500_000;

let ended: unknown[] = [];
afterEach(() => {
  ended = [];
});

const noted = (source: AsyncIterable<Buffer>): ByteStream => notedIn(ended, source);

const onDisk = (): Promise<Cache> => open({ ...diskAt(freshPath()) });

describe("a stream that fails", () => {
  test("leaves the older value, and frees its room", async () => {
    const cache = await onDisk();
    cache.set("a", "old");
    const wanted = new Error("the source broke");
    for (const at of [0, 100_000, 1_200_000]) {
      const source = pieces(9, large, 20_000, (from) => {
        if (from === at) throw wanted;
      });
      expect(await errorOf(() => cache.setStream("a", source))).toBe(wanted);
    }
    const broken = Readable.from(pieces(9, large));
    const failing = errorOf(() => cache.setStream("a", broken));
    broken.once("data", () => broken.destroy(wanted));
    expect(await failing).toBe(wanted);
    expect(await cache.get("a")).toBe("old");
    expect(cache.stats().memory.bytes).toBeLessThan(200);
  });

  test("by a signal ends its source, also while that gives nothing", async () => {
    const cache = await open({});
    cache.set("a", "old");
    const controller = new AbortController();
    const silent = new Readable({ read: () => undefined });
    silent.push(bytesOf(1, 0, 50_000));
    const stored = errorOf(() => cache.setStream("a", silent, { signal: controller.signal }));
    await until(() => silent.readableLength === 0);
    controller.abort(new Error("enough"));
    expect((await stored).message).toBe("enough");
    await until(() => silent.destroyed);
    expect(await cache.get("a")).toBe("old");
    const late = { signal: controller.signal };
    expect((await errorOf(() => cache.setStream("a", noted(pieces(1, 10)), late))).message).toBe(
      "enough",
    );
    expect((await errorOf(() => cache.getStream("a", late))).message).toBe("enough");
  });

  test("is told by its length, if that was said", async () => {
    const cache = await open({});
    for (const size of [99_999, 100_001, 0]) {
      const error = await errorOf(() => cache.setStream("a", pieces(1, 100_000), { size }));
      expect(error).toBeInstanceOf(RangeError);
      expect(error.message).toContain(String(size));
    }
    expect(cache.has("a")).toBe(false);
    expect(await cache.setStream("a", pieces(1, 100_000), { size: 100_000 })).toBe("stored");
    expect(await cache.setStream("b", pieces(1, 0), { size: 0 })).toBe("stored");
  });

  test("is refused if it is none, or has pieces that are none", async () => {
    const cache = await open({});
    const read = Readable.from(["a"]);
    await read.toArray();
    const wrong = [undefined, null, "text", 7, {}, Buffer.from("bytes"), read];
    for (const source of wrong as ByteStream[]) {
      expect(await errorOf(() => cache.setStream("a", source))).toBeInstanceOf(TypeError);
    }
    for (const piece of [1, null, {}, "\ud800", new Uint16Array(2)]) {
      const source = [piece] as unknown as ByteStream;
      expect(await errorOf(() => cache.setStream("a", source))).toBeInstanceOf(TypeError);
    }
    expect(await errorOf(() => cache.setStream("", []))).toBeInstanceOf(TypeError);
    expect(cache.has("a")).toBe(false);
  });

  test("ends when the cache closes, as its readers do", async () => {
    const cache = await onDisk();
    await cache.setStream("a", pieces(1, large));
    const reading = await cache.getStream("a");
    const failed = errorOf(() =>
      cache.setStream(
        "b",
        noted(
          pieces(2, large, 20_000, async (from) => {
            if (from === 1_000_000) await cache.close();
          }),
        ),
      ),
    );
    expect(await failed).toMatchObject({ code: "ERR_CACHE_CLOSED" });
    expect(await errorOf(() => reading?.toArray())).toMatchObject({ code: "ERR_CACHE_CLOSED" });
    await until(() => ended.includes("over"));
  });
});
