// Writes down what a run does to a directory, call by call: what a crash may leave follows from it
// (crash-image.ts). Over any file system.
import { basename } from "node:path";

import type { FileSystem } from "../../../src/device/mod.js";

/** What changed. Data belongs to inodes, names to the directory. */
export type DiskEvent =
  | { readonly kind: "make" }
  | { readonly kind: "write"; readonly inode: bigint; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: "truncate"; readonly inode: bigint; readonly length: number }
  | { readonly kind: "sync"; readonly inode: bigint }
  | { readonly kind: "syncNames" }
  | { readonly kind: "create"; readonly name: string; readonly inode: bigint }
  | { readonly kind: "rename"; readonly from: string; readonly to: string }
  | { readonly kind: "unlink"; readonly name: string };

type Sink = (event: DiskEvent) => void;

/** Calls `sink` after each change that worked, in order. */
export function recorded(files: FileSystem, sink: Sink): FileSystem {
  const inodeOf = (fd: number): bigint => files.fstatSync(fd, { bigint: true }).ino;
  const isDirectory = (fd: number): boolean => files.fstatSync(fd, { bigint: true }).isDirectory();
  const syncOf = (fd: number): DiskEvent =>
    isDirectory(fd) ? { kind: "syncNames" } : { kind: "sync", inode: inodeOf(fd) };
  const calls = {
    openSync(path: string, flags: number, mode: number): number {
      const wasThere = files.existsSync(path);
      const fd = files.openSync(path, flags, mode);
      if (!wasThere) sink({ kind: "create", name: basename(path), inode: inodeOf(fd) });
      return fd;
    },
    writeSync(fd: number, buffer: Uint8Array, offset: number, length: number, at: number): number {
      const count = files.writeSync(fd, buffer, offset, length, at);
      const bytes = Buffer.from(buffer.subarray(offset, offset + count));
      sink({ kind: "write", inode: inodeOf(fd), at, bytes });
      return count;
    },
    ftruncateSync(fd: number, length: number): void {
      files.ftruncateSync(fd, length);
      sink({ kind: "truncate", inode: inodeOf(fd), length });
    },
    fsyncSync(fd: number): void {
      files.fsyncSync(fd);
      sink(syncOf(fd));
    },
    fsync(fd: number, done: (error: Error | null) => void): void {
      const event = syncOf(fd);
      files.fsync(fd, (error) => {
        if (error === null) sink(event);
        done(error);
      });
    },
    mkdirSync(path: string, options: object): void {
      files.mkdirSync(path, options);
      sink({ kind: "make" });
    },
    renameSync(from: string, to: string): void {
      files.renameSync(from, to);
      sink({ kind: "rename", from: basename(from), to: basename(to) });
    },
    unlinkSync(path: string): void {
      files.unlinkSync(path);
      sink({ kind: "unlink", name: basename(path) });
    },
  };
  return { ...files, ...calls } as unknown as FileSystem;
}
