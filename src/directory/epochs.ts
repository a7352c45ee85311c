// The epochs file: which writes a clear has made void, and which an invalidation of a tag (tag-epochs.ts). Any thread writes
// its own slot by descriptor; openDirectory reads.
// Invariant: a slot that cannot be read for certain counts as damage, never as "no clear", which would bring entries back.
//
//   0      ┬ magic "UCEPOCHS"  8 bytes, version u32, zero padding to 1024
//   1024   ├ clear slots, first copy: 64 × { sequence u64, check u64 = sequence XOR constant XOR seed }, zero = unused
//   2048   ├ tag floor slots, first copy: 64 × the same
//   3072   ├ zero
//   5120   ├ clear slots, second copy, in another page, so that one damaged sector forgets no clear
//   6144   ├ tag floor slots, second copy
//   7168   ├ zero
//   8192   ├ tag cells, first copy: 4,096 × the same (tag-epochs.ts)
//   73728  ├ tag cells, second copy
//   139264 ┴

import { KiB, assert } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";

export const epochsFileBytes = 136 * KiB;
/** Threads that may clear, each with a slot of its own. */
export const epochSlotCount = 64;
const slotSize = 16;
const slotsOffsets = [1024, 5120] as const;
const epochsMagic = 0x5348434f50454355n;
const epochsVersion = 2;
const checkConstant = 0x756e646572637266n;

/** The bytes of an epochs file in which nothing was ever cleared. */
export function emptyEpochs(): Buffer {
  const bytes = Buffer.alloc(epochsFileBytes);
  bytes.writeBigUInt64LE(epochsMagic, 0);
  bytes.writeUInt32LE(epochsVersion, 8);
  return bytes;
}

/** Makes durable against a kill, before it returns, that every record up to and including `sequence` is void.
 * `thread` is the caller's own slot, 0 to 63; no two threads share one. `seed` is the directory's. */
export function writeClearEpoch(
  fd: number,
  seed: bigint,
  thread: number,
  sequence: number,
  device: Device = fileDevice,
): void {
  assert(thread >= 0 && thread < epochSlotCount, "a thread owns one of 64 epoch slots");
  assert(sequence > 0, "sequence 0 is no sequence");
  writeSlot(fd, seed, slotsOffsets, thread, sequence, device);
}

/** Where the two copies of an array of slots begin. */
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

/** Is this an epochs file of this version? */
export function isEpochsFile(bytes: Buffer): boolean {
  return (
    bytes.length === epochsFileBytes &&
    bytes.readBigUInt64LE(0) === epochsMagic &&
    bytes.readUInt32LE(8) === epochsVersion
  );
}

/** The highest sequence that a clear made void, 0 if there was none, or null if the file is damaged or a stranger's. */
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
    // One copy damaged and the other never written: the damaged one held a sequence that nobody can name now.
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
