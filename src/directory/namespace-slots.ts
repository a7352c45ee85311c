// The namespaces of a directory, in the second part of the epochs file: which name has which id, up
// to where each was cleared, and under which version its entries were stored. Slot 0 is the cache's
// own: it has no name, and its clears are in the first part. Whoever holds the namespace lock
// writes a slot, whole, by descriptor. openDirectory reads them.
// Invariants: a name is written before the first record of its namespace is stored. An unreadable
// slot counts as damage, never as "no such namespace": another name would get its id.

//   a slot, 256 bytes, all zero = unused
//   0   ┬ check          u32  CRC-32 of the rest, XOR the low half of the seed
//   4   ├ state          u16  1
//   6   ├ nameBytes      u16
//   8   ├ clear          u64  its records up to this sequence are void
//   16  ├ version        u64  the beginning of the version's SHA-256, 0 = none
//   24  ├ lastUse        u32  the session that last asked for it, counted up
//   28  ├ zero
//   64  ┴ name           UTF-8, at most 192 bytes; in slot 0 the version itself

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { assert } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import { type Damage, isZero } from "./damage.js";

/** Ids 0 to 64. */
export const namespaceSlotCount = 65;
const slotSize = 256;
const nameOffset = 64;
const nameBytesMax = 192;
/** Bytes of all slots. */
export const namespaceSlotsBytes: number = namespaceSlotCount * slotSize;

/** What a slot says. */
export interface NamespaceSlot {
  readonly id: number;
  /** Of slot 0: the cache's version, "" = none. */
  readonly name: string;
  /** As versionHashOf gives it. */
  readonly versionHash: bigint;
  /** 0 = never cleared. */
  readonly clear: number;
  /** The session that last asked for it, counted up. */
  readonly lastUse: number;
}

/** What stands for a version in a slot; 0 for none. */
export function versionHashOf(version: string): bigint {
  if (version === "") return 0n;
  return createHash("sha256").update(version).digest().readBigUInt64LE(0) | 1n;
}

/** Writes a slot; `offset` is that of slot 0. It survives a process crash when this returns. */
export function writeNamespaceSlot(
  fd: number,
  seed: bigint,
  offset: number,
  slot: NamespaceSlot,
  device: Device = fileDevice,
): void {
  assert(slot.id >= 0 && slot.id < namespaceSlotCount, "an id names a slot");
  const bytes = Buffer.alloc(slotSize);
  const nameBytes = Buffer.byteLength(slot.name, "utf8");
  assert(nameBytes <= nameBytesMax, "a name has at most 64 characters");
  bytes.writeUInt16LE(1, 4);
  bytes.writeUInt16LE(nameBytes, 6);
  bytes.writeBigUInt64LE(BigInt(slot.clear), 8);
  bytes.writeBigUInt64LE(slot.versionHash, 16);
  bytes.writeUInt32LE(slot.lastUse, 24);
  bytes.write(slot.name, nameOffset, "utf8");
  bytes.writeUInt32LE(checkOf(bytes, seed), 0);
  device.writeAtSync(fd, bytes, 0, slotSize, offset + slot.id * slotSize);
}

/** Reads all slots that are used; null if one is damaged. */
export function readNamespaceSlots(
  bytes: Buffer,
  seed: bigint,
  offset: number,
): NamespaceSlot[] | null {
  const slots: NamespaceSlot[] = [];
  for (let id = 0; id < namespaceSlotCount; id++) {
    const slot = bytes.subarray(offset + id * slotSize, offset + (id + 1) * slotSize);
    if (isZero(slot)) continue;
    if (slot.readUInt32LE(0) !== checkOf(slot, seed)) return null;
    const name = slot.toString("utf8", nameOffset, nameOffset + slot.readUInt16LE(6));
    const clear = Number(slot.readBigUInt64LE(8));
    const versionHash = slot.readBigUInt64LE(16);
    slots.push({ id, name, versionHash, clear, lastUse: slot.readUInt32LE(24) });
  }
  return slots;
}

/** The slots that are damaged. */
export function namespaceDamage(bytes: Buffer, seed: bigint, offset: number): Damage[] {
  const damage: Damage[] = [];
  for (let id = 0; id < namespaceSlotCount; id++) {
    const at = offset + id * slotSize;
    const slot = bytes.subarray(at, at + slotSize);
    if (isZero(slot) || slot.readUInt32LE(0) === checkOf(slot, seed)) continue;
    damage.push({ offset: at, kind: "slot", text: `the slot of namespace ${id} fails its check` });
  }
  return damage;
}

function checkOf(bytes: Buffer, seed: bigint): number {
  return (crc32(bytes.subarray(4)) ^ Number(seed & 0xffff_ffffn)) >>> 0;
}
