// The tags file: which tags were invalidated, and when. A session begins it anew, with a list of
// what earlier sessions left; behind the list is a mirror of the tag table in shared memory, slot
// by slot, which threads write by descriptor. openDirectory reads it and writes the list.
// Invariants: the file is replaced whole, by a rename, so a list is never partly there. Only the
// owner of the tag lock writes a slot, with what the shared table holds at that moment. A slot that
// cannot be read is damage, never "no invalidation".

//   0      ┬ magic "UCTAGTAB" 8 bytes, version u32, slots u32, listed u32, zero u32, floor u64,
//          │ checksum of 0..32 u64, seed = the directory's
//   1024   ├ forgotten: { sequence u64, check u64 }, zero = none; a second copy at 2048
//   4096   ├ list: `listed` × { hash u64, sequence u64, check u64, zero u64 }
//          ├ mirror: `slots` × the same, zero = free
//          ┴ check = (hash + sequence × K1) XOR (seed + number × K2)
//
// In an encrypted directory hash and sequence are one encrypted block (disk/disk-cipher.ts), and
// the check is of what is written.

import { assert, KiB, MiB } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import type { DiskCipher } from "../disk/mod.js";
import type { Hasher } from "../hash/mod.js";
import type { TrackedTag } from "../kernel/mod.js";
import { type Damage, isZero, paddingDamage, wrongLength } from "./damage.js";

const headerBytes = 4 * KiB;
/** A slot lies within a page, so a write of it is never cut short when the process is. */
const slotBytes = 32;
const magic = 0x4241544741544355n;
const tagFileVersion = 1;
const checksumOffset = 32;
const forgottenOffsets = [1024, 2048] as const;
const forgottenBytes = 16;
const forgottenKey = 0x756e646572637266n;
/** Odd numbers whose bits look random. */
const [K1, K2] = [0x9e3779b97f4a7c15n, 0xc2b2ae3d27d4eb4fn];
/** A list may fill this share of the table, so that tags invalidated later find room. */
const listShare = 3 / 4;
/** What slots are encrypted for. */
const purpose = "tags";

/** The tag invalidations of earlier sessions. Plain data: it is posted to the janitor. */
export interface TagHistory {
  /** Tagged records up to this sequence are void. */
  readonly floor: number;
  /** Tags that found no room and are covered by the floor. */
  readonly dropped: number;
  readonly tags: readonly TrackedTag[];
}

/** A directory in which no tag was invalidated. */
export const noTagHistory: TagHistory = { floor: 0, dropped: 0, tags: [] };

/** What a tags file says. */
export interface TagFileReading {
  readonly floor: number;
  /** Every record that an invalidation up to this sequence voids is gone. */
  readonly forgotten: number;
  /** List and mirror; a tag may be in both. */
  readonly tags: readonly TrackedTag[];
}

/** Where the mirror begins in a file with a list of this length. */
export function mirrorOffset(listed: number): number {
  return headerBytes + listed * slotBytes;
}

/** The most bytes of the file of a table with `slots` slots, and of the list of its successor. */
export function tagFileBytesMax(slots: number): number {
  return 2 * headerBytes + 3 * slots * slotBytes;
}

/** A longer file is no tags file, and is not read: that of the largest table has 42 MiB. */
export const longestTagFileBytes: number = 64 * MiB;

/** The slots of the table of a tags file, as its header says; 0 if it is none. */
export function tagFileSlots(bytes: Buffer): number {
  return bytes.length < headerBytes ? 0 : bytes.readUInt32LE(12);
}

/** The length of the file of a table with `slots` slots, with a list of this length. */
export function tagFileBytes(slots: number, listed: number): number {
  return mirrorOffset(listed) + slots * slotBytes;
}

/** The same for a file whose mirror begins there. */
export function tagFileBytesFrom(mirror: number, slots: number): number {
  return mirror + slots * slotBytes;
}

/** Header and list of a new file. The mirror behind it is zeros. */
export function encodeTagFile(
  history: TagHistory,
  slots: number,
  seed: bigint,
  hasher: Hasher,
  cipher: DiskCipher | null = null,
): Buffer {
  const { tags, floor } = history;
  const bytes = Buffer.alloc(mirrorOffset(tags.length));
  bytes.writeBigUInt64LE(magic, 0);
  bytes.writeUInt32LE(tagFileVersion, 8);
  bytes.writeUInt32LE(slots, 12);
  bytes.writeUInt32LE(tags.length, 16);
  bytes.writeBigUInt64LE(BigInt(floor), 24);
  const checksum = hasher.h64(bytes.subarray(0, checksumOffset), seed);
  bytes.writeBigUInt64LE(checksum, checksumOffset);
  for (const [number, tag] of tags.entries()) {
    encodeSlot(bytes, headerBytes + number * slotBytes, number, sealed(tag, cipher), seed);
  }
  return bytes;
}

