// A cache directory as a reader beside its owner sees it: what its fixed files say, and who has it
// open. Called first by both tools. Invariant: files are opened to read only, and no lock is taken,
// so nothing in the directory changes, whatever it holds.
import { UndercroftError } from "../base/mod.js";
import { type Device, fileDevice, fs } from "../device/mod.js";
import {
  cipherOf,
  decodeManifest,
  type DirectoryListing,
  epochsName,
  type EpochsReading,
  isGeometry,
  listDirectory,
  type ManifestFields,
  manifestFileBytes,
  manifestName,
  type ManifestReading,
  manifestVersion,
  openDataKey,
  openToRead,
  type Ownership,
  ownershipOf,
  readEpochs,
  readTagFile,
  schemasName,
  type TagFileReading,
  tagsName,
} from "../directory/mod.js";
import type { DiskCipher } from "../disk/mod.js";
import { createHasher, type Hasher } from "../hash/mod.js";

/** More bytes than any fixed file has. What is behind them is not read. */
const fixedFileBytesMax = 256 * 1024 * 1024;

/** What was read of a directory. A file that is not there is null. */
export interface DirectoryView {
  readonly path: string;
  readonly hasher: Hasher;
  readonly device: Device;
  readonly listing: DirectoryListing;
  readonly manifestFile: Buffer | null;
  readonly manifest: ManifestReading;
  /** Null if the manifest is missing or damaged, or names no geometry: nothing else can be told. */
  readonly fields: ManifestFields | null;
  readonly epochsFile: Buffer | null;
  readonly epochs: EpochsReading | null;
  readonly tagsFile: Buffer | null;
  readonly tags: TagFileReading | null;
  readonly schemasFile: Buffer | null;
  readonly ownership: Ownership;
  /** Null if nothing is encrypted, or no key was given. */
  readonly cipher: DiskCipher | null;
  /** What is encrypted, and cannot be read. */
  readonly isOpaque: boolean;
}

/**
 * Reads the fixed files of a directory. Rejects with ERR_NOT_A_DIRECTORY, ERR_DIRECTORY_NOT_OURS if
 * it is no cache directory, ERR_FORMAT_VERSION if another release wrote it, ERR_ENCRYPTION_KEY if
 * the key is another than that of an encrypted directory, and with what the system says if it
 * cannot be read. Without a key only the checksums of an encrypted one can be told.
 */
export async function viewDirectory(
  path: string,
  key: Uint8Array | null,
  device: Device = fileDevice,
): Promise<DirectoryView> {
  const hasher = await createHasher();
  const listing = listDirectory(path);
  if (!listing.hasManifest && listing.segments.size === 0) throw notOurs(path);
  const ownership = await ownershipOf(path);
  const manifestFile = readFile(`${path}/${manifestName}`, device);
  const manifest = decodeManifest(manifestFile ?? Buffer.alloc(manifestFileBytes), hasher);
  if (manifest.kind === "otherVersion") throw otherVersion(path, manifest.version);
  const fields = fieldsOf(manifest);
  const seed = fields?.seed ?? 0n;
  const cipher = cipherFor(path, fields, key);
  const epochsFile = readFile(`${path}/${epochsName}`, device);
  const tagsFile = readFile(`${path}/${tagsName}`, device);
  return {
    path,
    hasher,
    device,
    listing,
    manifestFile,
    manifest,
    fields,
    epochsFile,
    epochs: fields === null || epochsFile === null ? null : readEpochs(epochsFile, seed),
    tagsFile,
    tags: fields === null || tagsFile === null ? null : readTagFile(tagsFile, seed, hasher, cipher),
    schemasFile: readFile(`${path}/${schemasName}`, device),
    ownership,
    cipher,
    isOpaque: cipher === null && (fields?.sealedKey ?? null) !== null,
  };
}

function cipherFor(
  path: string,
  fields: ManifestFields | null,
  key: Uint8Array | null,
): DiskCipher | null {
  const sealedKey = fields?.sealedKey ?? null;
  if (fields === null || sealedKey === null || key === null) return null;
  return cipherOf(openDataKey(path, sealedKey, { key, previousKey: null }, fields.identity));
}

function fieldsOf(manifest: ManifestReading): ManifestFields | null {
  if (manifest.kind !== "valid") return null;
  const { fields } = manifest;
  return isGeometry(fields.segmentBytes, fields.segmentCount) ? fields : null;
}

/** The bytes of a file; null if there is none. */
export function readFile(file: string, device: Device): Buffer | null {
  const fd = openToRead(file);
  if (fd === null) return null;
  try {
    const { size } = fs.fstatSync(fd, { bigint: false });
    const bytes = Buffer.alloc(Math.min(size, fixedFileBytesMax));
    return bytes.subarray(0, device.readAtSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    fs.closeSync(fd);
  }
}

function notOurs(path: string): UndercroftError {
  const text =
    `Cannot read ${path}: it is no cache directory; it has neither ${manifestName} nor a ` +
    "segment file";
  return new UndercroftError("ERR_DIRECTORY_NOT_OURS", text);
}

function otherVersion(path: string, version: number): UndercroftError {
  const text =
    `Cannot read ${path}: its format is version ${version}; this release reads version ` +
    `${manifestVersion}; use the release that wrote it`;
  return new UndercroftError("ERR_FORMAT_VERSION", text);
}
