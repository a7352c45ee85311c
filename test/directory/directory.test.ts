// Opening a directory: what it creates, the capacity it keeps, and the error for each kind of wrong
// path.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MiB } from "../../dist/src/base/mod.js";
import { isSameBoot, readBootId } from "../../dist/src/directory/trust/boot.js";
import { segmentName } from "../../dist/src/directory/directory-files.js";
import { writeSnapshot } from "../../dist/src/directory/mod.js";
import { hasher, scratchDirectory } from "../disk/scratch.js";
import {
  bytesIn,
  clean,
  fill,
  leaveKilled,
  open,
  recovered,
  unclean,
  wallNow,
} from "./scratch-directory.js";

/** The names in a directory but for its lock. */
const filesOf = (path: string): string[] =>
  readdirSync(path).filter((name) => !name.startsWith("undercroft.lock"));

describe("a new directory", () => {
  test("is made with its parents, for its owner only, with exactly the cache's files", async () => {
    const path = join(scratchDirectory(), "a", "b");
    const directory = await open(path);
    expect(directory.recovery).toMatchObject({ kind: "new", lostSegments: 0, clearEpoch: 0 });
    expect(directory).toMatchObject({ nextSequence: 1, clearEpoch: 0, fsyncBarrier: 0 });
    expect(directory.snapshotToRead).toBeNull();
    expect(directory.identity.length).toBe(16);
    const names = filesOf(path).toSorted();
    const count = directory.segmentCount;
    const segments = Array.from({ length: count }, (_, segment) => segmentName(segment));
    expect(names).toEqual([
      ...segments,
      "undercroft.epochs",
      "undercroft.manifest",
      "undercroft.shapes",
      "undercroft.tags",
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
    for (const name of names) expect(statSync(join(path, name)).mode & 0o777).toBe(0o600);
    for (const name of segments) {
      expect(statSync(join(path, name)).size).toBe(directory.segmentBytes);
    }
    await directory.close(clean);
  });

  test("differs from any other in identity and seed", async () => {
    const [first, second] = [await open(scratchDirectory()), await open(scratchDirectory())];
    expect(first.identity.equals(second.identity)).toBe(false);
    expect(first.seed).not.toBe(second.seed);
    await Promise.all([first.close(clean), second.close(clean)]);
  });

  test("may hold lost+found, as the root of a volume does", async () => {
    const path = scratchDirectory();
    mkdirSync(join(path, "lost+found"));
    const directory = await open(path);
    expect(directory.recovery.kind).toBe("new");
    await directory.close(clean);
  });
});

describe("the capacity", () => {
  test("bounds the sum of all files, even while it changes", async () => {
    const path = scratchDirectory();
    for (const capacity of [2 * MiB, 9 * MiB, 1.1 * MiB, 3 * MiB + 1]) {
      const directory = await open(path, { capacityBytes: Math.floor(capacity) });
      const share = Buffer.alloc(capacity / 16 - 1000);
      expect(writeSnapshot(directory.snapshotToWrite, 64, [], [share], hasher)).toBe(true);
      expect(bytesIn(path)).toBeLessThanOrEqual(capacity);
      const larger = Buffer.alloc(capacity / 16 + 1000);
      expect(writeSnapshot(directory.snapshotToWrite, 64, [], [larger], hasher)).toBe(false);
      await directory.close(clean);
      expect(bytesIn(path)).toBeLessThanOrEqual(capacity);
    }
  });

  test("grows by files and keeps what is there, snapshot included", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    fill(first, 0, [1, 2]);
    writeSnapshot(first.snapshotToWrite, 64, [], [Buffer.from("index")], hasher);
    await first.close(clean);
    const second = await open(path, { capacityBytes: 4 * MiB });
    expect(second.recovery).toMatchObject({ kind: "clean", lostSegments: 0 });
    expect(second.segmentBytes).toBe(first.segmentBytes);
    expect(second.segmentCount).toBeGreaterThan(first.segmentCount);
    expect(recovered(second)).toEqual([1, 2]);
    await second.close(clean);
  });

  test("shrinks by files, counts them, and does not use the snapshot", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    fill(first, 0, [1, 2]);
    fill(first, first.segmentCount - 1, [3]);
    writeSnapshot(first.snapshotToWrite, 64, [], [Buffer.from("index")], hasher);
    await first.close(clean);
    const second = await open(path, { capacityBytes: MiB });
    expect(second.recovery.kind).toBe("scan");
    expect(second.recovery.lostSegments).toBe(first.segmentCount - second.segmentCount);
    expect(second.recovery.reason).toMatch(/^the capacity has room for fewer segment files/);
    expect(recovered(second)).toEqual([1, 2]);
    expect(filesOf(path).length).toBe(second.segmentCount + 4);
    await second.close(clean);
    const third = await open(path);
    expect(recovered(third)).toEqual([1, 2]);
    await third.close(clean);
  });

  test("that no longer suits the segment size starts cold", async () => {
    const path = scratchDirectory();
    await leaveKilled(path);
    const first = await open(path, { capacityBytes: 64 * MiB });
    expect(first.recovery).toMatchObject({ kind: "scan", lostSegments: 0 });
    expect(recovered(first)).toEqual([1, 2, 3, 4, 5, 6]);
    await first.close(clean);
    const second = await open(path, { capacityBytes: 64 * MiB, maxRecordBytes: MiB });
    expect(second.recovery).toMatchObject({ kind: "cold", lostSegments: first.segmentCount });
    expect(recovered(second)).toEqual([]);
    expect(second.segmentBytes).toBe(2 * MiB);
    await second.close(clean);
  });

  test("that is too small is a RangeError, before anything is made", async () => {
    const path = join(scratchDirectory(), "new");
    await expect(open(path, { capacityBytes: 1000 })).rejects.toThrow(RangeError);
    await expect(open(path, { capacityBytes: 1000 })).rejects.toThrow(
      "disk.capacity: current value is 1000; it must be at least",
    );
    expect(existsSync(path)).toBe(false);
  });
});

