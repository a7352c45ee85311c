// The manifest: what a directory is, its geometry, and how the last session left it. directory.ts
// reads and writes it.
// Invariant: one damaged copy does no harm: the two are written alternately, each synced before the
// other is touched. Magic, version, revision and checksum keep their offsets in every version.

//   file: copy 0 at 0, copy 1 at 4096. One copy:
//   0    ┬ magic "UNDERCFT"   8 bytes
//   8    ├ version            u32
//   12   ├ flags              u32  1 = clean, 2 = drop entries that expire (recovery.ts),
//          │                           4 = closed without a sync, 8 = the snapshot was too
//          │                           large, 16 = the snapshot could not be written,
//          │                           32 = encrypted
//   16   ├ revision           u64  one higher with each write; its parity picks the copy
//   24   ├ identity           16 random bytes, new after every cold start
//   40   ├ seed               u64  of the key hash, random, new with the identity
//   48   ├ segmentBytes       u32
//   52   ├ segmentCount       u32
//   56   ├ generation         u64  opens of the directory; a snapshot belongs to one
//   64   ├ nextSequence       u64
//   72   ├ fsyncBarrier       u64  writes up to it survive a power loss; 0 = none
//   80   ├ keepThrough        u64  until recovery ends, later records are void; all ones = none
//   88   ├ lastAlive          f64  ms of the cache's time (session-time.ts)
//   96   ├ bootId             48 bytes of ASCII, zero padded
//   144  ├ codecNameBytes     u16  1 to 192
//   146  ├ codecName          192 bytes of UTF-8, zero padded: the codec of the values
//   338  ├ zero               u16
//   340  ├ schemas            u32  schema ids given out when it was written
//   344  ├ storage            64 bytes of ASCII, zero padded: storage.ts
//   408  ├ inode              u64  of this very file, as the system had it
//   416  ├ born               u64  when this very file was made, ns since 1970; 0 = not known
//   424  ├ clockAhead         f64  ms that the cache's time is ahead of the wall clock
//   432  ├ uptime             f64  ms since the boot at lastAlive; 0 = not known
//   440  ├ leftOut            u32  entries that the exit of the process found not written
//   444  ├ sealedKey          60 bytes: trust/data-key.ts; used if flag 32 is set
//   504  ├ zero
//   4088 ┴ checksum           u64  XXH64 of 0..4088, seed 0

import { assert } from "../base/mod.js";
import { type Device, fileDevice, type FileIdentity, identityOf } from "../device/mod.js";
import { schemasMax } from "../dictionary/mod.js";
import { sequenceMax } from "../disk/mod.js";
import type { Hasher } from "../hash/mod.js";
import { type Damage, isZero, wrongLength } from "./damage.js";
import { sealedKeyBytes } from "./trust/data-key.js";
import { storageNameBytesMax } from "./trust/storage.js";

export const manifestCopyBytes = 4096;
export const manifestFileBytes = 2 * manifestCopyBytes;
export const manifestVersion = 10;
export const identityBytes = 16;

const manifestMagic = 0x5446435245444e55n;
const checksumOffset = 4088;
const bootIdOffset = 96;
const bootIdBytes = 48;
const codecNameOffset = 144;
/** A name has at most 64 UTF-16 units, of at most 3 bytes of UTF-8 each. */
const codecNameBytesMax = 192;
const schemasOffset = 340;
const storageOffset = 344;
const inodeOffset = 408;
const bornOffset = 416;
const clockAheadOffset = 424;
const uptimeOffset = 432;
const leftOutOffset = 440;
const leftOutMax = 0xffff_ffff;
const sealedKeyOffset = 444;
const flagClean = 1;
const flagDropExpiring = 2;
const flagClosedUnsynced = 4;
const flagSnapshotTooLarge = 8;
const flagSnapshotFailed = 16;
const flagEncrypted = 32;
const keepAll = 0xffff_ffff_ffff_ffffn;
/** Half of the sequences that there are. */
const countsMost = (sequenceMax + 1) / 2;
/** Milliseconds: the furthest that a Date goes. */
const timesMost = 8.64e15;

/** What became of the index snapshot at a close. "too-large": it was larger than it may be. */
export type SnapshotEnd = "written" | "too-large" | "failed" | "none";

