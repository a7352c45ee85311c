// The tags file: an invalidation that returned is remembered, or the damage is seen; and a session
// keeps what is not forgotten.

import { readFileSync, writeSync } from "node:fs";
import { expect, test } from "vitest";

import { writeForgotten, writeTagSlot } from "../../dist/src/directory/mod.js";
import {
  carryTags,
  encodeTagFile,
  mirrorOffset,
  newestInvalidation,
  noTagHistory,
  readTagFile,
  tagFileBytes,
  tagFileBytesMax,
  type TagHistory,
} from "../../dist/src/directory/tag-file.js";
import { hasher, scratchFile, seed } from "../disk/scratch.js";

const slots = 14;
const newest = 2n ** 48n - 1n;

function tag(hash: bigint, sequence: bigint): { hash: bigint; sequence: bigint } {
  return { hash, sequence };
}

function tagFile(history: TagHistory = noTagHistory) {
  const { fd, file } = scratchFile(tagFileBytes(slots, history.tags.length));
  const bytes = encodeTagFile(history, slots, seed, hasher);
  writeSync(fd, bytes, 0, bytes.length, 0);
  const mirror = mirrorOffset(history.tags.length);
  return {
    fd,
    mirror,
    bytes: () => readFileSync(file),
    read: () => readTagFile(readFileSync(file), seed, hasher),
    write: (number: number, hash: bigint, sequence: bigint) =>
      writeTagSlot(fd, seed, mirror, number, tag(hash, sequence)),
  };
}

test("gives back the floor, the list and every slot of the mirror", () => {
  expect(tagFile().read()).toEqual({ floor: 0, forgotten: 0, tags: [] });
  const list = [tag(1n, 5n), tag(2n ** 64n - 1n, newest)];
  const file = tagFile({ floor: 9, dropped: 0, tags: list });
  expect(file.bytes().length).toBeLessThanOrEqual(tagFileBytesMax(slots));
  file.write(0, 7n, 11n);
  file.write(slots - 1, 8n, 12n);
  file.write(0, 7n, 13n);
  expect(file.read()).toEqual({
    floor: 9,
    forgotten: 0,
    tags: [...list, tag(7n, 13n), tag(8n, 12n)],
  });
});

test("any flipped bit of a slot is damage and not silence", () => {
  const file = tagFile({ floor: 0, dropped: 0, tags: [tag(5n, 6n)] });
  file.write(3, 0x1234n, 77n);
  const before = file.bytes();
  // Of the header, the slot in the list, the one in the mirror, and one that is free.
  for (const start of [0, 4096, file.mirror + 3 * 32, file.mirror + 5 * 32]) {
    for (let bit = 0; bit < 192; bit++) {
      const position = start + (bit >>> 3);
      writeSync(file.fd, Buffer.of((before[position] ?? 0) ^ (1 << (bit & 7))), 0, 1, position);
      expect(file.read()).toBeNull();
      writeSync(file.fd, before, position, 1, position);
    }
  }
  expect(file.read()?.tags).toHaveLength(2);
});

test("a slot of another number, another directory, and another length are damage", () => {
  const file = tagFile();
  writeTagSlot(file.fd, seed + 1n, file.mirror, 1, tag(4n, 4n));
  expect(file.read()).toBeNull();
  file.write(1, 4n, 4n);
  expect(file.read()?.tags).toEqual([tag(4n, 4n)]);
  const bytes = file.bytes();
  expect(readTagFile(bytes, seed + 1n, hasher)).toBeNull();
  expect(readTagFile(bytes.subarray(0, -1), seed, hasher)).toBeNull();
  expect(readTagFile(Buffer.concat([bytes, Buffer.of(0)]), seed, hasher)).toBeNull();
  expect(readTagFile(Buffer.alloc(0), seed, hasher)).toBeNull();
  bytes.copyWithin(file.mirror + 64, file.mirror + 32, file.mirror + 64);
  expect(readTagFile(bytes, seed, hasher)).toBeNull();
});

test("what was forgotten is not carried on; a damaged mark forgets nothing", () => {
  const file = tagFile({ floor: 0, dropped: 0, tags: [tag(1n, 10n)] });
  file.write(0, 2n, 20n);
  file.write(1, 3n, 30n);
  const carried = () => {
    const reading = file.read();
    if (reading === null) throw new Error("the file is whole");
    return carryTags(reading, 0, 0, slots).tags.map(({ hash }) => hash);
  };
  expect(carried()).toEqual([1n, 2n, 3n]);
  writeForgotten(file.fd, seed, 20);
  expect(carried()).toEqual([3n]);
  writeSync(file.fd, Buffer.of(0xff), 0, 1, 1024 + 2);
  expect(carried()).toEqual([3n]);
  writeSync(file.fd, Buffer.of(0xff), 0, 1, 2048 + 2);
  expect(carried()).toEqual([1n, 2n, 3n]);
});

test("each tag is carried once, unless a floor or a clear covers it", () => {
  const tags = [tag(1n, 10n), tag(2n, 20n), tag(1n, 15n), tag(3n, 12n)];
  const reading = { floor: 2, forgotten: 0, tags };
  const carried = carryTags(reading, 1, 0, slots);
  expect(carried).toEqual({
    floor: 2,
    dropped: 0,
    tags: [tag(1n, 15n), tag(2n, 20n), tag(3n, 12n)],
  });
  expect(newestInvalidation(carried)).toBe(20);
  expect(carryTags(reading, 12, 0, slots)).toEqual({
    floor: 12,
    dropped: 0,
    tags: [tag(2n, 20n), tag(1n, 15n)],
  });
  // A clear voids what is below it, tagged or not: no floor is needed.
  expect(carryTags(reading, 1, 15, slots)).toEqual({ floor: 2, dropped: 0, tags: [tag(2n, 20n)] });
});

test("a smaller table keeps the newest, and the floor covers the others", () => {
  const tags = Array.from({ length: 40 }, (_, n) => tag(BigInt(n + 1), BigInt(100 + n)));
  const carried = carryTags({ floor: 0, forgotten: 0, tags }, 0, 0, 28);
  expect(carried.tags.map(({ sequence }) => Number(sequence))).toEqual(
    Array.from({ length: 21 }, (_, n) => 139 - n),
  );
  expect(carried).toMatchObject({ floor: 118, dropped: 19 });
});