function encodeSlot(
  bytes: Buffer,
  at: number,
  number: number,
  tag: TrackedTag,
  seed: bigint,
): void {
  bytes.writeBigUInt64LE(tag.hash, at);
  bytes.writeBigUInt64LE(tag.sequence, at + 8);
  bytes.writeBigUInt64LE(checkOf(tag, number, seed), at + 16);
}

/** A tag as it is written. */
function sealed(tag: TrackedTag, cipher: DiskCipher | null): TrackedTag {
  if (cipher === null) return tag;
  const [hash, sequence] = cipher.sealWords([tag.hash, tag.sequence], purpose);
  return { hash, sequence };
}

function opened(tag: TrackedTag, cipher: DiskCipher | null): TrackedTag {
  if (cipher === null) return tag;
  const [hash, sequence] = cipher.openWords([tag.hash, tag.sequence], purpose);
  return { hash, sequence };
}

function checkOf({ hash, sequence }: TrackedTag, number: number, seed: bigint): bigint {
  return BigInt.asUintN(64, (hash + sequence * K1) ^ (seed + BigInt(number) * K2));
}

/**
 * Writes what a slot of the table holds. It survives a process crash when this returns. The caller
 * holds the tag lock. `mirror` is mirrorOffset of the file.
 */
export function writeTagSlot(
  fd: number,
  seed: bigint,
  mirror: number,
  number: number,
  tag: TrackedTag,
  device: Device = fileDevice,
  cipher: DiskCipher | null = null,
): void {
  assert(tag.hash !== 0n && number >= 0, "a slot that is written holds a tag");
  const slot = Buffer.alloc(slotBytes);
  encodeSlot(slot, 0, number, sealed(tag, cipher), seed);
  device.writeAtSync(fd, slot, 0, slotBytes, mirror + number * slotBytes);
}

/**
 * Writes that every record which an invalidation up to `sequence` voids is gone. Only the janitor
 * writes it, before it forgets the tags.
 */
export function writeForgotten(
  fd: number,
  seed: bigint,
  sequence: number,
  device: Device = fileDevice,
): void {
  const mark = Buffer.alloc(forgottenBytes);
  mark.writeBigUInt64LE(BigInt(sequence), 0);
  mark.writeBigUInt64LE(BigInt(sequence) ^ forgottenKey ^ seed, 8);
  for (const offset of forgottenOffsets) device.writeAtSync(fd, mark, 0, mark.length, offset);
}

/** Reads a tags file; null if it is damaged, of another version, or has not its length. */
export function readTagFile(
  bytes: Buffer,
  seed: bigint,
  hasher: Hasher,
  cipher: DiskCipher | null = null,
): TagFileReading | null {
  if (bytes.length < headerBytes || bytes.readBigUInt64LE(0) !== magic) return null;
  if (bytes.readUInt32LE(8) !== tagFileVersion) return null;
  const checksum = hasher.h64(bytes.subarray(0, checksumOffset), seed);
  if (bytes.readBigUInt64LE(checksumOffset) !== checksum) return null;
  const slots = bytes.readUInt32LE(12);
  const listed = bytes.readUInt32LE(16);
  if (bytes.length !== tagFileBytes(slots, listed)) return null;
  const written: TrackedTag[] = [];
  const isWhole =
    readArea(bytes, headerBytes, listed, seed, written) &&
    readArea(bytes, mirrorOffset(listed), slots, seed, written);
  if (!isWhole) return null;
  const floor = Number(bytes.readBigUInt64LE(24));
  const tags = written.map((tag) => opened(tag, cipher));
  return { floor, forgotten: readForgotten(bytes, seed), tags };
}

/** False if a slot is damaged. */
function readArea(
  bytes: Buffer,
  start: number,
  slots: number,
  seed: bigint,
  tags: TrackedTag[],
): boolean {
  for (let number = 0; number < slots; number++) {
    const tag = readSlot(bytes, start + number * slotBytes, number, seed);
    if (tag === null) return false;
    if (tag !== "free") tags.push(tag);
  }
  return true;
}

