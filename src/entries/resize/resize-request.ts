// A change of the memory in use, and of the disk's capacity (disk-resize.ts), as any thread asks
// for it: it says how many segments are to be in use, and waits until the janitor has followed.
// Called by the facade. Invariant: the index and the tables keep the size that they were made with,
// for the most that memory and disk may be.
import { monotonicMs, setTimeout } from "../../base/mod.js";
import { optionRangeError } from "../../config/mod.js";
import type { Kernel } from "../../kernel/mod.js";
import { diskSizes, resizeDisk } from "./disk-resize.js";
import type { ThreadCore } from "../thread-core.js";

/** The fewest segments that a cache works with. */
const segmentsMin = 8;
/** The longest wait for the janitor, which may have to flush first. */
const resizeWaitMsMax = 60_000;
const lookMs = 5;

/**
 * What `resize` resolves to: the sizes that are in force, in bytes.
 *
 * @example
 * ```ts
 * import { openCache, type ResizeOutcome } from "undercroft";
 *
 * const cache = await openCache({ memory: { now: "16mb", most: "32mb" } });
 * const outcome: ResizeOutcome = await cache.resize({ memory: "32mb" });
 * console.log(outcome.memory.now === outcome.memory.most); // true
 * await cache.close();
 * ```
 */
export interface ResizeOutcome {
  readonly memory: {
    /** In use now, index and metadata included: what was asked for, down to whole segments. */
    readonly now: number;
    /** What it may be at most, as the cache was opened. */
    readonly most: number;
  };
  /** The same of the disk: what its files may take. Left out without a disk tier. */
  readonly disk?: { readonly now: number; readonly most: number };
}

/**
 * The segments of so many bytes of memory.
 *
 * @throws RangeError unless they hold the fixed parts and eight segments, and are at most `most`.
 */
export function segmentsOf(option: string, bytes: number, given: unknown, kernel: Kernel): number {
  const { segmentBase, segmentBytes, segmentCount, totalBytes } = kernel.geometry;
  if (bytes >= totalBytes) return segmentCount;
  const segments = Math.floor((bytes - segmentBase) / segmentBytes);
  if (segments >= segmentsMin) return segments;
  const least = segmentBase + segmentsMin * segmentBytes;
  const parts = "the fixed parts of a cache that may grow to its most, and eight segments";
  throw optionRangeError(option, given, `at least ${least} bytes, for ${parts}`);
}

/** Bytes of memory with so many segments out of use. */
function bytesWithout(core: ThreadCore, withheld: number): number {
  const { segmentBase, segmentBytes, segmentCount } = core.kernel.geometry;
  if (withheld === 0) return core.config.memoryBytes;
  return segmentBase + (segmentCount - withheld) * segmentBytes;
}

/** Bytes of memory that are to be in use. */
export function memoryLimitOf(core: ThreadCore): number {
  const { control, geometry } = core.kernel;
  return bytesWithout(core, geometry.segmentCount - control.segmentsWanted());
}

/** What is wanted, each part unless undefined: segments in memory, bytes on disk. */
export interface WantedSizes {
  readonly segments: number | undefined;
  readonly diskBytes: number | undefined;
}

/** Makes memory and disk this large; resolves when they are, or as far as they came while anything
 *  moved, to what is in force. Rejects as `resizeDisk` does, once the memory has its size. */
export async function resize(core: ThreadCore, wanted: WantedSizes): Promise<ResizeOutcome> {
  const { segments, diskBytes } = wanted;
  // Both at once. A fault of the disk is told when the memory has ended its change too.
  const changes: Promise<void>[] = [];
  if (diskBytes !== undefined) changes.push(resizeDisk(core, diskBytes));
  if (segments !== undefined) changes.push(resizeMemory(core, segments));
  await Promise.allSettled(changes);
  await Promise.all(changes);
  core.assertOpen();
  const now = bytesWithout(core, core.kernel.verbs.withheldSegments());
  const disk = diskSizes(core);
  return { memory: { now, most: core.config.memoryBytes }, ...(disk === null ? {} : { disk }) };
}

/** Resolves when so many segments are in use, or as far as it came within a minute. */
async function resizeMemory(core: ThreadCore, segments: number): Promise<void> {
  const { control, verbs, geometry } = core.kernel;
  control.setSegmentsWanted(segments);
  const until = monotonicMs() + resizeWaitMsMax;
  // Another thread may want another size meanwhile: then that one is waited for.
  const isDone = (): boolean =>
    verbs.withheldSegments() === geometry.segmentCount - control.segmentsWanted();
  while (!isDone() && monotonicMs() < until) {
    verbs.ring();
    await new Promise((resolve) => {
      setTimeout(resolve, lookMs);
    });
    core.assertOpen();
  }
}
