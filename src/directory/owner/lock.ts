// The lock of a cache directory: it excludes other openers, in this process and in others, in other
// containers and on other machines. openDirectory takes it.
//
// Where the system has Unix sockets it is a claim in the directory (claims.ts). An opener first
// makes its own claim, as a candidate, and then looks at those of others. It owns the directory
// once it has seen no living one, and says so by renaming its claim. Of two, who came later sees
// who came earlier: it goes away if that one owns the directory, or if its own id is the larger
// one; else it waits until the other has gone away or has become the owner.
// Invariants: at most one opener whose kernel runs the others too holds the lock, and a dead
// process holds none. Over kernels a claim is a lease: who does not find its own claim any more has
// lost the directory, and asks before it makes anything final (isHeld).
import net from "node:net";
import { join } from "node:path";
import { fs } from "../../device/mod.js";
import {
  clearInterval,
  clearTimeout,
  elapsedMs,
  isAccessDenied,
  runtimeError,
  setInterval,
  setTimeout,
  UndercroftError,
  withRealTicks,
} from "../../base/mod.js";
import {
  claimName,
  connect,
  kernelTag,
  leaseMs,
  listClaims,
  livenessOf,
  lockPrefix,
  newId,
  removeClaim,
  renewedMs,
  withAddress,
} from "./claims.js";

/** A held lock. */
export interface DirectoryLock {
  /** Whether it still is: false once another machine has taken the directory over, or somebody has
   *  deleted the claim. Renews the lease; once it is lost it stays so. */
  isHeld(): boolean;
  /** Resolves when it is noticed that the lock is lost, at most renewEveryMs later. */
  readonly lost: Promise<void>;
  /** Has a function take the connections to the claim, which are ended otherwise. Does nothing
   *  where others than this user could connect. */
  answer(accept: (socket: net.Socket) => void): void;
  /** Idempotent. */
  release(): Promise<void>;
}

/** Milliseconds until a listen without an answer has failed. */
const listenTimeoutMs = 5000;
/** Milliseconds between two renewals: three fit in a lease. */
const renewEveryMs = leaseMs / 3;
/** Milliseconds that a candidate waits for another one with a larger id to go away. */
const candidateWaitMs = 2000;
/** Milliseconds between two looks at the other claims. */
const lookEveryMs = 5;
/** Attempts to bind: a file that is not listened to yet may be swept away by an opener. */
const bindsMax = 5;

/**
 * Takes the lock of the existing directory at `path`. Rejects with ERR_DIRECTORY_LOCKED while
 * another opener holds it. A file system that takes no sockets is locked by the system's names
 * instead, which on Linux are those of one network namespace.
 */
export async function acquireLock(path: string): Promise<DirectoryLock> {
  if (process.platform === "win32") return acquireNamedLock(path);
  try {
    return await acquireClaim(path);
  } catch (error) {
    if (!isWithoutSockets(error) || process.platform !== "linux") throw error;
    return acquireNamedLock(path);
  }
}

function isWithoutSockets(error: unknown): boolean {
  const { cause } = error as Error;
  const { code = "" } = (cause ?? {}) as NodeJS.ErrnoException;
  return ["ENOTSUP", "EOPNOTSUPP", "EPERM", "EINVAL", "ENOSYS", "ENODEV"].includes(code);
}

/** Takes the lock by a claim in the directory. */
export async function acquireClaim(path: string): Promise<DirectoryLock> {
  const kernel = kernelTag();
  const { server, id, isPrivate } = await bind(path, kernel);
  const candidate = claimName("c", kernel, id);
  const owner = claimName("o", kernel, id);
  const withdraw = (): void => {
    removeClaim(path, candidate);
    removeClaim(path, owner);
    // The socket is closed when this returns; only the event comes later. Idempotent.
    withRealTicks(() => server.close());
  };
  try {
    await awaitOthers(path, id, candidate);
    fs.renameSync(join(path, candidate), join(path, owner));
    sweep(path);
  } catch (error) {
    withdraw();
    throw error instanceof UndercroftError ? error : lockFault(path, error as Error);
  }
  const answer = (accept: (socket: net.Socket) => void): void => {
    if (isPrivate) connectTo(server, accept);
  };
  return { ...heldLock(() => renew(path, owner), withdraw), answer };
}

/** A lock that is renewed until it is released or lost. */
function heldLock(renews: () => boolean, withdraw: () => void): Omit<DirectoryLock, "answer"> {
  let isLost = false;
  let notice: () => void;
  const lost = new Promise<void>((resolve) => (notice = resolve));
  const isHeld = (): boolean => {
    if (!isLost && !renews()) {
      isLost = true;
      clearInterval(timer);
      notice();
    }
    return !isLost;
  };
  const timer = setInterval(isHeld, renewEveryMs).unref();
  const release = async (): Promise<void> => {
    clearInterval(timer);
    withdraw();
  };
  return { isHeld, lost, release };
}

/** Renews a claim by the clock of the file system, which a change of its mode reads. */
function renew(path: string, name: string): boolean {
  try {
    fs.chmodSync(join(path, name), 0o600);
    return true;
  } catch (error) {
    // Any other fault says nothing about the owner. Nor does a directory that is gone: nobody else
    // has it, and who writes to it finds that out (trust/presence.ts).
    return (error as NodeJS.ErrnoException).code !== "ENOENT" || !fs.existsSync(path);
  }
}

