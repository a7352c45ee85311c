// The tag part of the epochs file: the cells of the shared tag table, and a floor for each thread
// id, up to which every tagged record is void. Threads write it by descriptor; openDirectory reads.
// Invariant: only the owner of the tag lock writes a cell, with the value the shared table has at
// that moment, so a cell on disk never decreases. A thread that cannot take the lock writes its own
// floor instead, which voids more.
import { type Device, fileDevice } from "../device/mod.js";
import { assert } from "../base/mod.js";
import { epochSlotCount, isEpochsFile, readSlots, type SlotOffsets, writeSlot } from "./epochs.js";

/** Cells of the tag table; equal to the number of cells in shared memory. */
export const tagCellCount = 4096;
const floorOffsets: SlotOffsets = [2560, 6656];
const cellOffsets: SlotOffsets = [8192, 73_728];

/** The tag invalidations of earlier sessions. Plain data: it is posted to the janitor. */
export interface TagEpochs {
  /** Tagged records up to this sequence are void. */
  readonly floor: number;
  /** The newest invalidation of each cell, 0 = none. */
  readonly cells: Float64Array;
}

/** The tag epochs of a directory before the first invalidation of a tag. */
export function noTagEpochs(): TagEpochs {
  return { floor: 0, cells: new Float64Array(tagCellCount) };
}

/**
 * Writes that a cell was raised to `sequence`. It survives a process crash when this returns. The
 * caller holds the tag lock.
 */
export function writeTagCell(
  fd: number,
  seed: bigint,
  cell: number,
  sequence: number,
  device: Device = fileDevice,
): void {
  assert(cell >= 0 && cell < tagCellCount, "a tag has cells of the table");
  writeSlot(fd, seed, cellOffsets, cell, sequence, device);
}

/**
 * Writes that every tagged record up to `sequence` is void. It survives a process crash when this
 * returns. `thread` is the caller's thread id.
 */
export function writeTagFloor(
  fd: number,
  seed: bigint,
  thread: number,
  sequence: number,
  device: Device = fileDevice,
): void {
  assert(thread >= 0 && thread < epochSlotCount, "a thread owns one of the floor slots");
  writeSlot(fd, seed, floorOffsets, thread, sequence, device);
}

/** The tag epochs in the file, or null if it is damaged or not an epochs file. */
export function readTagEpochs(bytes: Buffer, seed: bigint): TagEpochs | null {
  if (!isEpochsFile(bytes)) return null;
  const floors = readSlots(bytes, seed, floorOffsets, epochSlotCount);
  const cells = readSlots(bytes, seed, cellOffsets, tagCellCount);
  return floors === null || cells === null ? null : { floor: Math.max(...floors), cells };
}

/** The highest sequence in the floor and the cells. */
export function newestTagEpoch({ floor, cells }: TagEpochs): number {
  return cells.reduce((newest, sequence) => Math.max(newest, sequence), floor);
}
