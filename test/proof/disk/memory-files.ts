// A file system in memory, as much of one as the disk tier uses: one flat cache directory, with
// inodes, holes and descriptors, and the file of the system that names the boot. Copies of it are
// cheap, since pages are shared until one of them is written. Used by the proofs of the disk tier.
import nodeFs from "node:fs";
import { basename, dirname } from "node:path";

import type { FileSystem } from "../../../src/device/mod.js";

export const pageBytes = 4096;
/** The cache directory. */
export const root = "/cache";
const bootFile = "/proc/sys/kernel/random/boot_id";

interface Page {
  readonly bytes: Uint8Array;
  /** The token of the file system that may write it; any other copies it first. */
  readonly owner: object;
}

/** A file, under whatever names. */
export class Inode {
  readonly number: bigint;
  size = 0;
  /** What is not here is zeros. */
  pages: (Page | undefined)[] = [];
  readonly #owner: MemoryFiles;

  constructor(number: bigint, owner: MemoryFiles) {
    this.number = number;
    this.#owner = owner;
  }

  copyFor(owner: MemoryFiles): Inode {
    const copy = new Inode(this.number, owner);
    copy.size = this.size;
    copy.pages = this.pages.slice();
    return copy;
  }

  write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length;) {
      const at = position + done;
      const number = Math.floor(at / pageBytes);
      const from = at % pageBytes;
      const count = Math.min(pageBytes - from, bytes.length - done);
      this.#own(number).set(bytes.subarray(done, done + count), from);
      done += count;
    }
    this.size = Math.max(this.size, position + bytes.length);
  }

  #own(number: number): Uint8Array {
    const page = this.pages[number];
    if (page?.owner === this.#owner.token) return page.bytes;
    const bytes = page === undefined ? new Uint8Array(pageBytes) : page.bytes.slice();
    this.pages[number] = { bytes, owner: this.#owner.token };
    return bytes;
  }

  read(into: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(into.length, this.size - position));
    for (let done = 0; done < count;) {
      const at = position + done;
      const from = at % pageBytes;
      const some = Math.min(pageBytes - from, count - done);
      const page = this.pages[Math.floor(at / pageBytes)];
      if (page === undefined) into.fill(0, done, done + some);
      else into.set(page.bytes.subarray(from, from + some), done);
      done += some;
    }
    return count;
  }

  truncate(length: number): void {
    if (length < this.size) {
      const last = Math.floor(length / pageBytes);
      this.pages.length = Math.min(this.pages.length, Math.ceil(length / pageBytes));
      const rest = length % pageBytes;
      if (rest > 0 && this.pages[last] !== undefined) this.#own(last).fill(0, rest);
    }
    this.size = length;
  }

  /** Whether nothing was written to a page since it is part of the file. */
  isHole(page: number): boolean {
    return this.pages[page] === undefined;
  }

  bytes(): Buffer {
    const bytes = Buffer.alloc(this.size);
    this.read(bytes, 0);
    return bytes;
  }
}

export type Fault = "EBADF" | "EEXIST" | "ENOENT" | "ELOOP" | "EISDIR" | "ENOTDIR" | "EMFILE";

/** An error as the system throws it. */
export function systemError(code: string, call: string, path = ""): NodeJS.ErrnoException {
  const text = `${code}: in the proof, ${call}${path === "" ? "" : ` '${path}'`}`;
  return Object.assign(new Error(text), { code, syscall: call, path });
}

/** What is under a name beside files. */
type Planted = "directory" | "link";

export class MemoryFiles {
  bootId = "00000000-0000-0000-0000-000000000000";
  /** The entries of the cache directory. */
  readonly names = new Map<string, Inode>();
  readonly planted = new Map<string, Planted>();
  isMade = false;
  /** Owns the pages that nobody else has. */
  token: object = {};
  /** Bytes that were read and written: what a run costs. */
  moved = 0;
  #nextInode = 100n;
  #nextFd = 1000;
  readonly #open = new Map<number, Inode | "directory" | "boot">();

