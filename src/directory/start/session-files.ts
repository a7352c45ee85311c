// The files that an open makes or begins anew: epochs, tags and schemas. Called by
// openDirectory, once the manifest says that the directory is open.
import { closeFile, type Device } from "../../device/mod.js";
import { nextTagsName, openFile, renameFile, tagsName } from "../directory-files.js";
import { emptyEpochs, epochsFileBytes, writeNamespace } from "../epochs.js";
import type { ManifestFields } from "../manifest.js";
import type { Opening } from "../open-directory.js";
import { resetFile } from "../segment-set.js";
import {
  emptySchemas,
  readSchemas,
  schemasFileBytes,
  type SchemasReading,
} from "../schema-file.js";
import { encodeTagFile, tagFileBytes, type TagHistory } from "../tag-file.js";
import { cipherOf, type DataKey } from "../trust/data-key.js";

/** Opens a file of ours that stays open, and makes it if it is missing. */
export function keepOpen(opening: Opening, name: string, durable = false): number {
  const fd = openFile(`${opening.path}/${name}`, durable);
  opening.fds.push(fd);
  return fd;
}

/** Empties the epochs file, and notes the version of the cache. */
export function startEpochs({ device, now }: Opening, fd: number, seed: bigint): void {
  resetFile(device, fd, epochsFileBytes);
  device.writeAtSync(fd, emptyEpochs(), 0, epochsFileBytes, 0);
  const own = { id: 0, name: now.version, versionHash: 0n, clear: 0, lastUse: 0 };
  if (own.name !== "") writeNamespace(fd, seed, own, device);
}

/**
 * Puts a new tags file in the place of the last session's, in one step; returns its descriptor.
 * Tags that a clear or a floor covers are not in it, so a power loss must not undo these alone: the
 * epochs file is synced first.
 */
export function startTagFile(
  opening: Opening,
  epochsFd: number,
  tags: TagHistory,
  seed: bigint,
  dataKey: DataKey,
): number {
  const { path, device, hasher, now } = opening;
  const next = `${path}/${nextTagsName}`;
  const fd = openFile(next);
  try {
    const bytes = encodeTagFile(tags, now.tagSlots, seed, hasher, cipherOf(dataKey));
    device.truncateSync(fd, 0);
    device.writeAtSync(fd, bytes, 0, bytes.length, 0);
    device.truncateSync(fd, tagFileBytes(now.tagSlots, tags.tags.length));
    device.fsyncSync(fd);
    syncEpochs(device, epochsFd);
  } finally {
    closeFile(fd);
  }
  renameFile(next, `${path}/${tagsName}`);
  return keepOpen(opening, tagsName);
}

/** Syncs the epochs file. What it says is written once more first: an open that failed may have
 *  tried to sync it, and the system tells of lost writes once. */
function syncEpochs(device: Device, fd: number): void {
  const bytes = Buffer.alloc(epochsFileBytes);
  const length = device.readAtSync(fd, bytes, 0, bytes.length, 0);
  device.writeAtSync(fd, bytes, 0, length, 0);
  device.fsyncSync(fd);
}

/**
 * Reads the schemas of a directory that is kept; `fields` is null for one that starts empty. A file
 * of the wrong length is written anew: its schemas are lost, but their ids are not given out again.
 */
export function keepSchemas(
  opening: Opening,
  fd: number,
  fields: ManifestFields | null,
  dataKey: DataKey | null,
): SchemasReading {
  const { device, hasher } = opening;
  const file = Buffer.alloc(schemasFileBytes + 1);
  const length = device.readAtSync(fd, file, 0, file.length, 0);
  const reading = readSchemas(
    file.subarray(0, fields === null ? 0 : length),
    fields?.seed ?? 0n,
    hasher,
    cipherOf(dataKey),
  );
  if (fields === null || length !== schemasFileBytes) {
    resetFile(device, fd, schemasFileBytes);
    device.writeAtSync(fd, emptySchemas(), 0, schemasFileBytes, 0);
  }
  return { ...reading, count: Math.max(reading.count, fields?.schemas ?? 0) };
}
