// Files that cannot be synced: Node.js forbids fsync under its permission model. The cache works
// there; only a stop of the machine ends what it kept. Called when a directory is opened.
import { isAccessDenied } from "../base/mod.js";
import type { Device } from "./device.js";

/** Whether this process may sync the file; throws what any other failure of the sync throws. */
export function maySync(fd: number, device: Device): boolean {
  try {
    device.fsyncSync(fd);
    return true;
  } catch (error) {
    if (isAccessDenied((error as Error).cause)) return false;
    throw error;
  }
}

/** The device without its syncs. For a directory whose manifest says that nothing was synced. */
export function unsynced(device: Device): Device {
  return { ...device, fsync: async () => undefined, fsyncSync: () => undefined };
}
