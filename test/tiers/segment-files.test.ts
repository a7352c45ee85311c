// The segment files that a thread has open: opened on use, few at once over all threads, and never
// closed under I/O.
import { copyFileSync, fstatSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";

import { holderOf, type Kernel, recoverThread } from "../../dist/src/kernel/mod.js";
import { SegmentFiles } from "../../dist/src/tiers/mod.js";
import { clean, open } from "../directory/scratch-directory.js";
import { scratchDirectory } from "../disk/scratch.js";
import { openMemory } from "../kernel/opened-kernel.js";

interface Threads {
  readonly path: string;
  readonly all: readonly { readonly files: SegmentFiles; readonly kernel: Kernel }[];
  /** The segments whose files are open in the process, in order. */
  readonly open: () => number[];
}

/** Threads of one cache that may have so many files open. */
async function threads(openFiles: number, count = 1): Promise<Threads> {
  const path = scratchDirectory();
  const directory = await open(path);
  const { segments } = directory;
  await directory.close(clean);
  const names = readdirSync(path).filter((name) => name.startsWith("segment-"));
  const inodes = names.toSorted().map((name) => statSync(join(path, name)).ino);
  const memory = openMemory();
  const all = Array.from({ length: count }, () => {
    const { kernel } = memory.thread();
    const identityOf = (segment: number) => segments[segment]!;
    return { kernel, files: new SegmentFiles(kernel, { path, openFiles, identityOf }) };
  });
  onTestFinished(() => {
    for (const { files } of all) files.close();
  });
  const openInodes = (): number[] => readdirSync("/dev/fd").map((fd) => inodeOf(Number(fd)));
  const openNow = (): number[] =>
    openInodes()
      .map((inode) => inodes.indexOf(inode))
      .filter((segment) => segment >= 0)
      .toSorted((left, right) => left - right);
  return { path, all, open: openNow };
}

function inodeOf(fd: number): number {
  try {
    return fstatSync(fd).ino;
  } catch {
    return -1; // the listing's own
  }
}

describe("the files of a thread", () => {
  test("are opened on use; the one used longest ago makes room", async () => {
    const { all, open: openNow } = await threads(3);
    const { files } = all[0]!;
    expect(openNow()).toEqual([]);
    const first = files.fd(5);
    files.fd(1);
    files.fd(2);
    expect(files.fd(5)).toBe(first);
    expect(openNow()).toEqual([1, 2, 5]);
    files.fd(3);
    expect(openNow()).toEqual([2, 3, 5]);
    expect(fstatSync(files.fd(5)).isFile()).toBe(true);
  });

  test("stay open under I/O, and what waits for room gets it in order", async () => {
    const { all, open: openNow } = await threads(2);
    const { files } = all[0]!;
    const first = files.pin(1);
    const again = files.pin(1);
    const second = files.pin(2);
    if (first instanceof Promise || again instanceof Promise || second instanceof Promise) {
      throw new Error("there is room for two");
    }
    const third = files.pin(3);
    // A file that is open waits too, once another waits.
    const late = files.pin(1);
    expect([third, late].map((pinned) => pinned instanceof Promise)).toEqual([true, true]);
    // Synchronous I/O waits for nobody: one more is open.
    expect(fstatSync(files.fd(4)).isFile()).toBe(true);
    expect(openNow()).toEqual([1, 2, 4]);
    files.unpin(first);
    files.unpin(again);
    expect((await third).segment).toBe(3);
    expect(openNow()).toEqual([2, 3]);
    files.unpin(second);
    expect((await late).segment).toBe(1);
    expect(openNow()).toEqual([1, 3]);
    for (const file of [await third, await late]) files.unpin(file);
    files.fd(6);
    expect(openNow()).toEqual([1, 6]);
  });

  test("are closed after a while without a use", async () => {
    const { all, open: openNow } = await threads(3);
    const { files, kernel } = all[0]!;
    const pinned = files.pin(1);
    files.fd(2);
    files.closeIdle();
    expect(openNow()).toEqual([1, 2]);
    files.closeIdle();
    expect(openNow()).toEqual([1]);
    expect(kernel.openFiles.all()).toEqual({ files: 1, threads: 1 });
    if (!(pinned instanceof Promise)) files.unpin(pinned);
    files.closeIdle();
    expect(openNow()).toEqual([]);
  });

  test("are not used once files have left the disk, and those under I/O stay open", async () => {
    const { all, open: openNow } = await threads(3);
    const { files, kernel } = all[0]!;
    const pinned = files.pin(1);
    const again = files.pin(1);
    if (pinned instanceof Promise || again instanceof Promise) throw new Error("there is room");
    files.fd(2);
    kernel.control.noteFilesRemoved();
    const anew = files.fd(1);
    expect(anew).not.toBe(pinned.fd);
    expect(openNow()).toEqual([1, 1]);
    expect(fstatSync(pinned.fd).isFile()).toBe(true);
    files.unpin(pinned);
    expect(openNow()).toEqual([1, 1]);
    expect(kernel.openFiles.all().files).toBe(2);
    files.unpin(again);
    expect(openNow()).toEqual([1]);
    expect(kernel.openFiles.all().files).toBe(1);
    expect(files.fd(1)).toBe(anew);
  });

  test("are all closed at the end, once their I/O is over, and none is opened after", async () => {
    const { all, open: openNow } = await threads(1);
    const { files } = all[0]!;
    const pinned = files.pin(1);
    const waiting = files.pin(2);
    files.close();
    expect(openNow()).toEqual([1]);
    await expect(waiting).rejects.toMatchObject({ code: "ERR_DISK_IO" });
    if (!(pinned instanceof Promise)) files.unpin(pinned);
    expect(openNow()).toEqual([]);
    expect(() => files.fd(3)).toThrow("it is closed");
  });

  test("that cannot be opened take no room", async () => {
    const { all, path, open: openNow } = await threads(2);
    const { files, kernel } = all[0]!;
    renameSync(join(path, "segment-003.ucs"), join(path, "away"));
    files.fd(1);
    expect(() => files.fd(3)).toThrow(expect.objectContaining({ code: "ERR_DISK_IO" }));
    expect(() => files.pin(3)).toThrow("segment-003.ucs");
    copyFileSync(join(path, "away"), join(path, "segment-003.ucs"));
    expect(() => files.fd(3)).toThrow("it was replaced while the cache was open");
    expect(kernel.openFiles.all().files).toBe(1);
    files.fd(2);
    expect(openNow()).toEqual([1, 2]);
  });
});

describe("the files of several threads", () => {
  test("are no more than a cache may have; each thread gets one", async () => {
    const { all, open: openNow } = await threads(4, 3);
    const [first, second, third] = all.map(({ files }) => files);
    for (const segment of [0, 1, 2, 3]) first!.fd(segment);
    second!.fd(4);
    expect(openNow()).toEqual([0, 1, 2, 3, 4]);
    second!.fd(5);
    expect(openNow()).toEqual([0, 1, 2, 3, 5]);
    third!.fd(6);
    // Who has more than its part gives some up when it opens another.
    first!.fd(7);
    expect(openNow()).toEqual([5, 6, 7]);
    second!.fd(8);
    third!.fd(9);
    first!.fd(0);
    expect(openNow().length).toBeLessThanOrEqual(4);
  });

  test("one thread's part comes to the others that use theirs", async () => {
    const { all, open: openNow } = await threads(6, 2);
    const [first, second] = all;
    for (const segment of [0, 1, 2, 3, 4, 5]) first!.files.fd(segment);
    let opened = 0;
    for (let round = 0; round < 12; round++) {
      for (const { files } of all) files.fd(opened++ % 12);
      expect(first!.kernel.openFiles.all().files).toBeLessThanOrEqual(7);
    }
    second!.files.close();
    // What the second had was its half.
    expect([2, 3]).toContain(openNow().length);
  });

  test("a dead thread's are not counted", async () => {
    const { all } = await threads(6, 2);
    const [first, second] = all;
    second!.files.fd(1);
    first!.files.fd(2);
    expect(first!.kernel.openFiles.all()).toEqual({ files: 2, threads: 2 });
    const holder = holderOf(first!.kernel, second!.kernel.thread);
    recoverThread(first!.kernel, holder!, () => undefined);
    expect(first!.kernel.openFiles.all()).toEqual({ files: 1, threads: 1 });
  });
});
