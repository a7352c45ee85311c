// The part of the epochs file for tags: an invalidation that returned is remembered, or the damage
// is detected.

import { readFileSync, writeSync } from "node:fs";
import { expect, test } from "vitest";
import { epochSlotCount, writeTagCell, writeTagFloor } from "../../dist/src/directory/mod.js";
import { emptyEpochs, epochsFileBytes } from "../../dist/src/directory/epochs.js";
import {
  newestTagEpoch,
  readTagEpochs,
  tagCellCount,
} from "../../dist/src/directory/tag-epochs.js";
import * as at from "../../dist/src/kernel/layout.js";
import { scratchFile, seed } from "../disk/scratch.js";

function epochsFile(): { fd: number; read: () => ReturnType<typeof readTagEpochs> } {
  const { fd, file } = scratchFile(epochsFileBytes);
  writeSync(fd, emptyEpochs(), 0, epochsFileBytes, 0);
  return { fd, read: () => readTagEpochs(readFileSync(file), seed) };
}

test("the file has room for every cell of the shared table", () => {
  expect(tagCellCount).toBe(at.tagCells);
  expect(epochSlotCount).toBe(at.threadsMax);
});

test("returns every cell and the highest floor", () => {
  const { fd, read } = epochsFile();
  expect(newestTagEpoch(read() as NonNullable<ReturnType<typeof read>>)).toBe(0);
  writeTagCell(fd, seed, 0, 5);
  writeTagCell(fd, seed, tagCellCount - 1, 2 ** 48 - 1);
  writeTagFloor(fd, seed, 3, 9);
  writeTagFloor(fd, seed, 63, 7);
  const tags = read();
  expect(tags?.floor).toBe(9);
  expect(tags?.cells[0]).toBe(5);
  expect(tags?.cells[tagCellCount - 1]).toBe(2 ** 48 - 1);
  expect(tags?.cells.filter((sequence) => sequence !== 0)).toHaveLength(2);
});

test("one copy repairs the other; damage of both is reported", () => {
  const { fd, read } = epochsFile();
  writeTagCell(fd, seed, 7, 1234);
  writeSync(fd, Buffer.of(0xff), 0, 1, 8192 + 7 * 16 + 3);
  expect(read()?.cells[7]).toBe(1234);
  writeSync(fd, Buffer.of(0xff), 0, 1, 73_728 + 7 * 16 + 3);
  expect(read()).toBeNull();
  writeTagCell(fd, seed, 7, 1235);
  expect(read()?.cells[7]).toBe(1235);
  writeSync(fd, Buffer.of(1), 0, 1, 6656);
  expect(read()).toBeNull();
});

test("refuses an invalid cell and a cell of another directory", () => {
  const { fd, read } = epochsFile();
  expect(() => writeTagCell(fd, seed, tagCellCount, 1)).toThrow("cells of the table");
  expect(() => writeTagFloor(fd, seed, epochSlotCount, 1)).toThrow("one of the floor slots");
  writeTagCell(fd, seed + 1n, 1, 4);
  expect(read()).toBeNull();
});
