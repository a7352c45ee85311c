// The exclusive right to one directory, among processes and within one. Called by openDirectory.
// Invariant: a lock is held by at most one opener, and a dead process holds none.

import { randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import { UndercroftError, monotonicMs, readAnchorMs } from "../base/mod.js";

/** A held lock; `release` is idempotent. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** The file that holds the lock where there are no abstract sockets. */
export const lockFileName = "undercroft.lock";
/** More than two decimal numbers need. */
export const lockFileBytes = 64;

/** Takes the lock of the directory at `path`, which exists; rejects with ERR_DIRECTORY_LOCKED while another holds it.
 * On Linux the lock is seen within one network namespace: two containers that share a volume do not see each other's. */
export function acquireLock(path: string): Promise<DirectoryLock> {
  return process.platform === "linux" ? acquireSocketLock(path) : acquireFileLock(path);
}

/** A listening abstract socket named after the directory's device and inode: the kernel frees it at kill -9. */
export async function acquireSocketLock(path: string): Promise<DirectoryLock> {
  const name = socketName(path);
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? heldError(path) : lockFault(path, error));
    });
    // `exclusive`, or the workers of node:cluster would share one socket and so the lock.
    server.listen({ path: name, exclusive: true }, resolve);
  });
  server.on("error", () => undefined);
  server.unref();
  let released: Promise<void> | undefined;
  return {
    release() {
      released ??= new Promise((resolve) => server.close(() => resolve()));
      return released;
    },
  };
}

function socketName(path: string): string {
  try {
    const { dev, ino } = fs.statSync(path, { bigint: true, throwIfNoEntry: true });
    return `\0undercroft-${dev.toString()}-${ino.toString()}`;
  } catch (error) {
    throw lockFault(path, error as Error);
  }
}

/** A lock file that names its owner; a file whose owner is dead is taken over. */
export async function acquireFileLock(path: string): Promise<DirectoryLock> {
  const file = `${path}/${lockFileName}`;
  for (let attempt = 0; attempt < 3; attempt++) {
    if (createLockFile(path, file)) return fileLock(file);
    if (isHeld(readOwner(file))) throw heldError(path);
    removeStale(file);
  }
  throw heldError(path);
}

function fileLock(file: string): DirectoryLock {
  let released = false;
  return {
    async release() {
      if (released) return;
      released = true;
      fs.rmSync(file, { force: true, recursive: false, maxRetries: 0, retryDelay: 0 });
    },
  };
}

function createLockFile(path: string, file: string): boolean {
  const flags = fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_WRONLY;
  let fd: number;
  try {
    fd = fs.openSync(file, flags, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw lockFault(path, error as Error);
  }
  try {
    fs.writeSync(fd, `${process.pid} ${startedMs()}\n`);
  } finally {
    fs.closeSync(fd);
  }
  return true;
}

/** The owner's process id and start, or null if the file is gone or was never finished. */
function readOwner(file: string): { pid: number; startedMs: number } | null {
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0));
    try {
      const bytes = Buffer.alloc(64);
      const text = bytes.toString("latin1", 0, fs.readSync(fd, bytes, 0, 64, 0));
      const match = /^(\d{1,10}) (\d{1,16})\n$/.exec(text);
      return match === null ? null : { pid: Number(match[1]), startedMs: Number(match[2]) };
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return null;
  }
}

function isHeld(owner: { pid: number; startedMs: number } | null): boolean {
  if (owner === null) return false;
  // Our own number with another start is a dead process of an earlier boot or container: numbers begin again there.
  if (owner.pid === process.pid) return Math.abs(owner.startedMs - startedMs()) < 2_000;
  try {
    process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Moves the stale file aside before deleting it, so that of two thieves only one takes the same file. */
function removeStale(file: string): void {
  const aside = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    fs.renameSync(file, aside);
    if (isHeld(readOwner(aside))) fs.linkSync(aside, file);
    fs.rmSync(aside, { force: true, recursive: false, maxRetries: 0, retryDelay: 0 });
  } catch {
    // Another thief was faster; the next attempt sees what it left.
  }
}

/** Wall-clock start of this process; the same in all of its threads to within the steps of the clock. */
function startedMs(): number {
  return Math.round(readAnchorMs() + monotonicMs() - process.uptime() * 1000);
}

function heldError(path: string): UndercroftError {
  return new UndercroftError(
    "ERR_DIRECTORY_LOCKED",
    `Cannot open ${path}: another cache has it open, in this process or another; each directory has one owner`,
  );
}

function lockFault(path: string, cause: NodeJS.ErrnoException): UndercroftError {
  const isRefused = ["EACCES", "EPERM", "EROFS"].includes(cause.code ?? "");
  const code = isRefused ? "ERR_DIRECTORY_NOT_WRITABLE" : "ERR_DISK_IO";
  return new UndercroftError(code, `Cannot lock ${path}: ${cause.message}`, { cause });
}
