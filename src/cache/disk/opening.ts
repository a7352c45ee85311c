// How a cache gets its directory at open: at once, after a wait, or later, beginning in memory
// (take-over.ts). Called by `openCache`.
import { monotonicMs, setTimeout, UndercroftError } from "../../base/mod.js";
import type { Config, EncryptionKeys, WhenLocked } from "../../config/mod.js";
import {
  type DirectoryPeek,
  type MemoryMade,
  openDirectory,
  type OpenDirectory,
  type OpenDirectoryOptions,
  peekDirectory,
} from "../../directory/mod.js";
import { type Kernel, leastSegmentBytesOf, segmentBytesOf, tagSlotsOf } from "../../kernel/mod.js";
import { loadSchemas } from "../../memory/mod.js";

/** Milliseconds between two attempts to open a directory that another cache has. */
const attemptEveryMs = 100;

/** A directory that another cache has open. */
export interface AwaitedDirectory {
  /** What the memory is made for meanwhile. */
  readonly peek: DirectoryPeek;
  /** Opens it for that memory. Rejects with ERR_DIRECTORY_LOCKED while another cache has it. */
  open(): Promise<OpenDirectory>;
  /** Why it was not opened at once. */
  readonly error: UndercroftError;
}

/** What there is of a disk tier at open: a directory, one that is waited for, or none. */
export type DiskAtOpen =
  | { readonly directory: OpenDirectory; readonly awaited: null }
  | { readonly directory: null; readonly awaited: AwaitedDirectory }
  | { readonly directory: null; readonly awaited: null };

/** The time by the machine, or by an injected clock, of which the uptime says nothing. */
type TimeAtOpen = Pick<OpenDirectoryOptions, "wallNow" | "uptimeMs">;

/** Opens the directory of a cache as its option `disk.whenLocked` says. */
export async function openDisk(
  config: Config,
  encryption: EncryptionKeys | null,
  timeOf: () => TimeAtOpen,
): Promise<DiskAtOpen> {
  if (config.disk === null) return { directory: null, awaited: null };
  const { path, capacityNowBytes, whenLocked } = config.disk;
  const capacity = {
    capacityBytes: capacityNowBytes,
    capacityMostBytes: config.disk.capacityBytes,
  };
  const maxRecordBytes = segmentBytesOf(config.memoryBytes);
  const tagSlots = tagSlotsOf(config.memoryBytes, config.disk.capacityBytes);
  const { codecName, version } = config;
  const leastRecordBytes = leastSegmentBytesOf(config.memoryBytes);
  const needs = { path, ...capacity, maxRecordBytes, leastRecordBytes, tagSlots };
  const open = (made?: MemoryMade): Promise<OpenDirectory> =>
    openDirectory({ ...needs, codecName, version, ...timeOf(), made, encryption });
  try {
    return { directory: await openWithin(open, whenLocked), awaited: null };
  } catch (error) {
    if (whenLocked !== "memory" || !isLocked(error)) throw error;
    const peek = await peekDirectory(needs);
    return { directory: null, awaited: { peek, open: () => open(peek), error } };
  }
}

/** Whether another cache has the directory. */
export function isLocked(error: unknown): error is UndercroftError {
  return error instanceof UndercroftError && error.code === "ERR_DIRECTORY_LOCKED";
}

/** Opens the directory; while another cache has it, again and again for as long as was asked. */
async function openWithin(
  open: () => Promise<OpenDirectory>,
  whenLocked: WhenLocked,
): Promise<OpenDirectory> {
  const waitMs = typeof whenLocked === "object" ? whenLocked.waitMs : 0;
  const deadline = monotonicMs() + waitMs;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const left = deadline - monotonicMs();
      if (!isLocked(error) || left <= 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(attemptEveryMs, left)));
    }
  }
}

/** Brings to a new memory what the directory says of its entries. */
export function prepare(kernel: Kernel, { directory, awaited }: DiskAtOpen): void {
  loadSchemas(kernel, directory?.schemas ?? null);
  const known = (directory ?? awaited?.peek)?.namespaces ?? [];
  for (const one of known) kernel.namespaces.restore(one);
  // Above everything that the directory has, or will have when it is taken over.
  if (awaited !== null) kernel.verbs.raiseSequence(awaited.peek.sequence, 0);
}
