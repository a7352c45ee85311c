// A change of the disk's capacity, as any thread requests it: it says what is wanted, and waits
// until the janitor has followed or given it up (janitor/disk-room.ts). Called by `resize`.
import { getSystemErrorName } from "node:util";
import { monotonicMs, setTimeout, UndercroftError } from "../../base/mod.js";
import { optionRangeError } from "../../config/mod.js";
import { divideAnew, leastCapacityOf } from "../../directory/mod.js";
import type { ThreadCore } from "../thread-core.js";

/** Milliseconds without a step of the janitor after which the wait ends. */
const stepWaitMsMax = 60_000;
const lookMs = 5;

/**
 * What the files may take if this capacity is asked for: less where the directory may not have so
 * many files.
 *
 * @throws RangeError if it does not hold four segment files.
 */
export function diskCapacityOf(core: ThreadCore, bytes: number, given: unknown): number {
  const { geometry, tags } = core.kernel;
  const segmentBytes = core.handle.disk?.segmentBytes ?? 0;
  const most = geometry.diskSegmentCount;
  const divided = divideAnew(bytes, segmentBytes, tags.capacity, most);
  if (divided.segmentCount > 0) return divided.capacityBytes;
  const least = leastCapacityOf(segmentBytes, tags.capacity);
  const parts = `the fixed files and four of the directory's files of ${segmentBytes} bytes`;
  throw optionRangeError("disk", given, `at least ${least} bytes, for ${parts}`);
}

/** The capacity in force and the most that it may be, in bytes; null without a disk tier. */
export function diskSizes(
  core: ThreadCore,
): { readonly now: number; readonly most: number } | null {
  const { config, kernel } = core;
  if (config.disk === null || core.handle.disk === null) return null;
  const { capacityBytes } = config.disk;
  const most = diskCapacityOf(core, capacityBytes, capacityBytes);
  return { now: kernel.control.diskCapacity(), most };
}

/**
 * Makes the files of the directory take at most this much. Resolves when they do, or another thread
 * wants another capacity and has it, or nothing has moved for a minute. Rejects with
 * ERR_DIRECTORY_LOCKED while another cache has the directory, with ERR_DISK_IO if the disk tier is
 * down or a file cannot be made or emptied; the capacity in force stays then.
 */
export async function resizeDisk(core: ThreadCore, bytes: number): Promise<void> {
  const { control, verbs } = core.kernel;
  if (control.isDirectoryOthers()) throw resizeError(core, bytes, 0);
  const failed = control.diskResizesFailed();
  control.setDiskWanted(bytes);
  let steps = control.diskResizeSteps();
  let until = monotonicMs() + stepWaitMsMax;
  while (control.diskWanted() !== control.diskCapacity() && monotonicMs() < until) {
    verbs.ring();
    await new Promise((resolve) => {
      setTimeout(resolve, lookMs);
    });
    core.assertOpen();
    if (control.diskResizeSteps() === steps) continue;
    steps = control.diskResizeSteps();
    until = monotonicMs() + stepWaitMsMax;
  }
  const isDone = control.diskCapacity() === bytes;
  if (isDone || control.diskResizesFailed() === failed) return;
  throw resizeError(core, bytes, control.diskResizeError());
}

function resizeError(core: ThreadCore, bytes: number, error: number): UndercroftError {
  const { config, kernel } = core;
  const path = config.disk?.path ?? "the directory";
  const text = `Cannot make the disk tier take ${bytes} bytes`;
  const rest = `it still takes ${kernel.control.diskCapacity()}`;
  if (kernel.control.isDirectoryOthers()) {
    return new UndercroftError(
      "ERR_DIRECTORY_LOCKED",
      `${text}: another cache has ${path}; ${rest}`,
    );
  }
  const reason = error === 0 ? "the tier is down" : `${getSystemErrorName(-error)} in ${path}`;
  return new UndercroftError("ERR_DISK_IO", `${text}: ${reason}; ${rest}`);
}
