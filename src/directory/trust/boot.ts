// Which boot of the machine this is. The page cache survives a process crash but not a reboot, so
// the boot id says whether unsynced writes are still there. Called by openDirectory.
// Invariant: when in doubt, two boots count as different, and nothing unsynced is trusted.

import os from "node:os";
import { fs } from "../../device/mod.js";

const bootIdPath = "/proc/sys/kernel/random/boot_id";
export const coarsePrefix = "up:";
/** Some systems give uptime in whole seconds, and the wall clock may be stepped a little. */
const coarseSlackMs = 2_000;

/**
 * The id of this boot, at most 48 bytes of ASCII: Linux's random boot id, else the time of the boot
 * by the wall clock.
 */
export function readBootId(wallNow: number): string {
  try {
    const fd = fs.openSync(bootIdPath, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      const bytes = Buffer.alloc(64);
      const length = fs.readSync(fd, bytes, 0, 64, 0);
      const id = bytes.toString("latin1", 0, length).trim();
      if (/^[0-9a-f-]{36}$/.test(id)) return id;
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // Not Linux, or /proc is hidden: use the time of the boot.
  }
  return `${coarsePrefix}${Math.round(wallNow - os.uptime() * 1000)}`;
}

/** True if both ids certainly name the same boot. */
export function isSameBoot(before: string, now: string): boolean {
  if (before === "" || now === "") return false;
  if (before.startsWith(coarsePrefix) && now.startsWith(coarsePrefix)) {
    const distance =
      Number(before.slice(coarsePrefix.length)) - Number(now.slice(coarsePrefix.length));
    return Math.abs(distance) <= coarseSlackMs;
  }
  return before === now;
}
