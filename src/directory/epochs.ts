// The epochs file: which writes are void because of a clear, or of a tag (tag-epochs.ts). Each
// thread writes its own slot by descriptor; openDirectory reads the file.
// Invariant: an unreadable slot counts as damage, never as "no clear", which would bring entries
// back.

//   0      ┬ magic "UCEPOCHS"  8 bytes, version u32, zero padding to 1024
//   1024   ├ clear slots, first copy: 68 × { sequence u64, check u64 }, zero = unused;
//          │ check = sequence XOR constant XOR seed
//   2560   ├ tag floor slots, first copy: 68 × the same
//   3648   ├ zero
//   5120   ├ clear slots, second copy; in another page, so one damaged sector loses no clear
//   6656   ├ tag floor slots, second copy
//   7744   ├ zero
//   8192   ├ tag cells, first copy: 4,096 × the same (tag-epochs.ts)
//   73728  ├ tag cells, second copy
//   139264 ┴

import { KiB, assert } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";

export const epochsFileBytes = 136 * KiB;
/** One slot for each thread id. */
export const epochSlotCount = 68;
const slotSize = 16;
const slotsOffsets = [1024, 5120] as const;
const epochsMagic = 0x5348434f50454355n;
const epochsVersion = 3;
const checkConstant = 0x756e646572637266n;

/** The bytes of an epochs file before the first clear. */
export function emptyEpochs(): Buffer {
  const bytes = Buffer.alloc(epochsFileBytes);
  bytes.writeBigUInt64LE(epochsMagic, 0);
  bytes.writeUInt32LE(epochsVersion, 8);
  return bytes;
}

/**
 * Writes that every record up to and including `sequence` is void. It survives a process crash when
 * this returns. `thread` is the caller's thread id, so no two threads write one slot. `seed` is the
 * directory's.
 */
export function writeClearEpoch(
  fd: number,
  seed: bigint,
  thread: number,
  sequence: number,
  device: Device = fileDevice,
): void {
  assert(thread >= 0 && thread < epochSlotCount, "a thread owns one of the epoch slots");
  assert(sequence > 0, "sequence 0 is no sequence");
  writeSlot(fd, seed, slotsOffsets, thread, sequence, device);
}

/** Offsets of the two copies of an array of slots. */
export type SlotOffsets = readonly [number, number];

/** Writes both copies of a slot. */
export function writeSlot(
  fd: number,
  seed: bigint,
  offsets: SlotOffsets,
  index: number,
  sequence: number,
  device: Device,
): void {
  const slot = Buffer.alloc(slotSize);
  slot.writeBigUInt64LE(BigInt(sequence), 0);
  slot.writeBigUInt64LE(checkOf(BigInt(sequence), seed), 8);
  for (const offset of offsets) {
    device.writeAtSync(fd, slot, 0, slotSize, offset + index * slotSize);
  }
}

/** True if the bytes are an epochs file of this version. */
export function isEpochsFile(bytes: Buffer): boolean {
  return (
    bytes.length === epochsFileBytes &&
    bytes.readBigUInt64LE(0) === epochsMagic &&
    bytes.readUInt32LE(8) === epochsVersion
  );
}

/**
 * The highest sequence that a clear made void, 0 if there was none, null if the file is damaged or
 * not an epochs file.
 */
export function readClearEpoch(bytes: Buffer, seed: bigint): number | null {
  if (!isEpochsFile(bytes)) return null;
  const slots = readSlots(bytes, seed, slotsOffsets, epochSlotCount);
  return slots === null ? null : Math.max(...slots);
}

/** The sequences of an array of slots, 0 where none was written; null if one is damaged. */
export function readSlots(
  bytes: Buffer,
  seed: bigint,
  offsets: SlotOffsets,
  count: number,
): Float64Array | null {
  const sequences = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const first = readSlot(bytes, offsets[0] + index * slotSize, seed);
    const second = readSlot(bytes, offsets[1] + index * slotSize, seed);
    if (first === null && second === null) return null;
    // One copy damaged and the other never written: the first write of this slot was cut short, or
    // its copy was damaged later. Its sequence is unknown.
    if ((first === null && second === 0) || (second === null && first === 0)) return null;
    sequences[index] = Math.max(first ?? 0, second ?? 0);
  }
  return sequences;
}

function readSlot(bytes: Buffer, offset: number, seed: bigint): number | null {
  const sequence = bytes.readBigUInt64LE(offset);
  const check = bytes.readBigUInt64LE(offset + 8);
  if (sequence === 0n && check === 0n) return 0;
  return check === checkOf(sequence, seed) ? Number(sequence) : null;
}

function checkOf(sequence: bigint, seed: bigint): bigint {
  return BigInt.asUintN(64, sequence ^ checkConstant ^ seed);
}
