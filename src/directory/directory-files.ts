// The file names in a cache directory, and how files are opened, listed and deleted. Called by
// openDirectory.
// Invariant: it opens and deletes only regular files with one of our names, and follows no link.

import { dirname, resolve } from "node:path";
import { type ErrorCode, isAccessDenied, runtimeError, UndercroftError } from "../base/mod.js";
import { closeFile, type FileIdentity, fs, isFileOf } from "../device/mod.js";
import { segmentCountMax } from "../disk/mod.js";
import { lockPrefix } from "./owner/claims.js";

export const manifestName = "undercroft.manifest";
export const epochsName = "undercroft.epochs";
export const tagsName = "undercroft.tags";
/** The next tags file while it is written; renamed then. */
export const nextTagsName = "undercroft.tags-next";
export const schemasName = "undercroft.shapes";
export const snapshotName = "undercroft.index";
/** File systems create these at the root of a volume; they are no reason to refuse it. */
const harmlessNames: ReadonlySet<string> = new Set(["lost+found"]);

/** The name of a segment file. */
export function segmentName(segment: number): string {
  return `segment-${segment.toString().padStart(3, "0")}.ucs`;
}

/** What a directory holds. */
export interface DirectoryListing {
  readonly hasManifest: boolean;
  readonly hasSnapshot: boolean;
  /** Length in bytes of each segment file, by segment number. */
  readonly segments: ReadonlyMap<number, number>;
  /** The names of all our files. */
  readonly files: readonly string[];
  /** One name that is not ours, or null. */
  readonly foreign: string | null;
}

/** Runs file-system calls; their errors become coded ones that say "Cannot <verb> <path>: …". */
export function attempt<T>(verb: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof UndercroftError) throw error;
    const reason =
      error instanceof Error ? error.message.replace(/\.$/, "") : "the system gave no reason";
    const code = codeOf((error as NodeJS.ErrnoException).code);
    const remedy = isAccessDenied(error)
      ? "; allow the directory with --allow-fs-read and --allow-fs-write"
      : "";
    throw new UndercroftError(code, `Cannot ${verb} ${path}: ${reason}${remedy}`, { cause: error });
  }
}

function codeOf(systemCode: string | undefined): ErrorCode {
  switch (systemCode) {
    case "ENOTDIR":
      return "ERR_NOT_A_DIRECTORY";
    case "EACCES":
    case "ERR_ACCESS_DENIED":
    case "EPERM":
    case "EROFS":
      return "ERR_DIRECTORY_NOT_WRITABLE";
    case "ELOOP":
      return "ERR_DIRECTORY_NOT_OURS";
    default:
      return "ERR_DISK_IO";
  }
}

/** Creates the directory and its parents where they are missing, with mode 0700. */
export function ensureDirectory(path: string): void {
  attempt("create the cache directory", path, () => {
    try {
      makeDirectory(resolve(path), path);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // All parents exist by now, so ENOENT means that this file system lets nobody create entries.
      if (code !== "ENOENT") throw error;
      const text = `Cannot create the cache directory ${path}: ${message}`;
      throw new UndercroftError("ERR_DIRECTORY_NOT_WRITABLE", text, { cause: error });
    }
  });
}

/**
 * Creates a directory and its parents. mkdir's own `recursive` hangs on Node 20 when the file
 * system answers ENOENT, as /proc does.
 */
function makeDirectory(path: string, wanted: string): void {
  if (isDirectory(path, wanted)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent, wanted);
  try {
    fs.mkdirSync(path, { recursive: false, mode: 0o700 });
  } catch (error) {
    // Another process may have created it first.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !isDirectory(path, wanted))
      throw error;
  }
}

/**
 * Returns false if nothing exists at `path`; throws ERR_NOT_A_DIRECTORY if something else does. For
 * a path below a file, stat returns undefined on Node 24 and throws on Node 20.
 */
