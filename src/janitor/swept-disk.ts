// What the sweep of the tags (tag-sweeper.ts) needs of the disk tier. The janitor makes it.
import { fileDevice } from "../device/mod.js";
import { type DiskSide, InvalidatedWalk } from "../disk-log/mod.js";
import type { Kernel } from "../kernel/mod.js";
import { filesOf, type ThreadDisk } from "../tiers/mod.js";
import type { SweptDisk } from "./tag-sweeper.js";

/** The disk as the sweep uses it; null if there is none. */
export function sweptDisk(
  kernel: Kernel,
  disk: (DiskSide & { readonly own: ThreadDisk }) | null,
): SweptDisk | null {
  if (disk === null) return null;
  const { directory, hasher, own } = disk;
  const { syncResets, isSynced } = filesOf(own);
  const writeTombstone = directory.writeTombstone.bind(directory);
  return {
    walk: new InvalidatedWalk(kernel, own, hasher, writeTombstone),
    sync: (segment: number): boolean => {
      const isAsked = syncResets || kernel.flushes.syncRequested() !== 0;
      if (!isSynced || !isAsked || segment >= kernel.geometry.diskSegmentCount) return false;
      fileDevice.fsyncSync(own.files.fd(segment));
      return true;
    },
    writeForgotten: directory.writeForgotten.bind(directory),
  };
}
