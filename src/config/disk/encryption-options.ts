// Checks the option disk.encryption. Called by openCache, which hands the keys to the directory and
// to nobody else: they are not in the configuration, which every thread gets.
// Invariant: no message says anything of a key but its type and length.
import { optionsOf } from "../option-error.js";

const keyBytes = 32;
const remedy =
  'make one by crypto.randomBytes(32), or read it by Buffer.from(text, "hex") or "base64"';

/**
 * The keys of an encrypted directory, 32 bytes each, from `crypto.randomBytes` or a key store; not
 * a password. Another length is a RangeError. A directory that neither key fits, or that is
 * encrypted and opened without one, is left as it is: `openCache` rejects with ERR_ENCRYPTION_KEY.
 *
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { mkdtemp, rm } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { type EncryptionOptions, openCache } from "undercroft";
 *
 * const path = await mkdtemp(join(tmpdir(), "undercroft-"));
 * const [old, next] = [randomBytes(32), randomBytes(32)];
 * const open = (encryption: EncryptionOptions) =>
 *   openCache<string>({ disk: { path, capacity: "64mb", encryption } });
 * const cache = await open({ key: old });
 * cache.set("a", "kept");
 * await cache.close();
 * const rotated = await open({ key: next, previousKey: old }); // from now on only `next` opens it
 * console.log(await rotated.get("a")); // kept
 * await rotated.close();
 * await rm(path, { recursive: true });
 * ```
 */
export interface EncryptionOptions {
  /** The key that the directory has, or gets. */
  readonly key: Uint8Array;
  /** The key that it may have still. After one open with both, `key` alone opens it. */
  readonly previousKey?: Uint8Array;
}

/** The user's keys: copies of 32 bytes each. */
export interface EncryptionKeys {
  readonly key: Uint8Array;
  readonly previousKey: Uint8Array | null;
}

/** The keys of the option `disk`, which may be anything; null if it has none. Throws TypeError or
 *  RangeError. */
export function encryptionKeysOf(disk: unknown): EncryptionKeys | null {
  const given: unknown = (disk as { readonly encryption?: unknown } | undefined)?.encryption;
  if (given === undefined) return null;
  const { key, previousKey } = optionsOf("disk.encryption", given, ["key", "previousKey"]);
  const previous = previousKey === undefined ? null : keyOf("previousKey", previousKey);
  return { key: keyOf("key", key), previousKey: previous };
}

function keyOf(name: string, value: unknown): Uint8Array {
  const bytes = ArrayBuffer.isView(value) ? value : null;
  const isBytes = bytes !== null && Object.prototype.toString.call(value) === "[object Uint8Array]";
  const text = `Cannot use option disk.encryption.${name}: it must be a Uint8Array of 32 bytes`;
  if (!isBytes) throw new TypeError(`${text}, not ${typeOf(value)}; ${remedy}`);
  const { byteLength } = bytes;
  if (byteLength !== keyBytes) throw new RangeError(`${text}, not of ${byteLength}; ${remedy}`);
  return Uint8Array.from(value as Uint8Array);
}

function typeOf(value: unknown): string {
  if (typeof value === "string") return `a string of ${value.length} characters`;
  return value === null || typeof value === "undefined" ? String(value) : `of type ${typeof value}`;
}
