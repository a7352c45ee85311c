// How large the disk is: it follows the capacity that `resize` wants. Part of the janitor's rounds.
// To grow, files are made, then said which they are, then counted. To shrink, the last segments are
// emptied, their files made void for good, then no longer counted, then deleted. The capacity in
// force is written last, so whoever waits for it sees the rest done.
//
// Invariants: a file that is counted is there and is the one that its identity names. A segment
// that is not counted is free, so that nothing names it. Whatever dies at any step, the next
// janitor finds the wanted capacity and goes on; and an open after a crash makes the files what
// its capacity says, of which those that were not counted hold nothing.
import { constants } from "node:os";
import type { MessagePort } from "node:worker_threads";
import { elapsedMs, UndercroftError } from "../base/mod.js";
import type { Device } from "../device/mod.js";
import { addSegments, divideAnew, removeSegments, syncDirectory } from "../directory/mod.js";
import type { DiskLog } from "../disk-log/mod.js";
import type { Kernel } from "../kernel/mod.js";
import { filesOf, setSegments, type ThreadDisk } from "../tiers/mod.js";
import type { JanitorMessage } from "./messages.js";

/** Milliseconds of a round, as far as single files allow. */
const roundMs = 20;
/** The system's number of an error that has none that we know. */
const unknownError = constants.errno.EIO;

export class DiskRoom {
  readonly #kernel: Kernel;
  readonly #disk: ThreadDisk;
  readonly #log: DiskLog;
  readonly #port: MessagePort;
  readonly #device: Device;

  /** The opener, which writes the manifest, is told by the port of each change. */
  constructor(
    kernel: Kernel,
    disk: ThreadDisk,
    log: DiskLog,
    { port, device }: { readonly port: MessagePort; readonly device: Device },
  ) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#log = log;
    this.#port = port;
    this.#device = device;
  }

  /** Makes a step towards the wanted capacity. True if there is more to do at once. `attempt` runs
   *  what takes the tier down if it fails, and answers whether it did not. */
  run(now: number, attempt: (step: () => void) => boolean): boolean {
    const { control, diskSegments } = this.#kernel;
    const wanted = control.diskWanted();
    const count = this.#segmentsFor(wanted);
    if (count >= diskSegments.count()) this.#log.emptyNothing();
    // They differ if a file could not be deleted: then the old number comes back.
    if (wanted === control.diskCapacity() && count === diskSegments.count()) return false;
    if (!control.isDiskUp() || control.isDirectoryOthers()) {
      control.giveUpDiskResize(wanted, 0);
      return false;
    }
    control.noteDiskResizeStep();
    let isEmpty = count >= diskSegments.count();
    const until = elapsedMs() + roundMs;
    const isUp = attempt(() => {
      while (!isEmpty) {
        isEmpty = this.#log.emptyFrom(count, now);
        if (elapsedMs() >= until) return;
      }
    });
    if (!isUp) control.giveUpDiskResize(wanted, unknownError);
    else if (isEmpty) this.#settle(wanted, count);
    return isUp && !isEmpty;
  }

  #segmentsFor(capacity: number): number {
    const { geometry, tags } = this.#kernel;
    const { segmentBytes } = this.#disk;
    const { diskSegmentCount: most } = geometry;
    return divideAnew(capacity, segmentBytes, tags.capacity, most).segmentCount;
  }

  /** Makes the files what they are to be; nothing is in those that go. */
  #settle(wanted: number, segmentCount: number): void {
    const { control, diskSegments, geometry } = this.#kernel;
    const { path } = this.#disk;
    const count = diskSegments.count();
    try {
      if (segmentCount < count) this.#shrink(segmentCount, count);
      if (segmentCount > count) this.#grow(segmentCount, count);
      // Also what a janitor has left that died.
      removeSegments(path, segmentCount, geometry.diskSegmentCount);
      if (filesOf(this.#disk).isSynced) syncDirectory(path);
    } catch (error) {
      control.giveUpDiskResize(wanted, errorNumberOf(error));
      return;
    }
    if (segmentCount !== count) {
      this.#port.postMessage({ kind: "disk-resized" } satisfies JanitorMessage);
    }
    control.setDiskCapacity(wanted);
  }

  #grow(segmentCount: number, count: number): void {
    const { path, segmentBytes, words } = this.#disk;
    const geometry = { segmentBytes, segmentCount };
    setSegments(words, count, addSegments(path, count, geometry, this.#device));
    this.#kernel.control.setDiskSegments(segmentCount);
  }

  /** The segments from `segmentCount` on are free. */
  #shrink(segmentCount: number, count: number): void {
    const { control } = this.#kernel;
    for (let segment = segmentCount; segment < count; segment++) this.#end(segment);
    control.setDiskSegments(segmentCount);
    control.noteFilesRemoved();
  }

  /** Makes the file of a free segment nothing, and that for good: once it is not counted, no sync
   *  covers it, and after a power loss its name may be there again. Who has it open reads nothing,
   *  and keeps no room on the disk. */
  #end(segment: number): void {
    const fd = this.#disk.files.fd(segment);
    this.#device.truncateSync(fd, 0);
    if (filesOf(this.#disk).isSynced) this.#device.fsyncSync(fd);
  }
}

/** The system's number of an error of the disk. */
function errorNumberOf(error: unknown): number {
  if (!(error instanceof UndercroftError)) throw error;
  const { code = "" } = (error.cause ?? {}) as NodeJS.ErrnoException;
  const numbers: Readonly<Record<string, number>> = constants.errno;
  return numbers[code] ?? unknownError;
}
