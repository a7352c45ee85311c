// Large values: what is written for them, what is read of them, and what is left when they go.

import { randomBytes } from "node:crypto";

import { describe, expect, test } from "vitest";

import { codes } from "../../dist/src/kernel/mod.js";
import {
  chunkBytesOf,
  chunkKey,
  JoinedValue,
  type LargeValue,
  largeValueOf,
  readChunks,
  writeValue,
} from "../../dist/src/memory/mod.js";
import { flagChunk, isChunk, isHead } from "../../dist/src/record/mod.js";
import * as counter from "../../dist/src/stats/mod.js";
import {
  fill,
  find,
  type OpenedStore,
  openStore,
  openStores,
  plainFields,
  read,
  write,
} from "./opened-store.js";

function put(store: OpenedStore, key: string, value: Uint8Array): string {
  return writeValue(store.writer, key, value, plainFields);
}

function headOf(store: OpenedStore, key: string): LargeValue {
  expect(find(store, key)).toBe("memory");
  expect(isHead(store.record.flags)).toBe(true);
  return largeValueOf(store.record);
}

function keysOf(large: LargeValue): Uint8Array[] {
  return Array.from({ length: large.chunks }, (_, number) => chunkKey(large, number));
}

function bytesIn(store: OpenedStore): number {
  return store.kernel.total(counter.counterMemoryBytes);
}

/** A record in memory that is a chunk. */
function anyChunk({ kernel }: OpenedStore): number {
  const { segments, records } = kernel;
  for (let segment = 0; segment < segments.count; segment++) {
    const walk = segments.walk(segment);
    while (walk.next()) if (isChunk(records.flags(walk.record))) return walk.record;
  }
  throw new Error("there is no chunk");
}

/** A cache of 1 MiB has segments of 32 KiB: a value is cut above 8 KiB, into chunks of almost
 *  that. */
const inline = 8192;
const chunkBytes = chunkBytesOf(32 * 1024);

describe("writeValue()", () => {
  test("writes one record up to a quarter of a segment, chunks above", () => {
    const store = openStore();
    const value = randomBytes(inline);
    expect(put(store, "a", value)).toBe("stored");
    expect(find(store, "a")).toBe("memory");
    expect(isHead(store.record.flags)).toBe(false);
    expect(put(store, "a", Buffer.concat([value, Buffer.of(1)]))).toBe("stored");
    expect(headOf(store, "a").chunks).toBe(2);
  });

  test.each([inline + 1, 2 * chunkBytes - 1, 2 * chunkBytes, 2 * chunkBytes + 1, 65_536, 100_000])(
    "a value of %i bytes comes back whole",
    (bytes) => {
      const store = openStore();
      const value = randomBytes(bytes);
      expect(put(store, "a", value)).toBe("stored");
      const head = headOf(store, "a");
      expect(head.bytes).toBe(bytes);
      expect(head.chunks).toBe(Math.ceil(bytes / chunkBytes));
      const whole = readChunks(store.reader, head);
      expect(Buffer.isBuffer(whole) && whole.equals(value)).toBe(true);
      // One set and one entry, whatever it was cut into.
      expect(store.kernel.total(counter.counterSetsStored)).toBe(1);
      expect(store.kernel.total(counter.counterMemoryEntries)).toBe(1);
    },
  );

  test("cuts chunks of which four fill a segment, with a ttl and a disk location too", () => {
    const store = openStore({ diskSegments: 4 });
    const fields = { ...plainFields, expiresMs: 8000, staleUntilMs: 9000 };
    expect(writeValue(store.writer, "a", randomBytes(8 * chunkBytes), fields)).toBe("stored");
    const { segments, geometry } = store.kernel;
    const written = Array.from({ length: segments.count }, (_, segment) => segment)
      .filter((segment) => segments.state(segment) === codes.segmentSealed)
      .map((segment) => geometry.segmentBytes - segments.writeOffset(segment));
    expect(written).toHaveLength(2);
    expect(Math.max(...written)).toBeLessThan(64);
  });

  test("keeps times and tags in the head, times in every chunk", () => {
    const store = openStore();
    const tags = store.kernel.tags.encode(["user:7"]);
    const fields = { ...plainFields, expiresMs: 8000, staleUntilMs: 9000, tags };
    expect(writeValue(store.writer, "a", randomBytes(20_000), fields)).toBe("stored");
    const head = headOf(store, "a");
    expect(store.record.tags()).toEqual(["user:7"]);
    for (const key of keysOf(head)) {
      expect(find(store, key)).toBe("memory");
      expect(isChunk(store.record.flags)).toBe(true);
      expect(store.record.expiresMs).toBe(8000);
      expect(store.record.staleUntilMs).toBe(9000);
      expect(store.record.tags()).toEqual([]);
    }
  });

  test("gives the bytes of an older value back at once, wherever a thread writes", () => {
    const [store, other] = openStores(2) as [OpenedStore, OpenedStore];
    const second = randomBytes(30_000);
    put(store, "a", randomBytes(30_000));
    const old = headOf(store, "a");
    const before = bytesIn(store);
    put(other, "a", second);
    const head = headOf(store, "a");
    expect([head.idLow, head.idHigh]).not.toEqual([old.idLow, old.idHigh]);
    for (const key of keysOf(old)) expect(find(store, key)).toBe("none");
    const whole = readChunks(store.reader, head);
    expect(Buffer.isBuffer(whole) && whole.equals(second)).toBe(true);
    expect(bytesIn(store)).toBe(before);
    write(store, "a", "small");
    for (const key of keysOf(head)) expect(find(store, key)).toBe("none");
    expect(bytesIn(store)).toBeLessThan(100);
  });

  test("leaves nothing when it is deleted", () => {
    const store = openStore();
    put(store, "a", randomBytes(30_000));
    const head = headOf(store, "a");
    expect(store.writer.remove("a")).toBe(true);
    for (const key of keysOf(head)) expect(find(store, key)).toBe("none");
    const { segments, geometry } = store.kernel;
    expect(bytesIn(store)).toBe(0);
    let dead = 0;
    for (let segment = 0; segment < geometry.segmentCount; segment++) {
      expect(segments.deadBytes(segment)).toBe(segments.writeOffset(segment));
      dead += segments.deadBytes(segment);
    }
    expect(dead).toBeGreaterThan(30_000);
  });

  test("refuses a value larger than a quarter of the log, and the older one is gone", () => {
    const store = openStore();
    const { segmentBytes, segmentCount } = store.kernel.geometry;
    put(store, "a", Buffer.from("old"));
    const most = Math.floor((segmentBytes * segmentCount) / 4);
    expect(put(store, "a", Buffer.alloc(most + 1))).toBe("too-large");
    expect(read(store, "a")).toBe("(none)");
    expect(put(store, "a", Buffer.alloc(most))).toBe("stored");
  });

  test("refuses a key that fits no segment", () => {
    const store = openStore();
    const long = "k".repeat(40_000);
    expect(put(store, long, randomBytes(20_000))).toBe("too-large");
    expect(store.kernel.total(counter.counterSetsTooLarge)).toBe(1);
    expect(bytesIn(store)).toBe(0);
  });

  test("that finds no segment half way takes its chunks back", () => {
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
    // The old entry went, and no chunk is left.
    expect(store.kernel.total(counter.counterMemoryEntries)).toBe(before - 1);
    expect(bytesIn(store)).toBe(0);
  });

  test("is overloaded when there is no segment at all", () => {
    const store = openStore();
    fill(store);
    expect(put(store, "a", randomBytes(100_000))).toBe("overloaded");
    expect(store.kernel.total(counter.counterSetsOverloaded)).toBe(1);
    expect(store.kernel.total(counter.counterMemoryEntries)).toBe(0);
  });

  test("whose write eviction has abandoned is overloaded, and leaves nothing", () => {
    const store = openStore();
    const { verbs, segments, geometry } = store.kernel;
    put(store, "a", Buffer.from("old"));
    // Two segments are left; the rest hold nothing, and one of them is freed half way.
    while (verbs.freeSegments(geometry.segmentCount) > geometry.reserveSegments + 1) {
      verbs.reserve(geometry.segmentBytes, 0, 0);
    }
    const answers: number[] = [];
    const reclaim = (): boolean => {
      const chunk = anyChunk(store);
      answers.push(verbs.findHead(chunk), verbs.abandonLargeWrite(), verbs.abandonLargeWrite());
      const isEmpty = (segment: number): boolean =>
        segments.state(segment) === codes.segmentSealed && verbs.claimSegment(segment) === 1;
      const empty = Array.from({ length: segments.count }, (_, segment) => segment).findLast(
        isEmpty,
      );
      verbs.freeSegment(empty as number);
      return true;
    };
    store.writer.connect(() => undefined, reclaim);
    expect(put(store, "a", randomBytes(60_000))).toBe("overloaded");
    expect(answers).toEqual([codes.answerWriting, 1, 0]);
    expect(read(store, "a")).toBe("(none)");
    expect(bytesIn(store)).toBe(0);
    // The next one is not affected.
    expect(store.kernel.verbs.endLargeWrite()).toBe(0);
  });
});

