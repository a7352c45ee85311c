// The seam between the disk tier and the system: all its calls to the file system go through `fs`
// of this file, which is node:fs. Proofs use another one instead, in memory, recording or faulty
// (test/proof/disk). Invariant: no other file of the rooms that have to do with directories
// imports node:fs (a house rule), so whoever replaces this one sees every call.
import nodeFs from "node:fs";

/** The calls that the disk tier makes. */
export type FileSystem = Pick<
  typeof nodeFs,
  | "chmodSync"
  | "closeSync"
  | "constants"
  | "existsSync"
  | "fstatSync"
  | "fsync"
  | "fsyncSync"
  | "ftruncateSync"
  | "lstatSync"
  | "mkdirSync"
  | "mkdtempSync"
  | "openSync"
  | "read"
  | "readdirSync"
  | "readFileSync"
  | "readlinkSync"
  | "readSync"
  | "realpathSync"
  | "renameSync"
  | "rmSync"
  | "statfsSync"
  | "statSync"
  | "symlinkSync"
  | "unlinkSync"
  | "writeSync"
>;

/** The file system in use. Ask it at each call, and keep none of its functions. */
export let fs: FileSystem = nodeFs;

/** Uses another one instead, in this thread. For proofs. */
export function useFileSystem(other: FileSystem): void {
  fs = other;
}