/** The tag of a slot; null if it is damaged. */
function readSlot(
  bytes: Buffer,
  at: number,
  number: number,
  seed: bigint,
): TrackedTag | "free" | null {
  const tag = { hash: bytes.readBigUInt64LE(at), sequence: bytes.readBigUInt64LE(at + 8) };
  const check = bytes.readBigUInt64LE(at + 16);
  if (tag.hash === 0n && tag.sequence === 0n && check === 0n) return "free";
  return check === checkOf(tag, number, seed) ? tag : null;
}

/** What is damaged in a tags file. */
export function tagFileDamage(bytes: Buffer, seed: bigint, hasher: Hasher): Damage[] {
  if (bytes.length < headerBytes) return [wrongLength(bytes, headerBytes)];
  const checksum = hasher.h64(bytes.subarray(0, checksumOffset), seed);
  const isHeader =
    bytes.readBigUInt64LE(0) === magic &&
    bytes.readUInt32LE(8) === tagFileVersion &&
    bytes.readBigUInt64LE(checksumOffset) === checksum;
  if (!isHeader) {
    return [{ offset: 0, kind: "header", text: "the header is not that of this tags file" }];
  }
  const slots = bytes.readUInt32LE(12);
  const listed = bytes.readUInt32LE(16);
  const length = tagFileBytes(slots, listed);
  if (bytes.length !== length) return [wrongLength(bytes, length)];
  const [first, second] = forgottenOffsets;
  const damage = paddingDamage(bytes, [
    [checksumOffset + 8, first],
    [first + forgottenBytes, second],
    [second + forgottenBytes, headerBytes],
  ]);
  for (const offset of forgottenOffsets) {
    const isFree = isZero(bytes.subarray(offset, offset + forgottenBytes));
    if (isFree || forgottenAt(bytes, offset, seed) !== null) continue;
    damage.push({ offset, kind: "slot", text: "the mark of forgotten tags fails its check" });
  }
  for (let slot = 0; slot < listed + slots; slot++) {
    const offset = headerBytes + slot * slotBytes;
    const number = slot < listed ? slot : slot - listed;
    const isPadded = isZero(bytes.subarray(offset + 24, offset + slotBytes));
    if (isPadded && readSlot(bytes, offset, number, seed) !== null) continue;
    damage.push({ offset, kind: "slot", text: "the slot of a tag fails its check" });
  }
  return damage;
}

/** A mark that is damaged counts as none: more tags are remembered than need be. */
function readForgotten(bytes: Buffer, seed: bigint): number {
  const marks = forgottenOffsets.map((at) => forgottenAt(bytes, at, seed) ?? 0n);
  return Number(marks.reduce((newest, mark) => (mark > newest ? mark : newest)));
}

/** Null if its check fails, as that of zeros does. */
function forgottenAt(bytes: Buffer, at: number, seed: bigint): bigint | null {
  const sequence = bytes.readBigUInt64LE(at);
  return bytes.readBigUInt64LE(at + 8) === (sequence ^ forgottenKey ^ seed) ? sequence : null;
}

/**
 * What a new session keeps of a tags file, for a table with `slots` slots: each tag once, none that
 * is forgotten, or covered by the floors or by a clear up to `clearEpoch`. If they are more than
 * fit, the newest; the floor covers the others.
 */
export function carryTags(
  reading: TagFileReading,
  floor: number,
  clearEpoch: number,
  slots: number,
): TagHistory {
  const covered = BigInt(Math.max(reading.floor, floor, clearEpoch, reading.forgotten));
  const newest = new Map<bigint, bigint>();
  for (const { hash, sequence } of reading.tags) {
    if (sequence > covered && sequence > (newest.get(hash) ?? 0n)) newest.set(hash, sequence);
  }
  const tags = Array.from(newest, ([hash, sequence]) => ({ hash, sequence }));
  const most = Math.floor(slots * listShare);
  const kept = Math.max(reading.floor, floor);
  if (tags.length <= most) return { floor: kept, dropped: 0, tags };
  tags.sort((left, right) => (left.sequence > right.sequence ? -1 : 1));
  const dropped = tags.splice(most);
  const [first] = dropped;
  return { floor: Math.max(kept, Number(first?.sequence ?? 0n)), dropped: dropped.length, tags };
}

/** The highest sequence in the floor and the tags. */
export function newestInvalidation({ floor, tags }: TagHistory): number {
  return tags.reduce((newest, { sequence }) => Math.max(newest, Number(sequence)), floor);
}