export interface ManifestFields {
  /** The directory was closed cleanly, with everything in it synced. */
  readonly clean: boolean;
  /** It was closed with everything written but nothing synced: whole until the machine stops. */
  readonly closedUnsynced: boolean;
  readonly identity: Buffer;
  readonly seed: bigint;
  readonly segmentBytes: number;
  readonly segmentCount: number;
  readonly generation: number;
  readonly nextSequence: number;
  readonly fsyncBarrier: number;
  /** Records with a higher sequence are void; Infinity once recovery is done. */
  readonly keepThrough: number;
  /** Entries that expire are void; false once recovery is done. */
  readonly dropExpiring: boolean;
  /** The cache's time when it was last known to be open. */
  readonly lastAliveMs: number;
  /** How far that is ahead of the wall clock: 0 unless it was put back while a cache was open. */
  readonly clockAheadMs: number;
  /** The uptime of the machine at `lastAliveMs`, 0 if it is not known. */
  readonly uptimeMs: number;
  readonly bootId: string;
  /** The mount that the directory was on, "" if the system does not tell one from another. */
  readonly storage: string;
  /** 1 to 64 characters. */
  readonly codecName: string;
  /** Schema ids given out when this was written; exact while the directory is clean. */
  readonly schemas: number;
  /** What became of the index snapshot at the close; "none" while it is open. */
  readonly snapshot: SnapshotEnd;
  /** Entries that the process had not written when it ended without a close; 0 while it runs. */
  readonly leftOut: number;
  /** The data key, encrypted by the user's; null where nothing is encrypted. */
  readonly sealedKey: Buffer | null;
}

/** What the two copies say. */
export type ManifestReading =
  | {
      readonly kind: "valid";
      readonly fields: ManifestFields;
      readonly revision: number;
      /** The file that it was written to. */
      readonly file: FileIdentity;
    }
  | { readonly kind: "otherVersion"; readonly version: number }
  | { readonly kind: "damaged" };

/** The bytes of one copy, for this file. */
export function encodeManifest(
  fields: ManifestFields,
  revision: number,
  file: FileIdentity,
  hasher: Hasher,
): Buffer {
  assert(fields.identity.length === identityBytes, "an identity is 16 bytes");
  assert(fields.bootId.length <= bootIdBytes, "the name of a boot fits its field");
  assert(fields.storage.length <= storageNameBytesMax, "the name of a storage fits its field");
  const copy = Buffer.alloc(manifestCopyBytes);
  copy.writeBigUInt64LE(manifestMagic, 0);
  copy.writeUInt32LE(manifestVersion, 8);
  copy.writeUInt32LE(flagsOf(fields), 12);
  copy.writeBigUInt64LE(BigInt(revision), 16);
  fields.identity.copy(copy, 24);
  copy.writeBigUInt64LE(fields.seed, 40);
  copy.writeUInt32LE(fields.segmentBytes, 48);
  copy.writeUInt32LE(fields.segmentCount, 52);
  copy.writeBigUInt64LE(BigInt(fields.generation), 56);
  copy.writeBigUInt64LE(BigInt(fields.nextSequence), 64);
  copy.writeBigUInt64LE(BigInt(fields.fsyncBarrier), 72);
  const keep = fields.keepThrough === Infinity ? keepAll : BigInt(fields.keepThrough);
  copy.writeBigUInt64LE(keep, 80);
  copy.writeDoubleLE(fields.lastAliveMs, 88);
  copy.write(fields.bootId, bootIdOffset, bootIdBytes, "latin1");
  const codecName = Buffer.from(fields.codecName, "utf8");
  assert(codecName.length <= codecNameBytesMax, "the name of a codec fits its field");
  copy.writeUInt16LE(codecName.length, codecNameOffset);
  codecName.copy(copy, codecNameOffset + 2);
  copy.writeUInt32LE(fields.schemas, schemasOffset);
  copy.write(fields.storage, storageOffset, storageNameBytesMax, "latin1");
  copy.writeBigUInt64LE(file.inode, inodeOffset);
  copy.writeBigUInt64LE(file.born, bornOffset);
  copy.writeDoubleLE(fields.clockAheadMs, clockAheadOffset);
  copy.writeDoubleLE(fields.uptimeMs, uptimeOffset);
  copy.writeUInt32LE(Math.min(fields.leftOut, leftOutMax), leftOutOffset);
  const { sealedKey } = fields;
  assert(sealedKey === null || sealedKey.length === sealedKeyBytes, "a sealed key fits its field");
  sealedKey?.copy(copy, sealedKeyOffset);
  copy.writeBigUInt64LE(hasher.h64(copy.subarray(0, checksumOffset)), checksumOffset);
  return copy;
}

