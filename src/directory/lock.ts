// The lock of a cache directory: it excludes other openers, in this process and in others.
// openDirectory takes it.
// Invariant: at most one opener holds the lock, and a dead process holds none.

import { randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import {
  UndercroftError,
  clearTimeout,
  isAccessDenied,
  monotonicMs,
  readAnchorMs,
  runtimeError,
  setTimeout,
  uptimeSeconds,
  withRealTicks,
} from "../base/mod.js";

/** A held lock; `release` is idempotent. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** The lock file, on systems without abstract sockets. */
export const lockFileName = "undercroft.lock";
/** An upper bound of its length: two decimal numbers. */
export const lockFileBytes = 64;

/**
 * Takes the lock of the existing directory at `path`. Rejects with ERR_DIRECTORY_LOCKED while
 * another opener holds it. On Linux the lock works within one network namespace: two containers
 * that share a volume do not exclude each other.
 */
export function acquireLock(path: string): Promise<DirectoryLock> {
  return process.platform === "linux" ? acquireSocketLock(path) : acquireFileLock(path);
}

/**
 * Listens on an abstract socket named by the directory's device and inode. The operating system
 * closes it when the process dies, even by kill -9.
 */
export async function acquireSocketLock(path: string): Promise<DirectoryLock> {
  const name = socketName(path);
  const server = net.createServer((socket) => socket.destroy());
  try {
    await listen(server, name);
  } catch (error) {
    const fault = error as NodeJS.ErrnoException;
    if (isAccessDenied(fault)) throw netForbidden(fault);
    throw fault.code === "EADDRINUSE" ? heldError(path) : lockFault(path, fault);
  }
  server.on("error", () => undefined);
  server.unref();
  return {
    async release() {
      // The socket is closed when this returns; only the event comes later. Idempotent.
      withRealTicks(() => server.close());
    },
  };
}

/** Milliseconds until a listen without an answer has failed. */
const listenTimeoutMs = 5000;

/**
 * Binds the server to an abstract socket. Node.js does so before `listen` returns, and tells it
 * later, by process.nextTick. A test may have replaced that, even before it imported this package.
 */
function listen(server: net.Server, name: string): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const text = "the system did not answer";
    const late = setTimeout(() => reject(new Error(text)), listenTimeoutMs);
    const settle = (end: () => void): void => {
      clearTimeout(late);
      end();
    };
    server.once("error", (error) => settle(() => reject(error)));
    // Without `exclusive` the workers of node:cluster would share the socket, and so the lock.
    const options = { path: name, exclusive: true };
    try {
      withRealTicks(() => server.listen(options, () => settle(resolve)));
    } catch (error) {
      settle(() => reject(error as Error)); // the permission model throws at once
      return;
    }
    if (server.listening) settle(resolve);
  });
}

function netForbidden(cause: Error): UndercroftError {
  const fault = "the lock of a directory needs --allow-net under Node's permission model";
  return runtimeError(fault, "allow it, or leave disk out", { cause });
}

function socketName(path: string): string {
  try {
    const { dev, ino } = fs.statSync(path, { bigint: true, throwIfNoEntry: true });
    return `\0undercroft-${dev.toString()}-${ino.toString()}`;
  } catch (error) {
    throw lockFault(path, error as Error);
  }
}

/**
 * Creates a lock file with the process id and start time of its owner. A file whose owner is dead
 * is taken over.
 */
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

/** The owner's process id and start time, or null if the file is absent or incomplete. */
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
  // Process ids start over at each boot and in each container: our own id with another start time
  // belongs to a dead process.
  if (owner.pid === process.pid) return Math.abs(owner.startedMs - startedMs()) < 2_000;
  try {
    process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/**
 * Deletes a stale lock file. It renames the file first, so that only one of two openers removes it,
 * and links it back if by then the file names a living owner.
 */
function removeStale(file: string): void {
  const aside = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    fs.renameSync(file, aside);
    if (isHeld(readOwner(aside))) fs.linkSync(aside, file);
    fs.rmSync(aside, { force: true, recursive: false, maxRetries: 0, retryDelay: 0 });
  } catch {
    // Another opener was faster. The next attempt sees what it left.
  }
}

/** Start of this process by the wall clock. Threads agree unless the wall clock was stepped. */
function startedMs(): number {
  return Math.round(readAnchorMs() + monotonicMs() - uptimeSeconds() * 1000);
}

function heldError(path: string): UndercroftError {
  return new UndercroftError(
    "ERR_DIRECTORY_LOCKED",
    `Cannot open ${path}: another cache has it open, in this process or another; ` +
      "close that cache or choose another directory",
  );
}

function lockFault(path: string, cause: NodeJS.ErrnoException): UndercroftError {
  const isRefused = ["EACCES", "EPERM", "EROFS"].includes(cause.code ?? "");
  const code = isRefused ? "ERR_DIRECTORY_NOT_WRITABLE" : "ERR_DISK_IO";
  return new UndercroftError(code, `Cannot lock ${path}: ${cause.message}`, { cause });
}
