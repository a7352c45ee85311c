// A value that comes as a stream, as one thread writes it and others meet it: whose chunks live
// before there is a head, and what ends the write.
import { randomBytes } from "node:crypto";

import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import * as st from "../../dist/src/kernel/layouts/stream-layout.js";
import { codes, type HashedKey } from "../../dist/src/kernel/mod.js";
import { packLocation } from "../../dist/src/disk/mod.js";
import { chunkKey, largeValueOf, readChunks, StreamedValue } from "../../dist/src/memory/mod.js";
import { isChunk } from "../../dist/src/record/mod.js";
import * as counter from "../../dist/src/stats/mod.js";
import {
  find,
  type OpenedStore,
  openStore,
  openStores,
  plainFields,
  read,
} from "./opened-store.js";

function hashed(store: OpenedStore, key: string): HashedKey {
  store.keys.write(key);
  return store.keys.take(key);
}

function begin(store: OpenedStore, key: string): StreamedValue {
  const value = StreamedValue.begin(store.writer, hashed(store, key), plainFields);
  if (value === null) throw new Error("no stream is free");
  return value;
}

/** The offsets of all chunks in memory. */
function chunksIn({ kernel }: OpenedStore): number[] {
  const { segments, records } = kernel;
  const found: number[] = [];
  for (let segment = 0; segment < segments.count; segment++) {
    const walk = segments.walk(segment);
    while (walk.next()) if (isChunk(records.flags(walk.record))) found.push(walk.record);
  }
  return found;
}

test("the words of streams overlap no other word of the control block", () => {
  const others = Object.entries(at)
    .filter(([name]) => name.startsWith("control") && name !== "controlBlockSize")
    .map(([, offset]) => offset as number);
  expect(Math.max(...others) + 16).toBeLessThanOrEqual(st.streamIds);
  expect(st.streamIds + st.streamsMax * 8).toBeLessThanOrEqual(st.streamOwners);
  expect(st.streamOwners + st.streamsMax * 4).toBe(st.streamsEnd);
  expect(st.streamsEnd).toBeLessThanOrEqual(at.controlBlockSize);
  // No id of a thread's own write is taken for a stream's, and none beyond the last.
  expect(at.threadsMax).toBeLessThanOrEqual(st.streamIdsFrom);
  expect(st.streamIdsFrom + st.streamsMax).toBeLessThanOrEqual(256);
  expect(st.streamSpills).toBeGreaterThan(st.streamOwnerMask);
});

test("a value is whole once its head is there, and nobody finds it before", () => {
  const [writer, other] = openStores(2) as [OpenedStore, OpenedStore];
  const value = begin(writer, "a");
  const parts = [randomBytes(value.chunkBytes), randomBytes(value.chunkBytes), randomBytes(7)];
  for (const part of parts) {
    expect(value.append(part)).toBe("stored");
    expect(find(other, "a")).toBe("none");
  }
  expect(value.finish()).toBe("stored");
  expect(find(other, "a")).toBe("memory");
  const large = largeValueOf(other.record);
  expect(large).toMatchObject({ chunks: 3, chunkBytes: value.chunkBytes, bytes: value.bytes });
  const whole = readChunks(other.reader, large);
  expect(Buffer.isBuffer(whole) && whole.equals(Buffer.concat(parts))).toBe(true);
  expect(writer.kernel.total(counter.counterMemoryEntries)).toBe(1);
});

describe("a chunk without a head", () => {
  test("lives while its stream is written, and says whether that spills", () => {
    const [writer, other] = openStores(2) as [OpenedStore, OpenedStore];
    const value = begin(writer, "a");
    value.append(randomBytes(value.chunkBytes));
    const [chunk] = chunksIn(writer) as [number];
    expect(other.kernel.verbs.findHead(chunk)).toBe(codes.answerWriting);
    expect(other.kernel.verbs.spillingStreams()).toBe(0);
    value.spill();
    expect(other.kernel.verbs.findHead(chunk)).toBe(codes.answerSpilling);
    expect(other.kernel.verbs.spillingStreams()).toBe(1);
    value.end();
    expect(other.kernel.verbs.findHead(chunk)).toBe(codes.answerAbsent);
    expect(other.kernel.verbs.spillingStreams()).toBe(0);
  });

  test("is dead once its writer is recovered, and the words are free", () => {
    const [writer, other] = openStores(2) as [OpenedStore, OpenedStore];
    const value = begin(writer, "a");
    value.append(randomBytes(value.chunkBytes));
    value.spill();
    const [chunk] = chunksIn(writer) as [number];
    writer.kernel.detach();
    expect(other.kernel.verbs.findHead(chunk)).toBe(codes.answerAbsent);
    const streams = Array.from({ length: st.streamsMax }, (_, index) => begin(other, `b${index}`));
    expect(StreamedValue.begin(other.writer, hashed(other, "c"), plainFields)).toBeNull();
    for (const stream of streams) stream.end();
    begin(other, "c").end();
  });

  test("is not taken for one of the next stream with the same words", () => {
    const store = openStore();
    const first = begin(store, "a");
    first.append(randomBytes(first.chunkBytes));
    const [chunk] = chunksIn(store) as [number];
    first.end();
    const second = begin(store, "a");
    expect(store.kernel.verbs.findHead(chunk)).toBe(codes.answerAbsent);
    // Ending the first again does not end the second.
    expect(first.end()).toBe(false);
    expect(second.isIntact).toBe(true);
  });
});

