// The epochs file: which writes are void because of a clear, and up to which all tagged records are
// void; and the namespaces. Each thread writes its own slots by descriptor; openDirectory reads the
// file. Which single tags were invalidated is in the tags file (tag-file.ts). Invariant: an
// unreadable slot counts as damage, never as "no clear", which would bring entries back.

//   0      ┬ magic "UCEPOCHS"  8 bytes, version u32, zero padding to 1024
//   1024   ├ clear slots, first copy: 68 × { sequence u64, check u64 }, zero = unused;
//          │ check = sequence XOR constant XOR seed
//   2560   ├ tag floor slots, first copy: 68 × the same
//   3648   ├ zero
//   5120   ├ clear slots, second copy; in another page, so one damaged sector loses no clear
//   6656   ├ tag floor slots, second copy
//   7744   ├ zero
//   8192   ├ namespaces: 65 × 256 bytes (namespace-slots.ts)
//   24832  ┴

import { KiB, assert } from "../base/mod.js";
import { type Device, fileDevice, lengthOf } from "../device/mod.js";
import { type Damage, paddingDamage, wrongLength } from "./damage.js";
import {
  namespaceDamage,
  type NamespaceSlot,
  namespaceSlotsBytes,
  readNamespaceSlots,
  writeNamespaceSlot,
} from "./namespace-slots.js";

const namespaceOffset = 8 * KiB;
export const epochsFileBytes: number = namespaceOffset + namespaceSlotsBytes;
/** One slot for each thread id. */
export const epochSlotCount = 68;
const slotSize = 16;
const clearOffsets = [1024, 5120] as const;
const floorOffsets = [2560, 6656] as const;
const epochsMagic = 0x5348434f50454355n;
const epochsVersion = 5;
const checkConstant = 0x756e646572637266n;

/** The bytes of an epochs file before the first clear. */
export function emptyEpochs(): Buffer {
  const bytes = Buffer.alloc(epochsFileBytes);
  bytes.writeBigUInt64LE(epochsMagic, 0);
  bytes.writeUInt32LE(epochsVersion, 8);
  return bytes;
}

/** The length of an epochs file that counts as damaged, and nothing of it is lost: the directory
 *  must not be trusted for now. */
export const distrustedBytes: number = epochsFileBytes + 1;

/** Whether the open epochs file has that length. */
export function areDistrusted(fd: number): boolean {
  return lengthOf(fd) === distrustedBytes;
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
  writeSlot(fd, seed, clearOffsets, thread, sequence, device);
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

/** Writes the slots anew that a write which failed has left torn: up to `clear` all is void, up to
 *  `floor` all that has tags. Both are the newest, so at least what the slots were to say. */
export function mendEpochSlots(
  fd: number,
  seed: bigint,
  clear: number,
  floor: number,
  device: Device = fileDevice,
): void {
  const bytes = Buffer.alloc(namespaceOffset);
  device.readAtSync(fd, bytes, 0, namespaceOffset, 0);
  const arrays = [
    { offsets: clearOffsets, sequence: clear },
    { offsets: floorOffsets, sequence: floor },
  ];
  for (const { offsets, sequence } of arrays) {
    for (let index = 0; index < epochSlotCount; index++) {
      const copies = offsets.map((offset) => readSlot(bytes, offset + index * slotSize, seed));
      if (copies.includes(null)) writeSlot(fd, seed, offsets, index, sequence, device);
    }
  }
}

/** Offsets of the two copies of an array of slots. */
type SlotOffsets = readonly [number, number];

/** Writes both copies of a slot. */
function writeSlot(
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
function isEpochsFile(bytes: Buffer): boolean {
  return (
    bytes.length === epochsFileBytes &&
    bytes.readBigUInt64LE(0) === epochsMagic &&
    bytes.readUInt32LE(8) === epochsVersion
  );
}

/** What an epochs file says; 0 = none. */
export interface EpochsReading {
  /** Every record up to it is void. */
  readonly clear: number;
  /** Every tagged record up to it is void. */
  readonly tagFloor: number;
  readonly namespaces: readonly NamespaceSlot[];
}

/** Writes what the directory is to know of a namespace, or of the cache itself (id 0). */
export function writeNamespace(
  fd: number,
  seed: bigint,
  slot: NamespaceSlot,
  device: Device = fileDevice,
): void {
  writeNamespaceSlot(fd, seed, namespaceOffset, slot, device);
}

/** Reads an epochs file; null if it is damaged or not one. */
export function readEpochs(bytes: Buffer, seed: bigint): EpochsReading | null {
  if (!isEpochsFile(bytes)) return null;
  const clear = newestOf(bytes, seed, clearOffsets);
  const tagFloor = newestOf(bytes, seed, floorOffsets);
  const namespaces = readNamespaceSlots(bytes, seed, namespaceOffset);
  if (clear === null || tagFloor === null || namespaces === null) return null;
  return { clear, tagFloor, namespaces };
}

/** What is damaged in an epochs file, each copy of a slot by itself. */
export function epochsDamage(bytes: Buffer, seed: bigint): Damage[] {
  if (bytes.length !== epochsFileBytes) return [wrongLength(bytes, epochsFileBytes)];
  const damage: Damage[] = [];
  if (!isEpochsFile(bytes)) {
    damage.push({ offset: 0, kind: "header", text: "the header is not that of an epochs file" });
  }
  const slotsBytes = epochSlotCount * slotSize;
  for (const start of [...clearOffsets, ...floorOffsets]) {
    for (let offset = start; offset < start + slotsBytes; offset += slotSize) {
      if (readSlot(bytes, offset, seed) !== null) continue;
      damage.push({ offset, kind: "slot", text: "a slot fails its check" });
    }
  }
  const gaps = paddingDamage(bytes, [
    [12, clearOffsets[0]],
    [clearOffsets[0] + slotsBytes, floorOffsets[0]],
    [floorOffsets[0] + slotsBytes, clearOffsets[1]],
    [clearOffsets[1] + slotsBytes, floorOffsets[1]],
    [floorOffsets[1] + slotsBytes, namespaceOffset],
  ]);
  return [...damage, ...gaps, ...namespaceDamage(bytes, seed, namespaceOffset)];
}

/** The highest sequence of an array of slots, 0 if none was written; null if one is damaged. */
function newestOf(bytes: Buffer, seed: bigint, offsets: SlotOffsets): number | null {
  let newest = 0;
  for (let index = 0; index < epochSlotCount; index++) {
    const first = readSlot(bytes, offsets[0] + index * slotSize, seed);
    const second = readSlot(bytes, offsets[1] + index * slotSize, seed);
    if (first === null && second === null) return null;
    // One copy damaged and the other never written: the first write of this slot was cut short, or
    // its copy was damaged later. Its sequence is unknown.
    if ((first === null && second === 0) || (second === null && first === 0)) return null;
    newest = Math.max(newest, first ?? 0, second ?? 0);
  }
  return newest;
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
