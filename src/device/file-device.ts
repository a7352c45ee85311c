// The device of every cache: node:fs by descriptor. It has no state, so all threads of a process
// may use it with descriptors that the opener opened and keeps open. Invariant: no call takes a
// FileHandle. The garbage collector would close it and free a number that other threads still use.

import { clearTimeout, setTimeout, UndercroftError } from "../base/mod.js";
import type { Device } from "./device.js";
import { fs } from "./file-system.js";

function readFault(length: number, position: number, cause: unknown): UndercroftError {
  return new UndercroftError(
    "ERR_DISK_IO",
    `Cannot read ${length} bytes at ${position} of a cache file: ${reasonOf(cause)}`,
    { cause },
  );
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : "the system gave no reason";
}

function syncFault(cause: unknown): UndercroftError {
  return new UndercroftError(
    "ERR_DISK_IO",
    `Cannot sync a cache file to disk: ${reasonOf(cause)}; what was written since the last sync ` +
      "may be lost",
    { cause },
  );
}

/** Milliseconds until a read without an answer has failed, as of a server that is gone. */
const readTimeoutMs = 30_000;
/** The same for a sync, which a busy disk may take long for. */
const syncTimeoutMs = 120_000;

/** Settles as `start` answers, or rejects after so long. What answers later is not heard: a read
 *  may still fill its buffer, which nobody looks at any more. */
function answered<T>(
  ms: number,
  faultOf: (cause: unknown) => UndercroftError,
  start: (done: (error: Error | null, value: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const text = `the system did not answer within ${ms} ms`;
    const late = setTimeout(() => reject(faultOf(new Error(text))), ms);
    start((error, value) => {
      clearTimeout(late);
      if (error === null) resolve(value);
      else reject(faultOf(error));
    });
  });
}

/** The device over node:fs. */
export const fileDevice: Device = Object.freeze({
  readAt(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return answered(
      readTimeoutMs,
      (cause) => readFault(length, position, cause),
      (done) => fs.read(fd, buffer, offset, length, position, done),
    );
  },

  readAtSync(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    try {
      return fs.readSync(fd, buffer, offset, length, position);
    } catch (error) {
      throw readFault(length, position, error);
    }
  },

  writeAtSync(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): void {
    let written = 0;
    try {
      written = fs.writeSync(fd, buffer, offset, length, position);
    } catch (error) {
      throw new UndercroftError(
        "ERR_DISK_IO",
        `Cannot write ${length} bytes at ${position} of a cache file: ${reasonOf(error)}`,
        { cause: error },
      );
    }
    // libuv continues a short write itself, so a write that is still short means a full disk whose
    // error was swallowed.
    if (written !== length) throw shortWrite(written, length, position);
  },

  truncateSync(fd: number, length: number): void {
    try {
      fs.ftruncateSync(fd, length);
    } catch (error) {
      throw new UndercroftError(
        "ERR_DISK_IO",
        `Cannot set the length of a cache file to ${length} bytes: ${reasonOf(error)}`,
        { cause: error },
      );
    }
  },

  fsync(fd: number): Promise<void> {
    return answered(syncTimeoutMs, syncFault, (done) =>
      fs.fsync(fd, (error) => done(error, undefined)),
    );
  },

  fsyncSync(fd: number): void {
    try {
      fs.fsyncSync(fd);
    } catch (error) {
      throw syncFault(error);
    }
  },
});

/** The error of a write that moved fewer bytes than asked for. */
export function shortWrite(written: number, length: number, position: number): UndercroftError {
  return new UndercroftError(
    "ERR_DISK_IO",
    `Cannot write ${length} bytes at ${position} of a cache file: the system took ${written}; ` +
      "the disk may be full",
  );
}