describe("readChunks()", () => {
  test("says that a chunk is missing", () => {
    const store = openStore();
    put(store, "a", randomBytes(40_000));
    const { chunks } = headOf(store, "a");
    for (let number = 0; number < chunks; number++) {
      const head = headOf(store, "a");
      expect(Buffer.isBuffer(readChunks(store.reader, head))).toBe(true);
      store.writer.remove(chunkKey(head, number));
      expect(readChunks(store.reader, head)).toBe("missing");
      put(store, "a", randomBytes(40_000));
    }
  });

  test("takes no chunk of another length", () => {
    const store = openStore();
    put(store, "a", randomBytes(20_000));
    const head = headOf(store, "a");
    expect(write(store, chunkKey(head, 1), "short", { flags: flagChunk })).toBe("stored");
    expect(readChunks(store.reader, head)).toBe("missing");
    expect(write(store, chunkKey(head, 1), randomBytes(12_000), { flags: flagChunk })).toBe(
      "stored",
    );
    expect(readChunks(store.reader, head)).toBe("missing");
  });
});

test("a value is whole with all its chunks only", () => {
  const store = openStore();
  put(store, "a", randomBytes(20_000));
  const head = headOf(store, "a");
  const joined = new JoinedValue(head);
  for (const key of keysOf(head)) {
    expect(joined.isWhole).toBe(false);
    find(store, key);
    expect(joined.append(store.record)).toBe(true);
  }
  expect(joined.isWhole).toBe(true);
  expect(joined.append(store.record)).toBe(false);
});

test("a chunk's key names head, write and number, and is no text", () => {
  const sizes = { bytes: 10, chunks: 2, chunkBytes: 8, skipped: [] };
  const head = { ...sizes, hashLow: 1, hashHigh: 2, idLow: 3, idHigh: 4 };
  const words = [1, 2, 3, 4, 258].flatMap((word) => [word & 255, word >> 8, 0, 0]);
  expect([...chunkKey(head, 258)]).toEqual([0, ...words]);
});