function becomesPrivate(file: string): boolean {
  try {
    fs.chmodSync(file, 0o600);
    return true;
  } catch {
    return false; // on a file system without modes
  }
}

interface Bound {
  readonly server: net.Server;
  readonly id: string;
  /** Nobody but this user, and root, can connect. */
  readonly isPrivate: boolean;
}

/** Makes a claim that listens from the moment others see it. */
async function bind(path: string, kernel: string): Promise<Bound> {
  for (let attempt = 1; ; attempt++) {
    const id = newId();
    const fresh = `${lockPrefix}-new-${id}`;
    const server = newServer();
    try {
      await withAddress(path, fresh, (address) => listen(server, address));
      const isPrivate = becomesPrivate(join(path, fresh));
      fs.renameSync(join(path, fresh), join(path, claimName("c", kernel, id)));
      return { server, id, isPrivate };
    } catch (error) {
      removeClaim(path, fresh);
      withRealTicks(() => server.close());
      const fault = error as NodeJS.ErrnoException;
      if (isAccessDenied(fault)) throw netForbidden(fault);
      if (fault.code !== "ENOENT" || attempt === bindsMax) throw lockFault(path, fault);
    }
  }
}

/** Resolves once no other claim is alive. Rejects with ERR_DIRECTORY_LOCKED if another one comes
 *  first. */
async function awaitOthers(path: string, id: string, candidate: string): Promise<void> {
  const until = elapsedMs() + candidateWaitMs;
  for (;;) {
    const now = renewedMs(path, candidate) ?? 0;
    let isAlone = true;
    for (const claim of listClaims(path)) {
      if (claim.id === id) continue;
      const liveness = await livenessOf(path, claim, now);
      if (liveness === "dead") removeClaim(path, claim.name);
      if (liveness === "dead") continue;
      isAlone = false;
      if (liveness === "alive" && (claim.isOwners || claim.id < id)) throw heldError(path);
    }
    if (isAlone) return;
    if (elapsedMs() > until) throw heldError(path);
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

/** Deletes what openers left that died before anybody could see their claims. One that is about to
 *  be seen makes another. */
function sweep(path: string): void {
  for (const name of fs.readdirSync(path, "utf8")) {
    if (name.startsWith(`${lockPrefix}-new-`)) removeClaim(path, name);
  }
}

/**
 * Listens on a name of the system made of the directory's device and inode: a pipe on Windows, an
 * abstract socket on Linux. The operating system frees it when the process dies, even by kill -9.
 */
export async function acquireNamedLock(path: string): Promise<DirectoryLock> {
  const name = systemName(path);
  const server = newServer();
  try {
    await listen(server, name);
  } catch (error) {
    const fault = error as NodeJS.ErrnoException;
    if (isAccessDenied(fault)) throw netForbidden(fault);
    throw fault.code === "EADDRINUSE" ? heldError(path) : lockFault(path, fault);
  }
  return {
    isHeld: () => true,
    lost: new Promise(() => undefined),
    answer(accept) {
      // A pipe of Windows lets only its user and administrators write. Names of Linux have no mode.
      if (process.platform === "win32") connectTo(server, accept);
    },
    async release() {
      withRealTicks(() => server.close());
    },
  };
}

function connectTo(server: net.Server, accept: (socket: net.Socket) => void): void {
  server.removeAllListeners("connection");
  server.on("connection", accept);
}

/** Whether a living process has the lock that acquireNamedLock takes. */
export async function isNameTaken(path: string): Promise<boolean> {
  if (process.platform !== "linux" && process.platform !== "win32") return false;
  return (await connect(systemName(path))) === "";
}

function newServer(): net.Server {
  const server = net.createServer((socket) => socket.destroy());
  server.unref();
  return server;
}

/**
 * Binds the server to a name or path. Node.js does so before `listen` returns, and tells it later,
 * by process.nextTick. A test may have replaced that, even before it imported this package.
 */
async function listen(server: net.Server, name: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
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
  server.on("error", () => undefined);
  server.unref();
}

function netForbidden(cause: Error): UndercroftError {
  const fault = "the lock of a directory needs --allow-net under Node's permission model";
  return runtimeError(fault, "allow it, or leave disk out", { cause });
}

/** The address of a directory's lock on Windows. */
export function pipeName(path: string): string {
  return `\\\\.\\pipe\\${numbersOf(path)}`;
}

function numbersOf(path: string): string {
  const { dev, ino } = fs.statSync(path, { bigint: true, throwIfNoEntry: true });
  return `undercroft-${dev.toString()}-${ino.toString()}`;
}

function systemName(path: string): string {
  try {
    return process.platform === "win32" ? pipeName(path) : `\0${numbersOf(path)}`;
  } catch (error) {
    throw lockFault(path, error as Error);
  }
}

function heldError(path: string): UndercroftError {
  return new UndercroftError(
    "ERR_DIRECTORY_LOCKED",
    `Cannot open ${path}: another cache has it open, in this process or another; ` +
      "close that cache, choose another directory, or use option disk.whenLocked",
  );
}

function lockFault(path: string, cause: NodeJS.ErrnoException): UndercroftError {
  // A bind in a directory that is missing says EACCES as well.
  const isRefused = ["EACCES", "EROFS"].includes(cause.code ?? "") && fs.existsSync(path);
  const code = isRefused ? "ERR_DIRECTORY_NOT_WRITABLE" : "ERR_DISK_IO";
  return new UndercroftError(code, `Cannot lock ${path}: ${cause.message}`, { cause });
}