function isDirectory(path: string, wanted: string): boolean {
  const stat = fs.statSync(path, { bigint: false, throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (!stat.isDirectory()) throw notDirectory(path, wanted);
  return true;
}

function notDirectory(path: string, wanted: string): UndercroftError {
  const what = path === resolve(wanted) ? "it" : path;
  const text =
    `Cannot open ${wanted} as a cache directory: ${what} exists and is not a directory; ` +
    "choose another path";
  return new UndercroftError("ERR_NOT_A_DIRECTORY", text);
}

/** Lists a directory. Throws ERR_DIRECTORY_NOT_OURS if a file of ours is not a regular file. */
export function listDirectory(path: string): DirectoryListing {
  const segments = new Map<number, number>();
  const ours = new Set<string>();
  let foreign: string | null = null;
  for (const name of attempt("list", path, () => fs.readdirSync(path, "utf8"))) {
    const segment = segmentOfName(name);
    const isOurs = segment >= 0 || fixedNames.has(name);
    if (!isOurs) {
      if (!harmlessNames.has(name) && !isLock(name)) foreign = name;
      continue;
    }
    const file = `${path}/${name}`;
    const stat = attempt("inspect", file, () => fs.lstatSync(file, { bigint: false }));
    if (!stat.isFile()) throw notRegular(file);
    ours.add(name);
    if (segment >= 0) segments.set(segment, stat.size);
  }
  const hasManifest = ours.has(manifestName);
  const hasSnapshot = ours.has(snapshotName);
  return { hasManifest, hasSnapshot, segments, files: [...ours], foreign };
}

const fixedNames: ReadonlySet<string> = new Set([
  manifestName,
  epochsName,
  tagsName,
  nextTagsName,
  schemasName,
  snapshotName,
]);

/** A claim of the lock (owner/claims.ts), of a living opener or a dead one. */
function isLock(name: string): boolean {
  return name.startsWith(lockPrefix);
}

function segmentOfName(name: string): number {
  const match = /^segment-(\d{3})\.ucs$/.exec(name);
  const segment = match === null ? -1 : Number(match[1]);
  return segment < segmentCountMax ? segment : -1;
}

function notRegular(file: string): UndercroftError {
  const text =
    `Cannot use ${file}: it is not a regular file, so no cache created it; ` +
    "remove it or choose another directory";
  return new UndercroftError("ERR_DIRECTORY_NOT_OURS", text);
}

/** The flag of a descriptor whose writes survive a power loss without a sync; Windows has none. */
const durableFlag: number | undefined = fs.constants.O_DSYNC;

/**
 * Opens a file for reading and writing, follows no link, and creates the file if it is missing.
 * With `durable`, each write survives a power loss: for a process that may not sync.
 */
export function openFile(file: string, durable = false): number {
  if (durable && durableFlag === undefined) {
    throw runtimeError(
      "Node's permission model forbids fsync, and this system has no O_DSYNC",
      "disk does not work under the model here; leave it out, or run without the model",
    );
  }
  return attempt("open", file, () => {
    const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    // Windows lacks the last two. Without O_NONBLOCK, opening a pipe with one of our names could
    // block forever.
    const flags =
      O_RDWR | O_CREAT | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0) | (durable ? (durableFlag ?? 0) : 0);
    return regular(fs.openSync(file, flags, 0o600), file);
  });
}

/** A file that was just opened, if it is a regular one; else it is closed. */
function regular(fd: number, file: string): number {
  try {
    if (!fs.fstatSync(fd, { bigint: false }).isFile()) throw notRegular(file);
    return fd;
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

/** Opens a file that exists, to read only, and follows no link; null if there is none. */
export function openToRead(file: string): number | null {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  return attempt("open", file, () => {
    let fd: number;
    try {
      fd = fs.openSync(file, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
    return regular(fd, file);
  });
}

/** Opens a segment file that exists, for reading and writing. Follows no link. Throws ERR_DISK_IO
 *  if it is not the file that it was. */
export function openSegment(path: string, segment: number, identity: FileIdentity): number {
  const file = `${path}/${segmentName(segment)}`;
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const flags = O_RDWR | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);
  return attempt("open", file, () => {
    const fd = fs.openSync(file, flags);
    try {
      if (!isFileOf(identity, fd)) throw new Error("it was replaced while the cache was open");
      return fd;
    } catch (error) {
      closeFile(fd);
      throw error;
    }
  });
}

/** Deletes a file if it exists. */
export function removeFile(file: string): void {
  attempt("delete", file, () => {
    try {
      fs.unlinkSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  });
}

/** Renames a file over another, in one step. */
export function renameFile(from: string, to: string): void {
  attempt("replace", to, () => fs.renameSync(from, to));
}

/** Syncs the names in a directory. Windows cannot, so nothing happens there. */
export function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  attempt("sync", path, () => {
    const fd = fs.openSync(path, fs.constants.O_RDONLY);
    try {
      fs.fsyncSync(fd);
    } finally {
      closeFile(fd);
    }
  });
}