function flagsOf(fields: ManifestFields): number {
  const { clean, dropExpiring, closedUnsynced, snapshot, sealedKey } = fields;
  return (
    (clean ? flagClean : 0) |
    (dropExpiring ? flagDropExpiring : 0) |
    (closedUnsynced ? flagClosedUnsynced : 0) |
    (snapshot === "too-large" ? flagSnapshotTooLarge : 0) |
    (snapshot === "failed" ? flagSnapshotFailed : 0) |
    (sealedKey === null ? 0 : flagEncrypted)
  );
}

/** Whether one was written shows by its file. */
function snapshotOf(flags: number): SnapshotEnd {
  if ((flags & flagSnapshotTooLarge) !== 0) return "too-large";
  return (flags & flagSnapshotFailed) !== 0 ? "failed" : "none";
}

/** Reads the newest whole copy of a manifest file. */
export function decodeManifest(file: Buffer, hasher: Hasher): ManifestReading {
  const copies = [0, manifestCopyBytes].map((at) => file.subarray(at, at + manifestCopyBytes));
  const whole = copies.filter((copy) => isWhole(copy, hasher));
  whole.sort((a, b) => (a.readBigUInt64LE(16) > b.readBigUInt64LE(16) ? -1 : 1));
  const newest = whole[0];
  if (newest === undefined) return readingOfDamaged(copies);
  const version = newest.readUInt32LE(8);
  if (version !== manifestVersion) return { kind: "otherVersion", version };
  const fields = fieldsOf(newest);
  const revision = Number(newest.readBigUInt64LE(16));
  if (!isPossible(fields, revision)) return { kind: "damaged" };
  return {
    kind: "valid",
    fields,
    revision,
    file: {
      inode: newest.readBigUInt64LE(inodeOffset),
      born: newest.readBigUInt64LE(bornOffset),
    },
  };
}

/** Whether a cache can have come so far. It could not go on from numbers beyond, whatever checksum
 *  they have: its sequences would end. */
function isPossible(fields: ManifestFields, revision: number): boolean {
  const { generation, nextSequence, fsyncBarrier, keepThrough, schemas } = fields;
  const { lastAliveMs, clockAheadMs, uptimeMs } = fields;
  const through = keepThrough === Infinity ? 0 : keepThrough;
  const counts = [revision, generation, nextSequence, fsyncBarrier, through];
  const times = [lastAliveMs, clockAheadMs, uptimeMs];
  return (
    counts.every((count) => count <= countsMost) &&
    times.every((time) => Math.abs(time) <= timesMost) &&
    schemas <= schemasMax
  );
}

/** What is damaged in a manifest file. A copy of zeros was never written. */
export function manifestDamage(file: Buffer, hasher: Hasher): Damage[] {
  if (file.length !== manifestFileBytes) return [wrongLength(file, manifestFileBytes)];
  return [0, manifestCopyBytes].flatMap((offset) => {
    const copy = file.subarray(offset, offset + manifestCopyBytes);
    if (isWhole(copy, hasher) || isZero(copy)) return [];
    return [{ offset, kind: "checksum", text: "a copy of the manifest fails its checksum" }];
  });
}

function isWhole(copy: Buffer, hasher: Hasher): boolean {
  if (copy.length !== manifestCopyBytes || copy.readBigUInt64LE(0) !== manifestMagic) return false;
  return copy.readBigUInt64LE(checksumOffset) === hasher.h64(copy.subarray(0, checksumOffset));
}

/**
 * A later version may have another checksum. If both copies name the same other version, it counts
 * as that version and not as damage, which would delete the directory's files.
 */
function readingOfDamaged(copies: Buffer[]): ManifestReading {
  const versions = copies.map((copy) => {
    if (copy.length < 12 || copy.readBigUInt64LE(0) !== manifestMagic) return manifestVersion;
    return copy.readUInt32LE(8);
  });
  const [first, second] = versions;
  if (first !== undefined && first === second && first !== manifestVersion) {
    return { kind: "otherVersion", version: first };
  }
  return { kind: "damaged" };
}

