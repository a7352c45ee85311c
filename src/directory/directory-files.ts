// The names in a cache directory, and how its files are opened, listed and deleted. Called by openDirectory.
// Invariant: nothing is followed, opened or deleted that does not bear one of our names and is not a regular file.

import fs from "node:fs";
import { dirname, resolve } from "node:path";
import { type ErrorCode, UndercroftError } from "../base/mod.js";
import { segmentCountMax } from "../disk/mod.js";
import { lockFileName } from "./lock.js";

export const manifestName = "undercroft.manifest";
export const epochsName = "undercroft.epochs";
export const schemasName = "undercroft.shapes";
export const snapshotName = "undercroft.index";
/** Made by the file system itself at the root of a volume, and no reason to refuse the volume. */
const harmlessNames: ReadonlySet<string> = new Set(["lost+found"]);

/** The name of the file of one disk segment. */
export function segmentName(segment: number): string {
  return `segment-${segment.toString().padStart(3, "0")}.ucs`;
}

/** What a directory holds. */
export interface DirectoryListing {
  readonly hasManifest: boolean;
  readonly hasSnapshot: boolean;
  /** Length in bytes of each segment file there is, by its number. */
  readonly segments: ReadonlyMap<number, number>;
  /** One name that is not ours, or null. */
  readonly foreign: string | null;
}

/** Runs file-system calls on `path` and turns their errors into coded ones: "Cannot <verb> <path>: …". */
export function attempt<T>(verb: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof UndercroftError) throw error;
    const reason = error instanceof Error ? error.message : "the system gave no reason";
    const code = codeOf((error as NodeJS.ErrnoException).code);
    throw new UndercroftError(code, `Cannot ${verb} ${path}: ${reason}`, { cause: error });
  }
}

function codeOf(systemCode: string | undefined): ErrorCode {
  switch (systemCode) {
    case "ENOTDIR":
      return "ERR_NOT_A_DIRECTORY";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "ERR_DIRECTORY_NOT_WRITABLE";
    case "ELOOP":
      return "ERR_DIRECTORY_NOT_OURS";
    default:
      return "ERR_DISK_IO";
  }
}

/** Makes the directory and its parents, readable by their owner only, if they are not there. */
export function ensureDirectory(path: string): void {
  attempt("create the cache directory", path, () => {
    try {
      makeDirectory(resolve(path), path);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // All parents are there by now, so "no such entry" means that this file system lets nobody make one.
      if (code !== "ENOENT") throw error;
      const text = `Cannot create the cache directory ${path}: ${message}`;
      throw new UndercroftError("ERR_DIRECTORY_NOT_WRITABLE", text, { cause: error });
    }
  });
}

/** Not mkdir's own `recursive`: on Node 20 it never returns where such a file system answers ENOENT, as /proc does. */
function makeDirectory(path: string, wanted: string): void {
  if (isDirectory(path, wanted)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent, wanted);
  try {
    fs.mkdirSync(path, { recursive: false, mode: 0o700 });
  } catch (error) {
    // Another process may have been faster.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !isDirectory(path, wanted))
      throw error;
  }
}

/** Throws ERR_NOT_A_DIRECTORY if there is something else. Below a file, stat answers "nothing there" (Node 24) or throws
 *  (Node 20): then it is the file that is in the way. */
function isDirectory(path: string, wanted: string): boolean {
  const stat = fs.statSync(path, { bigint: false, throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (!stat.isDirectory()) throw notDirectory(path, wanted);
  return true;
}

function notDirectory(path: string, wanted: string): UndercroftError {
  const what = path === resolve(wanted) ? "it" : path;
  const text = `Cannot open ${wanted} as a cache directory: ${what} is there and is not a directory`;
  return new UndercroftError("ERR_NOT_A_DIRECTORY", text);
}

/** Lists a directory. Throws ERR_DIRECTORY_NOT_OURS if one of our names is not a regular file. */
export function listDirectory(path: string): DirectoryListing {
  const segments = new Map<number, number>();
  const ours = new Set<string>();
  let foreign: string | null = null;
  for (const name of attempt("list", path, () => fs.readdirSync(path, "utf8"))) {
    const segment = segmentOfName(name);
    const isOurs = segment >= 0 || fixedNames.has(name);
    if (!isOurs) {
      if (!harmlessNames.has(name) && !isStaleLock(name)) foreign = name;
      continue;
    }
    const file = `${path}/${name}`;
    const stat = attempt("inspect", file, () => fs.lstatSync(file, { bigint: false }));
    if (!stat.isFile()) throw notRegular(file);
    ours.add(name);
    if (segment >= 0) segments.set(segment, stat.size);
  }
  const hasManifest = ours.has(manifestName);
  return { hasManifest, hasSnapshot: ours.has(snapshotName), segments, foreign };
}

const fixedNames: ReadonlySet<string> = new Set([
  manifestName,
  epochsName,
  schemasName,
  snapshotName,
  lockFileName,
]);

/** A lock file that a thief had moved aside when it died. */
function isStaleLock(name: string): boolean {
  return name.startsWith(`${lockFileName}.`);
}

function segmentOfName(name: string): number {
  const match = /^segment-(\d{3})\.ucs$/.exec(name);
  const segment = match === null ? -1 : Number(match[1]);
  return segment < segmentCountMax ? segment : -1;
}

function notRegular(file: string): UndercroftError {
  const text = `Cannot use ${file}: it is not a regular file, so no cache made it; remove it or choose another directory`;
  return new UndercroftError("ERR_DIRECTORY_NOT_OURS", text);
}

/** Opens a file for reading and writing, makes it if it is not there, and follows no link. Returns the descriptor. */
export function openFile(file: string): number {
  return attempt("open", file, () => {
    const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    // The two last are missing on Windows. Without O_NONBLOCK a pipe under our name could hold the open for ever.
    const flags = O_RDWR | O_CREAT | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);
    const fd = fs.openSync(file, flags, 0o600);
    try {
      if (!fs.fstatSync(fd, { bigint: false }).isFile()) throw notRegular(file);
      return fd;
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  });
}

/** Deletes a file if it is there. */
export function removeFile(file: string): void {
  attempt("delete", file, () => {
    try {
      fs.unlinkSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  });
}

/** Makes the names in a directory durable, where the system can. */
export function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  attempt("sync", path, () => {
    const fd = fs.openSync(path, fs.constants.O_RDONLY);
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  });
}
