// Whether the files of an open directory are still where they were opened. Someone may remove, move
// or replace them under a running cache: writes by descriptor go on without an error then, and what
// they write is lost. Asked by the janitor before a flush counts as done, and at the close.
import { UndercroftError } from "../../base/mod.js";
import { type FileIdentity, isFileAt, isNamed } from "../../device/mod.js";
import {
  epochsName,
  manifestName,
  schemasName,
  segmentName,
  tagsName,
} from "../directory-files.js";

/** The files of a directory: the descriptors of the fixed ones, what the segment files were. */
export interface OpenFiles {
  readonly path: string;
  readonly manifestFd: number;
  readonly epochsFd: number;
  readonly tagsFd: number;
  readonly schemasFd: number;
  readonly segments: readonly FileIdentity[];
}

/** Throws ERR_DISK_IO if a file is not where it was, a system call or two each. */
export function assertPresent(files: OpenFiles): void {
  const { path, manifestFd, epochsFd, tagsFd, schemasFd, segments } = files;
  const lacking =
    lackingOf(path, manifestName, manifestFd) ??
    lackingOf(path, epochsName, epochsFd) ??
    lackingOf(path, tagsName, tagsFd) ??
    lackingOf(path, schemasName, schemasFd) ??
    missingSegment(path, segments);
  if (lacking === null) return;
  throw new UndercroftError(
    "ERR_DISK_IO",
    `Cannot keep entries in ${path}: ${lacking} was removed, moved or replaced while the cache ` +
      "was open; put the directory back, or what it held is lost at the close",
  );
}

function lackingOf(path: string, name: string, fd: number): string | null {
  return isFileAt(fd, `${path}/${name}`) ? null : name;
}

function missingSegment(path: string, segments: readonly FileIdentity[]): string | null {
  const lost = segments.findIndex(
    (identity, segment) => !isNamed(identity, `${path}/${segmentName(segment)}`),
  );
  return lost < 0 ? null : segmentName(lost);
}
