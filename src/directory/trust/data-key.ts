// The data key of an encrypted directory: 32 random bytes, made when the directory starts empty,
// from which all keys of its files are derived (disk/disk-cipher.ts). The manifest holds it,
// encrypted by the user's key, so that another key of the user's costs one write. Called by
// openDirectory.
// Invariant: a key that does not fit is told, and nothing in the directory is changed.

//   sealed data key, 60 bytes
//   0  ┬ nonce       12  random
//   12 ├ ciphertext  32  AES-256-GCM, associated data: the identity of the directory
//   44 ┴ tag         16

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { UndercroftError } from "../../base/mod.js";
import type { EncryptionKeys } from "../../config/mod.js";
import { dataKeyBytes, DiskCipher } from "../../disk/mod.js";

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;
export const sealedKeyBytes: number = nonceBytes + dataKeyBytes + tagBytes;

/** A data key, and how the manifest holds it; both null where nothing is encrypted. */
export interface DataKey {
  readonly plain: Buffer | null;
  readonly sealed: Buffer | null;
}

/** The data key of a directory that is kept; null if it has none. Throws ERR_ENCRYPTION_KEY. */
export function keptKeyOf(
  path: string,
  fields: { readonly sealedKey: Buffer | null; readonly identity: Buffer } | null,
  encryption: EncryptionKeys | null,
): DataKey | null {
  if (fields === null || fields.sealedKey === null) return null;
  return openDataKey(path, fields.sealedKey, encryption, fields.identity);
}

/** A new one, for a directory with this identity. */
export function newDataKey(keys: EncryptionKeys | null, identity: Buffer): DataKey {
  if (keys === null) return { plain: null, sealed: null };
  const plain = randomBytes(dataKeyBytes);
  return { plain, sealed: seal(plain, keys.key, identity) };
}

/**
 * The one of a directory that has one: `sealed` is encrypted by the new key even if it was found
 * encrypted by the previous one. Throws ERR_ENCRYPTION_KEY if no key fits.
 */
export function openDataKey(
  path: string,
  sealed: Buffer,
  keys: EncryptionKeys | null,
  identity: Buffer,
): DataKey {
  if (keys === null) {
    const remedy = "give its key as option disk.encryption";
    throw keyError(`Cannot open ${path}: its entries are encrypted; ${remedy}`);
  }
  const plain = unseal(sealed, keys.key, identity);
  if (plain !== null) return { plain, sealed };
  const previous = keys.previousKey === null ? null : unseal(sealed, keys.previousKey, identity);
  if (previous !== null) return { plain: previous, sealed: seal(previous, keys.key, identity) };
  const tried = keys.previousKey === null ? "key does" : "key and disk.encryption.previousKey do";
  throw keyError(
    `Cannot open ${path}: option disk.encryption.${tried} not fit it; give the key that it was ` +
      "last opened with, as previousKey if key is a new one, or delete the directory",
  );
}

/** The cipher of a directory's files; null where nothing is encrypted. */
export function cipherOf(dataKey: DataKey | null): DiskCipher | null {
  const plain = dataKey?.plain ?? null;
  return plain === null ? null : new DiskCipher(plain);
}

function keyError(text: string): UndercroftError {
  return new UndercroftError("ERR_ENCRYPTION_KEY", text);
}

function seal(plain: Buffer, key: Uint8Array, identity: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(identity);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function unseal(sealed: Buffer, key: Uint8Array, identity: Buffer): Buffer | null {
  const end = nonceBytes + dataKeyBytes;
  const nonce = sealed.subarray(0, nonceBytes);
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(identity);
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(nonceBytes, end));
  try {
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    return null;
  }
}
