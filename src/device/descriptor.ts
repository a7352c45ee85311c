// What is asked of an open file beside its bytes. Called by the disk tier. Invariant: what the
// system says comes as ERR_DISK_IO, so no fault of a file ends a worker or leaves an open uncoded.
import { UndercroftError } from "../base/mod.js";
import { fs } from "./file-system.js";

/** Asks the system something; throws ERR_DISK_IO if it does not answer. */
export function inspected<T>(ask: () => T): T {
  try {
    return ask();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "the system gave no reason";
    const text = `Cannot inspect a cache file: ${reason}`;
    throw new UndercroftError("ERR_DISK_IO", text, { cause });
  }
}

/** The length of an open file in bytes. Throws ERR_DISK_IO. */
export function lengthOf(fd: number): number {
  return inspected(() => fs.fstatSync(fd, { bigint: false }).size);
}

/** Closes a file. What the system says is not told: the descriptor is gone in any case, and what
 *  has to last was synced before. */
export function closeFile(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // Nothing is open any more.
  }
}
