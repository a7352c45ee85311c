// A change of the memory in use, as any thread requests it: it says how many segments are to be in
// use, and waits until the janitor has followed. Called by the facade. Invariant: the index and the
// tables keep the size that they were made with, for the most that the memory may be.
import { monotonicMs, setTimeout } from "../base/mod.js";
import { optionRangeError } from "../config/mod.js";
import type { Kernel } from "../kernel/mod.js";
import type { ThreadCore } from "./thread-core.js";

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

/** Makes the memory in use this large, unless undefined; resolves when it is, or as far as it came
 *  within a minute, to what is in force. */
export async function resize(
  core: ThreadCore,
  segments: number | undefined,
): Promise<ResizeOutcome> {
  const { control, verbs, geometry } = core.kernel;
  if (segments !== undefined) {
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
  const now = bytesWithout(core, verbs.withheldSegments());
  return { memory: { now, most: core.config.memoryBytes } };
}
