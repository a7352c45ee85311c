// Tells whether a descriptor still belongs to the file it was opened for. Called by the disk tier
// where descriptors may have been closed behind its back: Node.js closes those of a worker that
// ends, and gives their numbers to the next files opened.
import { inspected } from "./descriptor.js";
import { fs } from "./file-system.js";

/** What tells a file from a copy of it. */
export interface FileIdentity {
  readonly inode: bigint;
  /** When the file was made, in nanoseconds since 1970; 0 if the file system does not say. */
  readonly born: bigint;
}

/** The identity of an open file. */
export function identityOf(fd: number): FileIdentity {
  const { ino, birthtimeNs, ctimeNs } = inspected(() => fs.fstatSync(fd, { bigint: true }));
  // Where there is no time of birth, some systems give that of the last change.
  return { inode: ino, born: birthtimeNs === ctimeNs ? 0n : birthtimeNs };
}

/**
 * Whether an open file is the one with this identity. The number of a deleted file is used again,
 * so the time of birth counts where it is known.
 */
export function isFileOf({ inode, born }: FileIdentity, fd: number): boolean {
  const { ino, birthtimeNs } = inspected(() => fs.fstatSync(fd, { bigint: true }));
  return ino === inode && (born === 0n || birthtimeNs === born);
}

/** The identity of the file at a path, which no link is followed to. */
export function identityAt(path: string): FileIdentity {
  const { ino, birthtimeNs, ctimeNs } = inspected(() => fs.lstatSync(path, { bigint: true }));
  return { inode: ino, born: birthtimeNs === ctimeNs ? 0n : birthtimeNs };
}

/** Whether the file with this identity is at the path. */
export function isNamed({ inode, born }: FileIdentity, path: string): boolean {
  const named = inspected(() => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false }));
  return named?.ino === inode && (born === 0n || named.birthtimeNs === born);
}

/** Whether the descriptor is open and belongs to the regular file at this path. */
export function isFileAt(fd: number, path: string): boolean {
  try {
    const [open, named] = [fs.fstatSync(fd, { bigint: true }), fs.statSync(path, { bigint: true })];
    return open.isFile() && open.ino === named.ino && open.dev === named.dev;
  } catch {
    return false;
  }
}
