import { randomBytes } from "node:crypto";

import { describe, expect, test } from "vitest";

import {
  chunkCount,
  chunkKey,
  largeValueOf,
  type LargeValue,
  copyChunk,
  readChunks,
  writeValue,
} from "../../dist/src/memory/mod.js";
import { flagChunk, flagChunked } from "../../dist/src/record/mod.js";
import * as counter from "../../dist/src/stats/mod.js";
import {
  fill,
  find,
  type OpenedStore,
  openStore,
  plainFields,
  read,
  write,
} from "./opened-store.js";

function put(store: OpenedStore, key: string, value: Uint8Array): string {
  return writeValue(store.writer, key, value, plainFields);
}

function headOf(store: OpenedStore, key: string): LargeValue {
  expect(find(store, key)).toBe("memory");
  expect(store.record.flags & flagChunked).toBe(flagChunked);
  return largeValueOf(store.record);
}

/** A cache of 1 MiB has segments of 32 KiB: a value above 8 KiB is cut. */
const inline = 8192;

describe("writeValue()", () => {
  test("writes one record up to a quarter of a segment, chunks above", () => {
    const store = openStore();
    const value = randomBytes(inline);
    expect(put(store, "a", value)).toBe("stored");
    expect(find(store, "a")).toBe("memory");
    expect(store.record.flags & flagChunked).toBe(0);
    expect(put(store, "a", Buffer.concat([value, Buffer.of(1)]))).toBe("stored");
    expect(chunkCount(headOf(store, "a"))).toBe(2);
  });

  test.each([inline + 1, 2 * inline - 1, 2 * inline, 2 * inline + 1, 65_536, 100_000])(
    "a value of %i bytes comes back whole",
    (bytes) => {
      const store = openStore();
      const value = randomBytes(bytes);
      expect(put(store, "a", value)).toBe("stored");
      const head = headOf(store, "a");
      expect(head.bytes).toBe(bytes);
      expect(chunkCount(head)).toBe(Math.ceil(bytes / inline));
      expect(readChunks(store.reader, head)?.equals(value)).toBe(true);
      // One set, whatever it was cut into.
      expect(store.kernel.total(counter.counterSetsStored)).toBe(1);
    },
  );

  test("keeps times and tags in the head, times in every chunk", () => {
    const store = openStore();
    const tags = store.kernel.tags.encode(["user:7"]);
    const fields = { ...plainFields, expiresMs: 8000, staleUntilMs: 9000, tags };
    expect(writeValue(store.writer, "a", randomBytes(20_000), fields)).toBe("stored");
    const head = headOf(store, "a");
    expect(store.record.tags()).toEqual(["user:7"]);
    for (let number = 0; number < chunkCount(head); number++) {
      expect(find(store, chunkKey(head, number))).toBe("memory");
      expect(store.record.flags & flagChunk).toBe(flagChunk);
      expect(store.record.expiresMs).toBe(8000);
      expect(store.record.staleUntilMs).toBe(9000);
      expect(store.record.tags()).toEqual([]);
    }
  });

  test("never puts chunks of two writes together", () => {
    const store = openStore();
    const first = randomBytes(30_000);
    const second = randomBytes(30_000);
    put(store, "a", first);
    const old = headOf(store, "a");
    put(store, "a", second);
    const head = headOf(store, "a");
    expect(Buffer.from(head.id).equals(old.id)).toBe(false);
    expect(readChunks(store.reader, head)?.equals(second)).toBe(true);
  });

  test("refuses a value larger than a quarter of the log, and removes the older one", () => {
    const store = openStore();
    const { segmentBytes, segmentCount } = store.kernel.geometry;
    put(store, "a", Buffer.from("old"));
    const most = Math.floor((segmentBytes * segmentCount) / 4);
    expect(put(store, "a", Buffer.alloc(most + 1))).toBe("too-large");
    expect(read(store, "a")).toBe("(none)");
    expect(put(store, "a", Buffer.alloc(most))).toBe("stored");
  });

  test("removes its chunks if it finds no segment half way", () => {
    const store = openStore();
    const { segmentCount, reserveSegments } = store.kernel.geometry;
    put(store, "a", Buffer.from("old"));
    for (let turn = 0; turn < 100; turn++) {
      const free = store.kernel.verbs.freeSegments(segmentCount);
      if (free <= reserveSegments + 1) break;
      store.kernel.verbs.reserve(32 * 1024, 0, 0);
    }
    expect(segmentCount).toBeGreaterThan(8);
    const before = store.kernel.total(counter.counterMemoryEntries);
    expect(put(store, "a", randomBytes(100_000))).toBe("overloaded");
    expect(read(store, "a")).toBe("(none)");
    // The old entry is absent, and no chunk is left.
    expect(store.kernel.total(counter.counterMemoryEntries)).toBe(before - 1);
  });

  test("answers overloaded when there is no segment at all", () => {
    const store = openStore();
    fill(store);
    expect(put(store, "a", randomBytes(100_000))).toBe("overloaded");
    expect(store.kernel.total(counter.counterSetsOverloaded)).toBe(1);
    expect(store.kernel.total(counter.counterMemoryEntries)).toBe(0);
  });
});

describe("readChunks()", () => {
  test("with a chunk missing is a miss", () => {
    const store = openStore();
    put(store, "a", randomBytes(40_000));
    const head = headOf(store, "a");
    for (let number = 0; number < chunkCount(head); number++) {
      expect(readChunks(store.reader, head)).toBeDefined();
      store.writer.remove(chunkKey(head, number));
      expect(readChunks(store.reader, head)).toBeUndefined();
      put(store, "a", randomBytes(40_000));
      Object.assign(head, headOf(store, "a"));
    }
  });

  test("with a chunk of another length is a miss", () => {
    const store = openStore();
    put(store, "a", randomBytes(20_000));
    const head = headOf(store, "a");
    const key = chunkKey(head, 1);
    expect(write(store, key, "short")).toBe("stored");
    expect(readChunks(store.reader, head)).toBeUndefined();
    find(store, key);
    expect(copyChunk(Buffer.alloc(20_000), head, 1, store.record)).toBe(false);
  });
});

test("gives chunks keys that no caller writes as a string by chance", () => {
  const head = { bytes: 10, chunkBytes: 5, id: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
  expect([...chunkKey(head, 258)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 1, 0, 0]);
});