function fieldsOf(copy: Buffer): ManifestFields {
  const flags = copy.readUInt32LE(12);
  const keep = copy.readBigUInt64LE(80);
  const bootId = copy.toString("latin1", bootIdOffset, bootIdOffset + bootIdBytes);
  const storage = copy.toString("latin1", storageOffset, storageOffset + storageNameBytesMax);
  const sealedKey = copy.subarray(sealedKeyOffset, sealedKeyOffset + sealedKeyBytes);
  const nameStart = codecNameOffset + 2;
  const nameBytes = Math.min(copy.readUInt16LE(codecNameOffset), codecNameBytesMax);
  return {
    clean: (flags & flagClean) !== 0,
    closedUnsynced: (flags & flagClosedUnsynced) !== 0,
    identity: Buffer.from(copy.subarray(24, 24 + identityBytes)),
    seed: copy.readBigUInt64LE(40),
    segmentBytes: copy.readUInt32LE(48),
    segmentCount: copy.readUInt32LE(52),
    generation: Number(copy.readBigUInt64LE(56)),
    nextSequence: Number(copy.readBigUInt64LE(64)),
    fsyncBarrier: Number(copy.readBigUInt64LE(72)),
    keepThrough: keep === keepAll ? Infinity : Number(keep),
    dropExpiring: (flags & flagDropExpiring) !== 0,
    lastAliveMs: copy.readDoubleLE(88),
    clockAheadMs: copy.readDoubleLE(clockAheadOffset),
    uptimeMs: copy.readDoubleLE(uptimeOffset),
    bootId: bootId.replace(/\0+$/, ""),
    storage: storage.replace(/\0+$/, ""),
    codecName: copy.toString("utf8", nameStart, nameStart + nameBytes),
    schemas: copy.readUInt32LE(schemasOffset),
    snapshot: snapshotOf(flags),
    leftOut: copy.readUInt32LE(leftOutOffset),
    sealedKey: (flags & flagEncrypted) === 0 ? null : Buffer.from(sealedKey),
  };
}

/** The open manifest of a directory. Each write is synced before the next begins. */
export class ManifestFile {
  readonly #fd: number;
  readonly #hasher: Hasher;
  readonly #device: Device;
  #fields: ManifestFields;
  #revision: number;
  #last: Promise<void> = Promise.resolve();

  /** `revision` is that of the newest copy, 0 for a new file. */
  constructor(
    fd: number,
    hasher: Hasher,
    start: { readonly fields: ManifestFields; readonly revision: number },
    device: Device = fileDevice,
  ) {
    this.#fd = fd;
    this.#hasher = hasher;
    this.#device = device;
    this.#fields = start.fields;
    this.#revision = start.revision;
  }

  /** The fields of the newest write that has begun, even if it failed. */
  get fields(): ManifestFields {
    return this.#fields;
  }

  /** Changes some fields; resolves once one copy is synced. Rejects with ERR_DISK_IO. */
  write(change: Partial<ManifestFields>): Promise<void> {
    const written = this.#last.then(async () => {
      this.#writeNext(change);
      await this.#device.fsync(this.#fd);
    });
    this.#last = written.catch(() => undefined);
    return written;
  }

  /** Like `write`, at once, for the exit of the process; what waits to be written is not. Throws
   *  ERR_DISK_IO. */
  writeAtExit(change: Partial<ManifestFields>): void {
    // The other copy may be under way.
    this.#device.fsyncSync(this.#fd);
    this.#writeNext(change);
  }

  #writeNext(change: Partial<ManifestFields>): void {
    this.#fields = { ...this.#fields, ...change };
    const revision = this.#revision + 1;
    const file = identityOf(this.#fd);
    const copy = encodeManifest(this.#fields, revision, file, this.#hasher);
    const position = (revision % 2) * manifestCopyBytes;
    this.#device.writeAtSync(this.#fd, copy, 0, manifestCopyBytes, position);
    this.#revision = revision;
  }

  /** Like `write`, but in both copies, so that damage to one cannot undo the change. */
  async writeBoth(change: Partial<ManifestFields>): Promise<void> {
    await this.write(change);
    await this.write({});
  }
}
