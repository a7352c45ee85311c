// A directory as a kill at this moment leaves it, to be opened elsewhere: a copy that counts as the
// original. An open takes any other copy for one that was put back from a backup.
import { closeSync, cpSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import {
  decodeManifest,
  ManifestFile,
  manifestFileBytes,
} from "../../dist/src/directory/manifest.js";
import { hasher } from "../disk/scratch.js";

/** Copies a directory whose cache may be open. */
export async function copyAsKilled(from: string, to: string): Promise<void> {
  // A lock is a socket, which cannot be copied.
  cpSync(from, to, { recursive: true, filter: (file) => !file.includes("undercroft.lock") });
  const fd = openSync(join(to, "undercroft.manifest"), "r+");
  const bytes = Buffer.alloc(manifestFileBytes);
  readSync(fd, bytes, 0, bytes.length, 0);
  const reading = decodeManifest(bytes, hasher);
  // Each write says to which file it was made.
  if (reading.kind === "valid") await new ManifestFile(fd, hasher, reading).write({});
  closeSync(fd);
}
