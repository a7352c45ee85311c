// Whether the files of an open directory are still where they were opened. Someone may remove, move
// or replace them under a running cache: writes by descriptor go on without an error then, and what
// they write is lost. Asked by the janitor before a flush counts as done, and at the close.
import { UndercroftError } from "../../base/mod.js";
import { isFileAt } from "../../device/mod.js";
import {
  epochsName,
  manifestName,
  schemasName,
  segmentName,
  tagsName,
} from "../directory-files.js";

/** The descriptors of a directory. */
export interface OpenFiles {
  readonly path: string;
  readonly manifestFd: number;
  readonly epochsFd: number;
  readonly tagsFd: number;
  readonly schemasFd: number;
  readonly fds: readonly number[];
}

/** Throws ERR_DISK_IO if a file is not where it was opened, two system calls a file. */
export function assertPresent(files: OpenFiles): void {
  const { path, manifestFd, epochsFd, tagsFd, schemasFd, fds } = files;
  const lacking =
    lackingOf(path, manifestName, manifestFd) ??
    lackingOf(path, epochsName, epochsFd) ??
    lackingOf(path, tagsName, tagsFd) ??
    lackingOf(path, schemasName, schemasFd) ??
    fds.map((fd, segment) => lackingOf(path, segmentName(segment), fd)).find((name) => name !== null);
  if (lacking === undefined || lacking === null) return;
  throw new UndercroftError(
    "ERR_DISK_IO",
    `Cannot keep entries in ${path}: ${lacking} was removed, moved or replaced while the cache ` +
      "was open; put the directory back, or what it held is lost at the close",
  );
}

function lackingOf(path: string, name: string, fd: number): string | null {
  return isFileAt(fd, `${path}/${name}`) ? null : name;
}