  /** What is on disk, in a file system of its own. */
  copy(): MemoryFiles {
    const copy = new MemoryFiles();
    // From now on no page is this one's alone.
    this.token = {};
    copy.bootId = this.bootId;
    copy.isMade = this.isMade;
    copy.#nextInode = this.#nextInode;
    for (const [name, inode] of this.names) copy.names.set(name, inode.copyFor(copy));
    for (const [name, what] of this.planted) copy.planted.set(name, what);
    return copy;
  }

  /** Puts a file there, whatever was. */
  put(name: string, bytes: Uint8Array, number = this.#number()): Inode {
    const inode = new Inode(number, this);
    inode.write(bytes, 0);
    this.adopt(name, inode);
    return inode;
  }

  /** Gives a file that is made elsewhere a name. */
  adopt(name: string, inode: Inode): void {
    this.names.set(name, inode);
    if (inode.number >= this.#nextInode) this.#nextInode = inode.number + 1n;
  }

  #number(): bigint {
    return this.#nextInode++;
  }

  /** Descriptors that are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /** The name of what a path names in the cache directory; null: the directory itself. */
  #nameOf(path: string, call: string): string | null {
    if (path === root) {
      if (this.isMade) return null;
      throw systemError("ENOENT", call, path);
    }
    if (dirname(path) === root && this.isMade) return basename(path);
    throw systemError("ENOENT", call, path);
  }

  #inodeOf(path: string, call: string): Inode | "directory" | "link" | undefined {
    const name = this.#nameOf(path, call);
    if (name === null) return "directory";
    return this.planted.get(name) ?? this.names.get(name);
  }

  #of(fd: number, call: string): Inode {
    const inode = this.#open.get(fd);
    if (inode === undefined) throw systemError("EBADF", call);
    if (typeof inode === "string") throw systemError("EISDIR", call);
    return inode;
  }

  openSync(path: string, flags: number): number {
    const { O_CREAT, O_EXCL, O_ACCMODE } = { O_ACCMODE: 3, ...nodeFs.constants };
    const fd = this.#nextFd;
    if (path === bootFile) {
      this.#open.set(this.#nextFd++, "boot");
      return fd;
    }
    let inode = this.#inodeOf(path, "open");
    if (inode === "link") throw systemError("ELOOP", "open", path);
    if (inode === "directory" && (flags & O_ACCMODE) !== 0) {
      throw systemError("EISDIR", "open", path);
    }
    if (inode !== undefined && (flags & O_EXCL) !== 0) throw systemError("EEXIST", "open", path);
    if (inode === undefined) {
      if ((flags & O_CREAT) === 0) throw systemError("ENOENT", "open", path);
      inode = new Inode(this.#number(), this);
      this.names.set(basename(path), inode);
    }
    this.#open.set(this.#nextFd++, inode);
    return fd;
  }

  closeSync(fd: number): void {
    if (!this.#open.delete(fd)) throw systemError("EBADF", "close");
  }

  readSync(fd: number, buffer: Uint8Array, offset: number, length: number, at: number): number {
    if (this.#open.get(fd) === "boot") return Buffer.from(this.bootId).copy(buffer, offset);
    const count = this.#of(fd, "read").read(buffer.subarray(offset, offset + length), at);
    this.moved += count;
    return count;
  }

  writeSync(fd: number, buffer: Uint8Array, offset: number, length: number, at: number): number {
    this.#of(fd, "write").write(buffer.subarray(offset, offset + length), at);
    this.moved += length;
    return length;
  }

  ftruncateSync(fd: number, length: number): void {
    this.#of(fd, "ftruncate").truncate(length);
  }

  fsyncSync(fd: number): void {
    if (!this.#open.has(fd)) throw systemError("EBADF", "fsync");
  }

  statOf(what: Inode | "directory" | "link" | "boot"): object {
    const isFile = typeof what === "object";
    const number = isFile ? what.number : 1n;
    return {
      ino: number,
      dev: 1n,
      size: isFile ? what.size : 0,
      // A time of birth that is not that of the last change counts as known.
      birthtimeNs: number * 1000n,
      ctimeNs: number * 1000n + 1n,
      mtimeMs: 0,
      isFile: () => isFile,
      isDirectory: () => what === "directory",
      isSymbolicLink: () => what === "link",
    };
  }

  fstatSync(fd: number): object {
    const inode = this.#open.get(fd);
    if (inode === undefined) throw systemError("EBADF", "fstat");
    return this.statOf(inode);
  }

  statSync(path: string, { throwIfNoEntry = true } = {}): object | undefined {
    const isAbove = path === "/" || (path === root && this.isMade);
    const inode = isAbove ? "directory" : path === root ? undefined : this.#inodeOf(path, "stat");
    if (inode !== undefined) return this.statOf(inode);
    if (throwIfNoEntry) throw systemError("ENOENT", "stat", path);
    return undefined;
  }

  isThere(path: string): boolean {
    if (path === bootFile) return true;
    const isOurs = path === root || (dirname(path) === root && this.isMade);
    return isOurs && this.statSync(path, { throwIfNoEntry: false }) !== undefined;
  }

  readdirSync(path: string): string[] {
    if (this.#nameOf(path, "scandir") !== null) throw systemError("ENOTDIR", "scandir", path);
    return [...this.names.keys(), ...this.planted.keys()];
  }

  mkdirSync(path: string): void {
    if (path !== root) throw systemError("ENOENT", "mkdir", path);
    if (this.isMade) throw systemError("EEXIST", "mkdir", path);
    this.isMade = true;
  }

  renameSync(from: string, to: string): void {
    const inode = this.#inodeOf(from, "rename");
    if (inode === undefined) throw systemError("ENOENT", "rename", from);
    if (typeof inode === "string" || this.planted.get(basename(to)) === "directory") {
      throw systemError("EISDIR", "rename", to);
    }
    this.planted.delete(basename(to));
    this.names.delete(basename(from));
    this.names.set(basename(to), inode);
  }

  unlinkSync(path: string): void {
    const inode = this.#inodeOf(path, "unlink");
    if (inode === undefined) throw systemError("ENOENT", "unlink", path);
    if (inode === "directory") throw systemError("EISDIR", "unlink", path);
    if (inode === "link") this.planted.delete(basename(path));
    else this.names.delete(basename(path));
  }
}

/** The calls of the disk tier over files in memory. */
export function fileSystemOver(files: MemoryFiles): FileSystem {
  const missing = (call: string) => (): never => {
    throw systemError("ENOENT", call);
  };
  const calls = {
    constants: nodeFs.constants,
    openSync: files.openSync.bind(files),
    closeSync: files.closeSync.bind(files),
    readSync: files.readSync.bind(files),
    read(
      fd: number,
      buffer: Uint8Array,
      offset: number,
      length: number,
      position: number,
      done: (error: Error | null, count: number) => void,
    ): void {
      answer(() => files.readSync(fd, buffer, offset, length, position), done);
    },
    writeSync: files.writeSync.bind(files),
    ftruncateSync: files.ftruncateSync.bind(files),
    fsyncSync: files.fsyncSync.bind(files),
    fsync(fd: number, done: (error: Error | null) => void): void {
      answer(() => files.fsyncSync(fd), done);
    },
    fstatSync: files.fstatSync.bind(files),
    statSync: files.statSync.bind(files),
    lstatSync: files.statSync.bind(files),
    existsSync: (path: string) => files.isThere(path),
    readdirSync: files.readdirSync.bind(files),
    mkdirSync: files.mkdirSync.bind(files),
    renameSync: files.renameSync.bind(files),
    unlinkSync: files.unlinkSync.bind(files),
    statfsSync: () => ({ bavail: 2 ** 30, bsize: 4096, blocks: 2 ** 30 }),
    chmodSync: () => undefined,
    realpathSync: (path: string) => path,
    readFileSync: missing("open"),
    readlinkSync: missing("readlink"),
    mkdtempSync: missing("mkdtemp"),
    symlinkSync: missing("symlink"),
    rmSync: missing("rm"),
  };
  return calls as unknown as FileSystem;
}

function answer<T>(run: () => T, done: (error: Error | null, value: T) => void): void {
  let value: T;
  try {
    value = run();
  } catch (error) {
    queueMicrotask(() => done(error as Error, undefined as T));
    return;
  }
  queueMicrotask(() => done(null, value));
}
