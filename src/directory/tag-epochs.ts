// The part of the epochs file that remembers invalidated tags: the cells of the shared tag table that were raised, and for
// each thread a floor, below which every tagged record is void. Threads write it by descriptor; openDirectory reads it.
// Invariant: a cell is written only by the thread that holds the tag lock, with what the shared table says then, so the file
// never goes back; a thread that cannot have the lock writes its own floor instead, which voids more.
import { type Device, fileDevice } from "../device/mod.js";
import { assert } from "../base/mod.js";
import { epochSlotCount, isEpochsFile, readSlots, type SlotOffsets, writeSlot } from "./epochs.js";

/** Cells of the tag table. The kernel's table has as many. */
export const tagCellCount = 4096;
const floorOffsets: SlotOffsets = [2048, 6144];
const cellOffsets: SlotOffsets = [8192, 73_728];

/** What is remembered of tags: plain data, posted to the janitor. */
export interface TagEpochs {
  /** Tagged records up to this sequence are void. */
  readonly floor: number;
  /** The newest invalidation of each cell, 0 = none. */
  readonly cells: Float64Array;
}

/** The epochs of a directory in which no tag was ever invalidated. */
export function noTagEpochs(): TagEpochs {
  return { floor: 0, cells: new Float64Array(tagCellCount) };
}

/** Makes durable against a kill, before it returns, that a cell was raised to `sequence`. Call with the tag lock held. */
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

/** Makes durable against a kill, before it returns, that every tagged record up to `sequence` is void. `thread` is the
 *  caller's own slot. */
export function writeTagFloor(
  fd: number,
  seed: bigint,
  thread: number,
  sequence: number,
  device: Device = fileDevice,
): void {
  assert(thread >= 0 && thread < epochSlotCount, "a thread owns one of 64 floor slots");
  writeSlot(fd, seed, floorOffsets, thread, sequence, device);
}

/** What a directory remembers of tags, or null if the file is damaged or a stranger's. */
export function readTagEpochs(bytes: Buffer, seed: bigint): TagEpochs | null {
  if (!isEpochsFile(bytes)) return null;
  const floors = readSlots(bytes, seed, floorOffsets, epochSlotCount);
  const cells = readSlots(bytes, seed, cellOffsets, tagCellCount);
  return floors === null || cells === null ? null : { floor: Math.max(...floors), cells };
}

/** The newest sequence that any of it names. */
export function newestTagEpoch({ floor, cells }: TagEpochs): number {
  return cells.reduce((newest, sequence) => Math.max(newest, sequence), floor);
}
