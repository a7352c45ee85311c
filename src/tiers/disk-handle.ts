// What a thread needs of the directory: plain data, posted with the worker handle. The opener keeps
// the fixed files open, and other threads use its descriptors; each thread opens segment files
// itself.
import type { AdmissionConfig } from "../config/mod.js";
import type { FileIdentity } from "../device/mod.js";
import type { Kernel } from "../kernel/mod.js";
import { SegmentFiles } from "./segment-files.js";

export interface DiskHandle {
  readonly path: string;
  readonly segmentBytes: number;
  readonly manifestFd: number;
  /** Which files the segment files are. */
  readonly segments: readonly FileIdentity[];
  /** Most segment files open at once, over all threads. */
  readonly openFiles: number;
  readonly epochsFd: number;
  readonly tagsFd: number;
  /** Where the mirror of the tag table is in the tags file. */
  readonly tagMirror: number;
  readonly schemasFd: number;
  readonly seed: bigint;
  /** True once an fsync was asked for: resets of segments are then synced, so that a power loss
   *  does not bring old records back without their tombstones. */
  readonly syncResets: boolean;
  /** False where files cannot be synced (Node's permission model). */
  readonly isSynced: boolean;
  /** Which records the janitor writes to disk. */
  readonly admission: AdmissionConfig;
  /** Whether a writer evicts what is not on disk yet when it finds no other room. */
  readonly evictsUnwritten: boolean;
  /** True if a worker opened the cache: when it dies its descriptors are closed, but other
   *  threads keep their numbers. */
  readonly isOpenerMortal: boolean;
}

/** The directory as one thread has it. */
export interface ThreadDisk extends DiskHandle {
  readonly files: SegmentFiles;
}

/** For the thread of this kernel, once: it counts what it has open. */
export function threadDisk(kernel: Kernel, handle: DiskHandle): ThreadDisk {
  return { ...handle, files: new SegmentFiles(kernel, handle) };
}
