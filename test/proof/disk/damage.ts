// Files as nobody wrote them: a byte changed, a piece of noise, another length, a file of another
// kind. Each says whether what is left may still be told from what was written: then nothing may be
// wrong. Else only that the cache opens, or says in a documented way why not, and stays in bounds.
import { createHash } from "node:crypto";

import type { Random } from "./crash-image.js";
import { type MemoryFiles, pageBytes } from "./memory-files.js";

/** Changes files; answers in words what it did. */
export type Damage = (files: MemoryFiles, random: Random) => string;

/** Offsets of a file that mean something, and some around them. */
export function offsetsOf(bytes: Buffer): number[] {
  const offsets = new Set<number>();
  for (const [at, byte] of bytes.entries()) {
    if (byte === 0) continue;
    for (let near = at - 16; near <= at + 16; near++) {
      if (near >= 0 && near < bytes.length) offsets.add(near);
    }
  }
  return [...offsets].toSorted((left, right) => left - right);
}

/** Changes the bits of one byte that are set in `mask`. */
export function flip(files: MemoryFiles, name: string, at: number, mask: number): void {
  const inode = files.names.get(name);
  if (inode === undefined) throw new Error(`there is no ${name}`);
  const byte = Buffer.alloc(1);
  inode.read(byte, at);
  byte[0] = (byte[0] as number) ^ mask;
  inode.write(byte, at);
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)] as T;
}

function noise(bytes: number, random: Random): Buffer {
  return Buffer.from(Array.from({ length: bytes }, () => random() * 256));
}

/** Damage that no checksum misses, but by a chance of 2^-32. */
export const accidents: readonly Damage[] = [
  function bits(files, random) {
    const name = pick([...files.names.keys()], random);
    const offsets = offsetsOf(files.names.get(name)?.bytes() ?? Buffer.alloc(0));
    if (offsets.length === 0) return "nothing";
    const count = 1 + Math.floor(random() * 4);
    for (let left = count; left > 0; left--)
      flip(files, name, pick(offsets, random), 1 << (random() * 8));
    return `${count} bits of ${name}`;
  },
  function sector(files, random) {
    const name = pick([...files.names.keys()], random);
    const inode = files.names.get(name);
    if (inode === undefined || inode.size === 0) return "nothing";
    const at = Math.floor((random() * inode.size) / 512) * 512;
    const bytes = Math.min(inode.size - at, random() < 0.5 ? 512 : pageBytes);
    const isZero = random() < 0.3;
    if (isZero && name.startsWith("segment")) return "nothing";
    inode.write(isZero ? Buffer.alloc(bytes) : noise(bytes, random), at);
    return `${bytes} bytes of ${name} at ${at} are ${isZero ? "zeros" : "noise"}`;
  },
  function cut(files, random) {
    const name = pick([...files.names.keys()], random);
    const inode = files.names.get(name);
    const length = Math.floor(random() * (inode?.size ?? 0));
    inode?.truncate(length);
    return `${name} is cut to ${length}`;
  },
  function longer(files, random) {
    const name = pick([...files.names.keys()], random);
    const inode = files.names.get(name);
    const huge = random() < 0.3 ? 2 ** 40 : (inode?.size ?? 0) + 1 + Math.floor(random() * 9000);
    inode?.truncate(huge);
    return `${name} is made ${huge} long`;
  },
  function gone(files, random) {
    const name = pick([...files.names.keys()], random);
    files.names.delete(name);
    return `${name} is gone`;
  },
  function swapped(files, random) {
    const names = [...files.names.keys()];
    const [one, other] = [pick(names, random), pick(names, random)];
    const bytes = files.names.get(one)?.bytes();
    files.put(one, files.names.get(other)?.bytes() ?? Buffer.alloc(0));
    if (bytes !== undefined) files.put(other, bytes);
    return `${one} and ${other} are swapped`;
  },
];

