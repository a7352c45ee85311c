// Whether a descriptor is still of the file that it was opened for. Called by the disk tier where descriptors may have been
// closed behind its back: Node.js closes those of a worker that ends, and their numbers are given to what is opened next.
import { fstatSync, statSync } from "node:fs";

/** True if the descriptor is open and of the regular file at this path. */
export function isFileAt(fd: number, path: string): boolean {
  try {
    const [open, named] = [fstatSync(fd, { bigint: true }), statSync(path, { bigint: true })];
    return open.isFile() && open.ino === named.ino && open.dev === named.dev;
  } catch {
    return false;
  }
}
