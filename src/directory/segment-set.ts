// The segment files of a directory as a set: made and deleted at an open, and while the cache runs
// when its capacity changes. Called by openDirectory and the janitor. Invariant: surplus files are
// deleted before missing ones are made, so the capacity always holds.
import {
  closeFile,
  type Device,
  type FileIdentity,
  fs,
  identityAt,
  identityOf,
} from "../device/mod.js";
import { attempt, openFile, removeFile, segmentName } from "./directory-files.js";
import type { Geometry } from "./geometry.js";

/** Makes the files of a directory that is being opened what they are to be: `found` says which
 *  there are and how long, `keep` whether they may stay. Answers which files they are; each thread
 *  opens them when it uses them. */
export function makeSegments(
  path: string,
  { segmentBytes, segmentCount }: Geometry,
  found: ReadonlyMap<number, number>,
  keep: boolean,
  device: Device,
): FileIdentity[] {
  for (const segment of found.keys()) {
    if (!keep || segment >= segmentCount) removeFile(`${path}/${segmentName(segment)}`);
  }
  for (let segment = 0; segment < segmentCount; segment++) {
    // Tombstones are at the end: a file of the wrong length lost them, so all of it is void.
    if (keep && found.get(segment) === segmentBytes) continue;
    makeSegment(path, segment, segmentBytes, device);
  }
  return Array.from({ length: segmentCount }, (_, segment) => {
    const file = `${path}/${segmentName(segment)}`;
    return attempt("inspect", file, () => identityAt(file));
  });
}

/** Makes an empty segment file, whatever is there. */
function makeSegment(path: string, segment: number, bytes: number, device: Device): FileIdentity {
  const fd = openFile(`${path}/${segmentName(segment)}`);
  try {
    resetFile(device, fd, bytes);
    return identityOf(fd);
  } finally {
    closeFile(fd);
  }
}

/** Makes a file zeros of this length. */
export function resetFile(device: Device, fd: number, length: number): void {
  device.truncateSync(fd, 0);
  device.truncateSync(fd, length);
}

/**
 * Adds the segment files from number `from` on to those of an open directory; nobody uses them yet.
 * Throws, and leaves none of them, if the file system has no room for so many bytes or a file
 * cannot be made: files are not filled when they are made, so the lack would show only at a write.
 */
export function addSegments(
  path: string,
  from: number,
  { segmentBytes, segmentCount }: Geometry,
  device: Device,
): FileIdentity[] {
  try {
    assertRoom(path, (segmentCount - from) * segmentBytes);
    return Array.from({ length: segmentCount - from }, (_, added) =>
      makeSegment(path, from + added, segmentBytes, device),
    );
  } catch (error) {
    removeSegments(path, from, segmentCount);
    throw error;
  }
}

function assertRoom(path: string, bytes: number): void {
  attempt("make more segment files in", path, () => {
    const { bavail, bsize, blocks } = fs.statfsSync(path, { bigint: false });
    // A file system that counts no blocks does not know.
    if (blocks === 0 || bavail * bsize >= bytes) return;
    const text = `ENOSPC: ${bytes} bytes more are wanted, and ${bavail * bsize} are free`;
    throw Object.assign(new Error(text), { code: "ENOSPC" });
  });
}

/** Deletes those of the segment files numbered `from` to `end - 1` that there are. */
export function removeSegments(path: string, from: number, end: number): void {
  for (let segment = from; segment < end; segment++) removeFile(`${path}/${segmentName(segment)}`);
}