test("an abandoned stream is told so, leaves nothing, and the older value is gone", () => {
  const [writer, other] = openStores(2) as [OpenedStore, OpenedStore];
  writer.writer.write("a", Buffer.from("old"), plainFields);
  const value = begin(writer, "a");
  value.append(randomBytes(value.chunkBytes));
  const [chunk] = chunksIn(writer) as [number];
  other.kernel.verbs.findHead(chunk);
  expect([1, 0].map(() => other.kernel.verbs.abandonLargeWrite())).toEqual([1, 0]);
  expect(value.isIntact).toBe(false);
  expect(value.finish()).toBe("taken");
  expect(read(other, "a")).toBe("(none)");
  expect(writer.kernel.total(counter.counterMemoryBytes)).toBe(0);
});

test("a number whose class another chunk on disk has is skipped", () => {
  const store = openStore({ diskSegments: 4 });
  const { kernel, keys } = store;
  const dead: number[] = [];
  store.writer.connect(
    (at) => dead.push(at),
    () => false,
  );
  const value = begin(store, "a");
  const { hashLow, hashHigh } = hashed(store, "a");
  const { idLow, idHigh } = kernel.value;
  const large = {
    bytes: 0,
    chunks: 0,
    chunkBytes: 0,
    skipped: [],
    hashLow,
    hashHigh,
    idLow,
    idHigh,
  };
  const location = packLocation(0, 64, 1000, 131_072, true);
  const name = chunkKey(large, 1);
  keys.write(name);
  const other = keys.take(name);
  expect(kernel.verbs.insertRecovered(other.hashLow, other.hashHigh, location)).toBe(
    codes.answerDone,
  );
  const parts = Array.from({ length: 3 }, () => randomBytes(value.chunkBytes));
  for (const part of parts) expect(value.append(part)).toBe("stored");
  expect(value.finish()).toBe("stored");
  expect(find(store, "a")).toBe("memory");
  const head = largeValueOf(store.record);
  expect(head).toMatchObject({ chunks: 4, skipped: [1], bytes: 3 * value.chunkBytes });
  const whole = readChunks(store.reader, head);
  expect(Buffer.isBuffer(whole) && whole.equals(Buffer.concat(parts))).toBe(true);
  // The other one is where it was.
  expect(dead).toEqual([]);
  kernel.verbs.setValue(hashLow, hashHigh, idLow, idHigh, 0);
  expect(kernel.verbs.chunkCopy(1)).toBe(codes.answerDisk);
  expect(kernel.results.location).toBe(location);
});

test("a value that lost a chunk while it was written is not published", () => {
  const store = openStore();
  store.writer.write("a", Buffer.from("old"), plainFields);
  const value = begin(store, "a");
  for (let part = 0; part < 3; part++) value.append(randomBytes(value.chunkBytes));
  store.kernel.verbs.dropRecord(chunksIn(store)[1] as number);
  expect(value.finish()).toBe("lost");
  expect(read(store, "a")).toBe("old");
});

test("a stream that has ended gives its room back in parts", () => {
  const store = openStore();
  const value = begin(store, "a");
  for (let part = 0; part < 5; part++) value.append(randomBytes(value.chunkBytes));
  expect(value.end()).toBe(true);
  value.dropChunks(0, 2);
  expect(store.kernel.total(counter.counterMemoryBytes)).toBeGreaterThan(2 * value.chunkBytes);
  value.dropChunks(2, 5);
  expect(store.kernel.total(counter.counterMemoryBytes)).toBe(0);
});
