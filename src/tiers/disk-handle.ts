// What a thread needs of the directory: plain data, posted with the worker handle. The opener keeps
// the fixed files open, and other threads use its descriptors; each thread opens segment files
// itself. What is only known once the directory is open is in words of shared memory: a cache may
// be in use before it has its directory (cache/disk/take-over.ts). The opener writes the words, and
// then the word that says that the directory is the cache's; nobody reads them before that.
import { assert } from "../base/mod.js";
import type { AdmissionConfig } from "../config/mod.js";
import type { FileIdentity } from "../device/mod.js";
import { dataKeyBytes, DiskCipher } from "../disk/mod.js";
import type { Kernel } from "../kernel/mod.js";
import { SegmentFiles } from "./segment-files.js";
import { WarmReads } from "./warm-reads.js";

export interface DiskHandle {
  readonly path: string;
  readonly segmentBytes: number;
  /** What `filesOf` and `segmentsOf` read. */
  readonly words: BigUint64Array;
  /** Most segment files open at once, over all threads. */
  readonly openFiles: number;
  readonly seed: bigint;
  /** Shared bytes of the data key of an encrypted directory, which the opener writes with the
   *  words; null where nothing is encrypted. */
  readonly dataKey: Uint8Array | null;
  /** Which records the janitor writes to disk. */
  readonly admission: AdmissionConfig;
  /** Whether a writer evicts what is not on disk yet when it finds no other room. */
  readonly evictsUnwritten: boolean;
  /** True if a worker opened the cache: when it dies its descriptors are closed, but other
   *  threads keep their numbers. */
  readonly isOpenerMortal: boolean;
}

/** The fixed files of a directory that is the cache's. */
export interface DirectoryFiles {
  readonly manifestFd: number;
  readonly epochsFd: number;
  readonly tagsFd: number;
  /** Where the mirror of the tag table is in the tags file. */
  readonly tagMirror: number;
  readonly schemasFd: number;
  /** True once an fsync was asked for: resets of segments are then synced, so that a power loss
   *  does not bring old records back without their tombstones. */
  readonly syncResets: boolean;
  /** False where files cannot be synced (Node's permission model). */
  readonly isSynced: boolean;
}

/** Words of the fixed files; two for each segment file that there may be follow. */
const fixedWords = 7;

/** A handle whose words, and data key if files are encrypted, `setFiles` writes, for at most so
 *  many segment files. */
export function diskHandle(
  parts: Omit<DiskHandle, "words" | "dataKey">,
  segmentsMost: number,
  isEncrypted: boolean,
): DiskHandle {
  const count = fixedWords + 2 * segmentsMost;
  const bytes = new SharedArrayBuffer(count * BigUint64Array.BYTES_PER_ELEMENT);
  const dataKey = isEncrypted ? new Uint8Array(new SharedArrayBuffer(dataKeyBytes)) : null;
  return { ...parts, dataKey, words: new BigUint64Array(bytes) };
}

/** Writes what is known of an open directory, before any thread may use it. */
export function setFiles(
  { words, dataKey }: DiskHandle,
  files: DirectoryFiles,
  segments: readonly FileIdentity[],
  plainKey: Uint8Array | null,
): void {
  assert((dataKey === null) === (plainKey === null), "the memory was made for this directory");
  if (dataKey !== null && plainKey !== null) dataKey.set(plainKey);
  const { manifestFd, epochsFd, tagsFd, tagMirror, schemasFd, syncResets, isSynced } = files;
  const fixed = [manifestFd, epochsFd, tagsFd, tagMirror, schemasFd, syncResets, isSynced];
  for (const [position, word] of fixed.entries()) Atomics.store(words, position, BigInt(word));
  setSegments(words, 0, segments);
}

/** Writes which files the segment files from number `from` on are, before they are in use. */
export function setSegments(
  words: BigUint64Array,
  from: number,
  segments: readonly FileIdentity[],
): void {
  for (const [added, { inode, born }] of segments.entries()) {
    const first = fixedWords + 2 * (from + added);
    Atomics.store(words, first, inode);
    Atomics.store(words, first + 1, born);
  }
}

/** The fixed files. */
export function filesOf({ words }: Pick<DiskHandle, "words">): DirectoryFiles {
  const word = (position: number): number => Number(words[position]);
  return {
    manifestFd: word(0),
    epochsFd: word(1),
    tagsFd: word(2),
    tagMirror: word(3),
    schemasFd: word(4),
    syncResets: word(5) === 1,
    isSynced: word(6) === 1,
  };
}

/** Which files the first `count` segment files are: those in use. */
export function segmentsOf({ words }: Pick<DiskHandle, "words">, count: number): FileIdentity[] {
  return Array.from({ length: count }, (_, segment) => segmentOf(words, segment));
}

function segmentOf(words: BigUint64Array, segment: number): FileIdentity {
  const first = fixedWords + 2 * segment;
  return { inode: words[first] as bigint, born: words[first + 1] as bigint };
}

/** The directory as one thread has it. */
export interface ThreadDisk extends DiskHandle {
  readonly files: SegmentFiles;
  readonly warmReads: WarmReads;
  /** Null where nothing is encrypted. */
  readonly cipher: DiskCipher | null;
}

/** For the thread of this kernel, once: it counts what it has open. */
export function threadDisk(kernel: Kernel, handle: DiskHandle): ThreadDisk {
  const { path, openFiles } = handle;
  const identityOf = (segment: number): FileIdentity => segmentOf(handle.words, segment);
  const cipher = handle.dataKey === null ? null : new DiskCipher(handle.dataKey);
  const files = new SegmentFiles(kernel, { path, openFiles, identityOf });
  return { ...handle, cipher, files, warmReads: new WarmReads(path) };
}
