// The namespaces of a directory, in the second part of the epochs file: which name has which id, up
// to where each was cleared, and under which version its entries were stored. Slot 0 is the cache's
// own: it has no name, and its clears are in the first part. Whoever holds the namespace lock
// writes a slot, whole, by descriptor. openDirectory reads them.
// Invariants: a name is written before the first record of its namespace is stored. An unreadable
// slot counts as damage, never as "no such namespace": another name would get its id.

//   a slot, 512 bytes, all zero = unused
//   0   ┬ check          u32  CRC-32 of the rest, XOR the low half of the seed
//   4   ├ nameBytes      u16
//   6   ├ versionBytes   u16
//   8   ├ clear          u64  its records up to this sequence are void
//   16  ├ state          u32  1
//   20  ├ zero
//   128 ├ name           UTF-8, at most 192 bytes
//   320 ┴ version        UTF-8, at most 192 bytes

import { crc32 } from "node:zlib";
import { assert } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";

/** Ids 0 to 64. */
export const namespaceSlotCount = 65;
const slotSize = 512;
const nameOffset = 128;
const versionOffset = 320;
const textBytesMax = 192;
/** Bytes of one copy of all slots. */
export const namespaceSlotsBytes: number = namespaceSlotCount * slotSize;

/** What a slot says. */
export interface NamespaceSlot {
  readonly id: number;
  readonly name: string;
  /** "" = none. */
  readonly version: string;
  /** 0 = never cleared. */
  readonly clear: number;
}

/**
 * Writes both copies of a slot; `offsets` are those of the copies of slot 0. It survives a process
 * crash when this returns.
 */
export function writeNamespaceSlot(
  fd: number,
  seed: bigint,
  offsets: readonly number[],
  slot: NamespaceSlot,
  device: Device = fileDevice,
): void {
  assert(slot.id >= 0 && slot.id < namespaceSlotCount, "an id names a slot");
  const bytes = Buffer.alloc(slotSize);
  bytes.writeUInt16LE(writeText(bytes, nameOffset, slot.name), 4);
  bytes.writeUInt16LE(writeText(bytes, versionOffset, slot.version), 6);
  bytes.writeBigUInt64LE(BigInt(slot.clear), 8);
  bytes.writeUInt32LE(1, 16);
  bytes.writeUInt32LE(checkOf(bytes, seed), 0);
  for (const offset of offsets) {
    device.writeAtSync(fd, bytes, 0, slotSize, offset + slot.id * slotSize);
  }
}

function writeText(bytes: Buffer, at: number, text: string): number {
  const length = Buffer.byteLength(text, "utf8");
  assert(length <= textBytesMax, "a name has at most 64 characters");
  bytes.write(text, at, "utf8");
  return length;
}

/** Reads all slots that are used; null if one is damaged. */
export function readNamespaceSlots(
  bytes: Buffer,
  seed: bigint,
  offsets: readonly number[],
): NamespaceSlot[] | null {
  const slots: NamespaceSlot[] = [];
  for (let id = 0; id < namespaceSlotCount; id++) {
    const copies = offsets.map((offset) => {
      const start = offset + id * slotSize;
      return readSlot(bytes.subarray(start, start + slotSize), seed, id);
    });
    if (copies.every((copy) => copy === "unused")) continue;
    // One copy damaged and the other never written: what the first write said is unknown.
    const whole = copies.filter((copy) => typeof copy === "object");
    if (whole.length === 0) return null;
    // A write that was cut short has left one copy older: the newer one is first, and a clear that
    // it has may have been seen.
    slots.push(whole[0] as NamespaceSlot);
  }
  return slots;
}

function readSlot(bytes: Buffer, seed: bigint, id: number): NamespaceSlot | "unused" | "damaged" {
  if (bytes.every((byte) => byte === 0)) return "unused";
  if (bytes.readUInt32LE(0) !== checkOf(bytes, seed)) return "damaged";
  const [name, version] = [[nameOffset, 4] as const, [versionOffset, 6] as const].map(
    ([at, length]) => bytes.toString("utf8", at, at + bytes.readUInt16LE(length)),
  );
  const clear = Number(bytes.readBigUInt64LE(8));
  return { id, name: name as string, version: version as string, clear };
}

function checkOf(bytes: Buffer, seed: bigint): number {
  return (crc32(bytes.subarray(4)) ^ Number(seed & 0xffff_ffffn)) >>> 0;
}
