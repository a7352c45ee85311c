// Which mount of which file system a directory is on. What was written and not synced is in the
// page cache of that mount: it survives the process, and is lost when storage goes away, also while
// the machine runs on. The boot of the machine does not tell one from the other. Called by
// openDirectory.
// Invariant: two mounts have two names where the system tells them apart. Linux does: sysfs gives
// each mounted file system an object of its own, whose number is not used again.

import { basename } from "node:path";
import { fs } from "../../device/mod.js";

/** In the place of a name: a sync has failed, so the page cache may have dropped what was written
 *  since the one before, and no later sync would say so. */
export const unsyncedStorage = "a sync failed";
/** The longest name, in bytes of ASCII. */
export const storageNameBytesMax = 64;

/**
 * The name of the storage that a directory is on, at most `storageNameBytesMax` bytes; "" where the
 * system does not tell one mount from the next (overlay file systems, macOS, Windows).
 */
export function readStorage(path: string): string {
  if (process.platform !== "linux") return "";
  try {
    const { dev } = fs.statSync(path, { bigint: true });
    const numbers = `${majorOf(dev)}:${minorOf(dev)}`;
    const mount = mountOf(fs.realpathSync(path), numbers);
    // Its pages are the storage itself: what is there is whole.
    if (mount?.type === "tmpfs" || mount?.type === "ramfs") return `${mount.type} ${numbers}`;
    const object = objectOf(numbers, mount?.source);
    return object === null ? "" : `${numbers} ${object}`.slice(0, storageNameBytesMax);
  } catch {
    return ""; // /proc or /sys is hidden, or Node's permission model forbids them
  }
}

function majorOf(dev: bigint): bigint {
  return ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
}

function minorOf(dev: bigint): bigint {
  return (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
}

/** The mount that a path is in: that with the longest mount point, if it has these numbers; btrfs
 *  shows others. Of mounts over each other the last one counts. */
function mountOf(path: string, numbers: string): { type: string; source: string } | null {
  let found: { type: string; source: string } | null = null;
  let length = -1;
  for (const line of fs.readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , device, , point = ""] = before.split(" ");
    const [type = "", source = ""] = after.split(" ");
    const at = unescaped(point);
    const isAround = at === "/" || path === at || path.startsWith(`${at}/`);
    if (!isAround || at.length < length || (device !== numbers && type !== "btrfs")) continue;
    length = at.length;
    found = { type, source };
  }
  return found;
}

/** Mount points have spaces and backslashes as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/** What sysfs has of this very mount: a directory of its file system's type, else of the device
 *  that writes it back. */
function objectOf(numbers: string, source: string | undefined): string | null {
  const block = nameOfDevice(numbers) ?? basename(source ?? "");
  for (const type of block === "" ? [] : fs.readdirSync("/sys/fs")) {
    const own = numberOf(`/sys/fs/${type}/${block}`);
    if (own !== null) return `${type} ${own}`;
    if (type !== "btrfs") continue;
    for (const id of fs.readdirSync(`/sys/fs/${type}`)) {
      if (numberOf(`/sys/fs/${type}/${id}/devices/${block}`) === null) continue;
      return `${type} ${numberOf(`/sys/fs/${type}/${id}`)}`;
    }
  }
  const writeBack = numberOf(`/sys/class/bdi/${numbers}`);
  return writeBack === null ? null : `bdi ${writeBack}`;
}

function nameOfDevice(numbers: string): string | null {
  try {
    return basename(fs.readlinkSync(`/sys/dev/block/${numbers}`));
  } catch {
    return null;
  }
}

function numberOf(file: string): string | null {
  const stat = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : stat.ino.toString(16);
}