describe("a path that cannot be opened", () => {
  const expectRefused = (path: string, code: string): Promise<void> =>
    expect(open(path)).rejects.toMatchObject({ name: "UndercroftError", code });

  test("is a file, or below one", async () => {
    const file = join(scratchDirectory(), "file");
    writeFileSync(file, "mine");
    await expectRefused(file, "ERR_NOT_A_DIRECTORY");
    await expectRefused(join(file, "below"), "ERR_NOT_A_DIRECTORY");
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  test("holds other files and no manifest, and is left unchanged", async () => {
    const path = scratchDirectory();
    writeFileSync(join(path, "precious"), "mine");
    await expectRefused(path, "ERR_DIRECTORY_NOT_OURS");
    expect(readdirSync(path)).toEqual(["precious"]);
    writeFileSync(join(path, segmentName(0)), "old");
    await expectRefused(path, "ERR_DIRECTORY_NOT_OURS");
    writeFileSync(join(path, "undercroft.manifest"), "");
    const directory = await open(path);
    expect(directory.recovery.kind).toBe("cold");
    await directory.close(clean);
  });

  test("holds a link, a directory or a pipe under a name of the cache's files", async () => {
    for (const name of [
      "undercroft.manifest",
      "undercroft.epochs",
      "undercroft.shapes",
      "undercroft.tags",
      "undercroft.tags-next",
      segmentName(3),
    ]) {
      const path = scratchDirectory();
      const victim = join(scratchDirectory(), "victim");
      writeFileSync(victim, "precious");
      symlinkSync(victim, join(path, name));
      await expectRefused(path, "ERR_DIRECTORY_NOT_OURS");
      rmSync(join(path, name));
      mkdirSync(join(path, name));
      await expectRefused(path, "ERR_DIRECTORY_NOT_OURS");
      expect(readFileSync(victim, "utf8")).toBe("precious");
    }
  });

  test("is of another format version, and is left unchanged", async () => {
    const path = scratchDirectory();
    const directory = await open(path);
    await directory.close(clean);
    const file = join(path, "undercroft.manifest");
    const bytes = readFileSync(file);
    for (const at of [0, 4096]) bytes.writeUInt32LE(1, at + 8);
    writeFileSync(file, bytes);
    await expectRefused(path, "ERR_FORMAT_VERSION");
    await expectRefused(path, "ERR_FORMAT_VERSION");
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  test("cannot be made, or not be written", async () => {
    await expectRefused("/proc/undercroft/cache", "ERR_DIRECTORY_NOT_WRITABLE");
    const path = scratchDirectory();
    chmodSync(path, 0o555);
    // Root can write everywhere, so as root the test drops its rights for the moment.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      await expectRefused(path, "ERR_DIRECTORY_NOT_WRITABLE");
      await expectRefused(join(path, "below"), "ERR_DIRECTORY_NOT_WRITABLE");
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(path, 0o700);
    }
    const directory = await open(path);
    await directory.close(clean);
  });
});

test("close() is idempotent and leaves nothing open", async () => {
  const before = readdirSync("/dev/fd").length;
  const directory = await open(scratchDirectory());
  const fd = directory.epochsFd;
  await Promise.all([directory.close(clean), directory.close(clean)]);
  await directory.close(unclean);
  expect(() => writeSync(fd, Buffer.of(1), 0, 1, 0)).toThrow("EBADF");
  expect(readdirSync("/dev/fd").length).toBe(before);
});

test("readBootId() returns one name per boot, and coarse names agree within seconds", () => {
  expect(readBootId(wallNow)).toBe(readBootId(wallNow + 1));
  expect(readBootId(wallNow).length).toBeLessThanOrEqual(48);
  expect(isSameBoot("a", "a")).toBe(true);
  expect(isSameBoot("a", "b")).toBe(false);
  expect(isSameBoot("", "")).toBe(false);
  expect(isSameBoot("up:1000", "up:3000")).toBe(true);
  expect(isSameBoot("up:1000", "up:3001")).toBe(false);
  expect(isSameBoot("up:1000", "a")).toBe(false);
});
