// Tells whether a descriptor still belongs to the file it was opened for. Called by the disk tier
// where descriptors may have been closed behind its back: Node.js closes those of a worker that
// ends, and gives their numbers to the next files opened.
import { fstatSync, statSync } from "node:fs";

/** Whether the descriptor is open and belongs to the regular file at this path. */
export function isFileAt(fd: number, path: string): boolean {
  try {
    const [open, named] = [fstatSync(fd, { bigint: true }), statSync(path, { bigint: true })];
    return open.isFile() && open.ino === named.ino && open.dev === named.dev;
  } catch {
    return false;
  }
}