const formats: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["zip", Buffer.from("504b0304140000000800", "hex")],
  ["sqlite", Buffer.from("SQLite format 3\0\u0010\0\u0001\u0001\0@  ", "latin1")],
  ["elf", Buffer.from("7f454c46020101000000000000000000", "hex")],
  ["json", Buffer.from('{"undercroft":{"manifest":1}}')],
  ["gzip", Buffer.from("1f8b0800000000000003", "hex")],
];

/** What somebody who means it may leave: nothing is promised then but an orderly answer. */
export const attacks: readonly Damage[] = [
  function otherFormat(files, random) {
    const name = pick([...files.names.keys()], random);
    const [format, bytes] = pick(formats, random);
    const size = files.names.get(name)?.size ?? 0;
    const inode = files.put(name, bytes, files.names.get(name)?.number);
    if (random() < 0.7 && size < 2 ** 30) inode.truncate(size);
    return `${name} is a ${format}`;
  },
  function filled(files, random) {
    const name = pick([...files.names.keys()], random);
    const inode = files.names.get(name);
    const size = Math.min(inode?.size ?? 0, 256 * 1024);
    inode?.write(noise(size, random), 0);
    return `${name} is noise`;
  },
  function magicOnly(files, random) {
    const name = pick([...files.names.keys()], random);
    const inode = files.names.get(name);
    const from = pick([8, 12, 16, 64], random);
    inode?.write(noise(Math.min(8000, Math.max(0, inode.size - from)), random), from);
    return `${name} is noise behind ${from} bytes`;
  },
  function copiedSegment(files, random) {
    const names = [...files.names.keys()].filter((name) => name.startsWith("segment"));
    if (names.length === 0) return "nothing";
    const [one, other] = [pick(names, random), pick(names, random)];
    files.put(
      other,
      files.names.get(one)?.bytes() ?? Buffer.alloc(0),
      files.names.get(other)?.number,
    );
    return `${other} is a copy of ${one}`;
  },
  function planted(files, random) {
    const name = pick([...files.names.keys(), "undercroft.tags-next", "segment-511.ucs"], random);
    const what = pick(["directory", "link"] as const, random);
    files.names.delete(name);
    files.planted.set(name, what);
    return `${name} is a ${what}`;
  },
  function stranger(files, random) {
    const name = pick(["segment-512.ucs", "segment-1.ucs", "notes.txt", "undercroft.x"], random);
    files.put(name, noise(100, random));
    if (random() < 0.5) files.names.delete("undercroft.manifest");
    return `there is a ${name}`;
  },
];

/** Writes a field of a file as if it had been written so, with the checksum made good again where
 *  it is known how: what a reader must not believe although it verifies. */
export function forge(
  files: MemoryFiles,
  random: Random,
  h64: (bytes: Uint8Array, seed?: bigint) => bigint,
): string {
  const manifest = files.names.get("undercroft.manifest");
  if (manifest === undefined) return "nothing";
  const values = [0, 1, 2, 63, 64, 65535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
  const field = pick([12, 16, 48, 52, 56, 64, 72, 80, 88, 144, 340, 424, 432, 440, 444], random);
  const value = pick(values, random);
  for (const start of [0, pageBytes]) {
    const copy = Buffer.alloc(pageBytes);
    manifest.read(copy, start);
    copy.writeUInt32LE(value, field);
    if (random() < 0.3) copy.writeUInt32LE(pick(values, random), field + 4);
    copy.writeBigUInt64LE(h64(copy.subarray(0, 4088)), 4088);
    manifest.write(copy, start);
  }
  return `the manifest has ${value} at ${field}`;
}

/** A name for a state in a fault's text. */
export function digestOf(files: MemoryFiles): string {
  const hash = createHash("sha256");
  for (const [name, inode] of files.names) {
    if (inode.size < 2 ** 30) hash.update(name).update(inode.bytes());
  }
  return hash.digest("hex").slice(0, 12);
}
