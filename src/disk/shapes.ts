// The file of shapes: the keys of objects and the books of phrases that records name by an id (shapes/shape-image.ts has its bytes). Any thread that
// adds a shape writes it by descriptor, under the table's lock; openDirectory reads it.
// Invariant: a shape that cannot be read for certain is lost and its id is not given out again, so records that name it
// are misses. Which ids were given out is known without the file: batches and manifest say how many there were.

import {
  decodePhrases,
  decodeShape,
  shapeEntriesStart,
  shapeImageBytes,
  shapeMagic,
  shapeSlotBytes,
  shapeSlotOf,
  shapesMax,
  shapeVersion,
} from "../shapes/mod.js";
import { alignUp } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import type { Hasher } from "../hash/mod.js";

export const shapesFileBytes: number = shapeImageBytes;

/** What the file of shapes says. */
export interface ShapesReading {
  /** The table as it stands in shared memory; lost shapes have no slot. */
  readonly image: Buffer;
  /** Ids given out, as far as the file tells. */
  readonly count: number;
  /** Where the next entry goes. */
  readonly end: number;
}

/** The bytes of a file without a shape. */
export function emptyShapes(): Buffer {
  const bytes = Buffer.alloc(shapesFileBytes);
  bytes.writeBigUInt64LE(shapeMagic, 0);
  bytes.writeUInt32LE(shapeVersion, 8);
  return bytes;
}

/** Takes the whole shapes out of a file's bytes. `seed` is the directory's. */
export function readShapes(file: Buffer, seed: bigint, hasher: Hasher): ShapesReading {
  const image = Buffer.alloc(shapeImageBytes);
  let count = 0;
  let end = shapeEntriesStart;
  const isOurs =
    file.length === shapesFileBytes &&
    file.readBigUInt64LE(0) === shapeMagic &&
    file.readUInt32LE(8) === shapeVersion;
  for (let id = 0; isOurs && id < shapesMax; id++) {
    const slot = shapeSlotOf(id);
    if (file.subarray(slot, slot + shapeSlotBytes).every((byte) => byte === 0)) continue;
    // It was begun, at least.
    count = id + 1;
    const offset = file.readUInt32LE(slot);
    const entryEnd = offset + file.readUInt32LE(slot + 4);
    if (offset < shapeEntriesStart || entryEnd > shapeImageBytes) continue;
    const entry = file.subarray(offset, entryEnd);
    if (hasher.h64(entry, seed) !== file.readBigUInt64LE(slot + 8)) continue;
    if (decodeShape(entry, id) === null && decodePhrases(entry, id) === null) continue;
    file.copy(image, slot, slot, slot + shapeSlotBytes);
    entry.copy(image, offset);
    end = Math.max(end, alignUp(entryEnd, 8));
  }
  return { image, count, end };
}

/** Writes bytes of the table at their offset; they survive a kill when this returns. Throws ERR_DISK_IO. */
export function writeShapeBytes(
  fd: number,
  bytes: Uint8Array,
  offset: number,
  device: Device = fileDevice,
): void {
  device.writeAtSync(fd, bytes, 0, bytes.length, offset);
}
