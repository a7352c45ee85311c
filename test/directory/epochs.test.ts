// The epochs file: a clear that returned is remembered, or the damage is detected.

import { readFileSync, writeSync } from "node:fs";
import { expect, test } from "vitest";
import { epochSlotCount, writeClearEpoch, writeTagFloor } from "../../dist/src/directory/mod.js";
import { emptyEpochs, epochsFileBytes, readEpochs } from "../../dist/src/directory/epochs.js";
import { scratchFile, seed } from "../disk/scratch.js";

function epochsFile(): { fd: number; file: string; read: () => number | null } {
  const { fd, file } = scratchFile(epochsFileBytes);
  writeSync(fd, emptyEpochs(), 0, epochsFileBytes, 0);
  return { fd, file, read: () => readEpochs(readFileSync(file), seed)?.clear ?? null };
}

test("returns the highest clear of all threads, 0 without one", () => {
  const { fd, read } = epochsFile();
  expect(read()).toBe(0);
  writeClearEpoch(fd, seed, 0, 5);
  writeClearEpoch(fd, seed, epochSlotCount - 1, 2 ** 48 - 1);
  writeClearEpoch(fd, seed, 1, 9);
  expect(read()).toBe(2 ** 48 - 1);
  writeClearEpoch(fd, seed, epochSlotCount - 1, 7);
  expect(read()).toBe(9);
});

test("refuses a clear without a sequence or a slot", () => {
  const { fd } = epochsFile();
  expect(() => writeClearEpoch(fd, seed, 0, 0)).toThrow("no sequence");
  expect(() => writeClearEpoch(fd, seed, epochSlotCount, 1)).toThrow("one of the epoch slots");
});

test("any flipped bit in one copy of a slot is repaired by the other copy", () => {
  const { fd, file, read } = epochsFile();
  writeClearEpoch(fd, seed, 3, 1234);
  const before = readFileSync(file);
  for (const copy of [1024, 5120]) {
    for (let bit = 0; bit < 128; bit++) {
      const position = copy + 3 * 16 + (bit >>> 3);
      writeSync(fd, Buffer.of((before[position] ?? 0) ^ (1 << (bit & 7))), 0, 1, position);
      expect(read()).toBe(1234);
      writeSync(fd, before, position, 1, position);
    }
  }
});

test("damage of both copies, or one damaged and one lost, is reported", () => {
  const { fd, read } = epochsFile();
  writeSync(fd, Buffer.of(1), 0, 1, 1024);
  expect(read()).toBeNull();
  writeSync(fd, Buffer.of(1), 0, 1, 5120);
  expect(read()).toBeNull();
  writeClearEpoch(fd, seed, 0, 4);
  expect(read()).toBe(4);
  writeSync(fd, Buffer.alloc(4096), 0, 4096, 4096);
  expect(read()).toBe(4);
});

test("another directory's slots, another magic or version, and another length are damage", () => {
  const { fd, read } = epochsFile();
  writeClearEpoch(fd, seed + 1n, 0, 4);
  expect(read()).toBeNull();
  expect(readEpochs(Buffer.alloc(0), seed)).toBeNull();
  expect(readEpochs(Buffer.alloc(epochsFileBytes), seed)).toBeNull();
  const other = emptyEpochs();
  other.writeUInt32LE(99, 8);
  expect(readEpochs(other, seed)).toBeNull();
  expect(readEpochs(emptyEpochs().subarray(1), seed)).toBeNull();
});

test("gives the highest tag floor of all threads, apart from the clears", () => {
  const { fd, file } = epochsFile();
  writeTagFloor(fd, seed, 3, 9);
  writeTagFloor(fd, seed, 63, 7);
  expect(readEpochs(readFileSync(file), seed)).toEqual({ clear: 0, tagFloor: 9, namespaces: [] });
  writeSync(fd, Buffer.of(1), 0, 1, 6656);
  expect(readEpochs(readFileSync(file), seed)).toBeNull();
  expect(() => writeTagFloor(fd, seed, epochSlotCount, 1)).toThrow("floor slots");
});
