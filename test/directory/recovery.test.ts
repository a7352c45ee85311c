// Reopening a directory: what comes back after each kind of stop and each kind of damage, and what
// does not.

import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fileDevice } from "../../dist/src/device/mod.js";
import { faultyDevice } from "../device/faulty-device.js";
import { segmentName } from "../../dist/src/directory/directory-files.js";
import { epochsFileBytes } from "../../dist/src/directory/epochs.js";
import {
  type OpenDirectory,
  readSnapshot,
  writeClearEpoch,
  writeSnapshot,
} from "../../dist/src/directory/mod.js";
import { hasher, scratchDirectory } from "../disk/scratch.js";
import {
  clean,
  fill,
  leaveKilled,
  open,
  recovered,
  unclean,
  wallNow,
} from "./scratch-directory.js";

describe("reopening", () => {
  test("after a clean close with a snapshot reads it, once", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    fill(first, 0, [1, 2, 3]);
    expect(writeSnapshot(first.snapshotToWrite, 64, [], [Buffer.from("index")], hasher)).toBe(true);
    await first.close({ ...clean, nextSequence: 4 });
    const second = await open(path);
    expect(second.recovery.kind).toBe("clean");
    expect(second.nextSequence).toBe(4);
    expect(second.identity.equals(first.identity)).toBe(true);
    const chunks: string[] = [];
    const source = second.snapshotToRead;
    if (source === null) throw new Error("there is a snapshot to read");
    expect(readSnapshot(source, 64, (chunk) => chunks.push(chunk.toString()), hasher)).toEqual([]);
    expect(chunks).toEqual(["index"]);
    expect(recovered(second)).toEqual([1, 2, 3]);
    await second.close(clean);
    const third = await open(path);
    expect(third.recovery).toMatchObject({ kind: "scan", reason: "there is no index snapshot" });
    await third.close({ ...clean, snapshot: "too-large" });
    const fourth = await open(path);
    expect(fourth.recovery.reason).toMatch(/no index snapshot: it would have taken more than/);
    await fourth.close({ ...clean, snapshot: "failed" });
    const fifth = await open(path);
    expect(fifth.recovery.reason).toBe("there is no index snapshot: it could not be written");
    await fifth.close(clean);
  });

  test("never reads the snapshot of an earlier clean close", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    writeSnapshot(first.snapshotToWrite, 64, [], [Buffer.from("old")], hasher);
    await first.close(clean);
    const file = first.snapshotToWrite.file;
    const old = readFileSync(file);
    const second = await open(path);
    await second.close(unclean);
    writeFileSync(file, old);
    const third = await open(path);
    expect(third.recovery.kind).toBe("scan");
    expect(existsSync(file)).toBe(false);
    await third.close(clean);
    writeFileSync(file, old);
    const fourth = await open(path);
    const source = fourth.snapshotToRead;
    if (source === null) throw new Error("there is a snapshot file to try");
    expect(readSnapshot(source, 64, () => undefined, hasher)).toBeNull();
    await fourth.close(clean);
  });

  test("after a kill scans, and brings everything back", async () => {
    const path = scratchDirectory();
    await leaveKilled(path);
    const directory = await open(path);
    expect(directory.recovery).toMatchObject({ kind: "scan", keepThrough: Infinity });
    expect(recovered(directory)).toEqual([1, 2, 3, 4, 5, 6]);
    await directory.close(clean);
  });

  test("after a power loss starts cold if nothing was synced", async () => {
    const path = scratchDirectory();
    await leaveKilled(path);
    const directory = await open(path, { bootId: "boot-2" });
    expect(directory.recovery.kind).toBe("cold");
    expect(recovered(directory)).toEqual([]);
    for (let segment = 0; segment < directory.segmentCount; segment++) {
      expect(statSync(join(path, segmentName(segment))).blocks).toBe(0);
    }
    await directory.close(clean);
  });

  test("after a power loss keeps what was synced; the rest stays dead after a kill", async () => {
    const path = scratchDirectory();
    await leaveKilled(path, 3);
    const first = await open(path, { bootId: "boot-2" });
    expect(first.recovery).toMatchObject({ kind: "barrier", keepThrough: 3 });
    expect(first.fsyncBarrier).toBe(3);
    await first.close(unclean);
    // A kill before the recovery was done: the filter is still in force.
    const second = await open(path, { bootId: "boot-2" });
    expect(second.recovery).toMatchObject({ kind: "barrier", keepThrough: 3 });
    expect(recovered(second)).toEqual([1, 2, 3]);
    await second.finishRecovery();
    await second.close(unclean);
    const third = await open(path, { bootId: "boot-2" });
    expect(third.recovery).toMatchObject({ kind: "scan", keepThrough: Infinity });
    expect(recovered(third)).toEqual([1, 2, 3]);
    await third.close(clean);
  });

  test("after a power loss that follows a clean close brings everything back", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    fill(first, 0, [1, 2]);
    await first.close(clean);
    const second = await open(path, { bootId: "boot-2" });
    expect(second.recovery.kind).toBe("scan");
    expect(recovered(second)).toEqual([1, 2]);
    await second.close(clean);
  });

  test("with a clock that was set back drops what expires, until recovery is done", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    fill(first, 0, [1, 2, 3, 4]);
    writeSnapshot(first.snapshotToWrite, 64, [], [Buffer.from("index")], hasher);
    await first.close(clean);
    const second = await open(path, { wallNow: wallNow - 1001 });
    expect(second.recovery).toMatchObject({ kind: "scan", dropExpiring: true });
    expect(existsSync(second.snapshotToWrite.file)).toBe(false);
    await second.close(unclean);
    const third = await open(path, { wallNow: wallNow - 1001 });
    expect(third.recovery.dropExpiring).toBe(true);
    expect(recovered(third)).toEqual([1, 3]);
    await third.finishRecovery();
    await third.close({ ...unclean, lastAliveMs: wallNow - 1001 });
    const fourth = await open(path, { wallNow: wallNow - 2001 });
    expect(fourth.recovery.dropExpiring).toBe(false);
    expect(recovered(fourth)).toEqual([1, 3]);
    await fourth.close(clean);
  });

  test("does not count a clean close before the recovery is done", async () => {
    const path = scratchDirectory();
    await leaveKilled(path, 3);
    const first = await open(path, { bootId: "boot-2" });
    await expect(first.syncThrough(9)).rejects.toThrow("recovery ends");
    await first.close(clean);
    const second = await open(path, { bootId: "boot-2" });
    expect(second.recovery.kind).toBe("barrier");
    await second.close(unclean);
  });

  test("with another codec starts cold, reports why, and keeps the new name", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    fill(first, 0, [1, 2, 3]);
    writeSnapshot(first.snapshotToWrite, 64, [], [Buffer.from("index")], hasher);
    await first.close(clean);
    // Another name that begins alike, in letters of more than a byte each.
    const codecName = `msgpack${"\u{1f600}".repeat(28)}`;
    const second = await open(path, { codecName });
    expect(second.recovery).toMatchObject({
      kind: "cold",
      reason: `the values were written by the codec "msgpack", and the codec is "${codecName}" now`,
      lostSegments: first.segmentCount,
    });
    expect(second.snapshotToRead).toBeNull();
    expect(existsSync(second.snapshotToWrite.file)).toBe(false);
    expect(recovered(second)).toEqual([]);
    fill(second, 0, [4]);
    await second.close(unclean);
    const third = await open(path, { codecName });
    expect(third.recovery.kind).toBe("scan");
    expect(recovered(third)).toEqual([4]);
    await third.close(clean);
  });

  test("a clear that returned is remembered, and so is its sequence", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    fill(first, 0, [1, 2, 3]);
    writeClearEpoch(first.epochsFd, first.seed, 5, 2);
    await first.close(unclean);
    const second = await open(path);
    expect(second).toMatchObject({ clearEpoch: 2, nextSequence: 3 });
    expect(recovered(second)).toEqual([3]);
    await second.close(clean);
  });

  test("continues sequences above all that are known", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    await first.syncThrough(41);
    expect(first.fsyncBarrier).toBe(41);
    await first.syncThrough(40);
    expect(first.fsyncBarrier).toBe(41);
    await first.close(unclean);
    const second = await open(path);
    expect(second.nextSequence).toBe(42);
    await second.writeManifest({ nextSequence: 100, lastAliveMs: wallNow });
    await second.close({ ...clean, nextSequence: 50 });
    const third = await open(path);
    expect(third.nextSequence).toBe(100);
    await third.close(clean);
  });
});

describe("damage", () => {
  const flip = (file: string, position: number): void => {
    const bytes = readFileSync(file);
    bytes[position] = ~(bytes[position] ?? 0) & 0xff;
    writeFileSync(file, bytes);
  };

  test("of one manifest copy changes nothing, whichever it is", async () => {
    for (const position of [20, 4096 + 20]) {
      const path = scratchDirectory();
      await leaveKilled(path);
      flip(join(path, "undercroft.manifest"), position);
      const directory = await open(path);
      expect(recovered(directory)).toEqual([1, 2, 3, 4, 5, 6]);
      await directory.close(clean);
    }
  });

  test("of the newest copy never hides that the cache was open after a clean close", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    await first.close(clean);
    const second = await open(path);
    const bytes = readFileSync(join(path, "undercroft.manifest"));
    await second.close(unclean);
    for (const position of [20, 4096 + 20]) {
      writeFileSync(join(path, "undercroft.manifest"), bytes);
      flip(join(path, "undercroft.manifest"), position);
      const third = await open(path, { bootId: "boot-2" });
      expect(third.recovery.kind).toBe("cold");
      await third.close(unclean);
    }
  });

  test("of both copies starts cold and deletes only the cache's files", async () => {
    const path = scratchDirectory();
    await leaveKilled(path);
    writeFileSync(join(path, "notes.txt"), "mine");
    writeFileSync(join(path, "undercroft.index"), "old");
    writeFileSync(join(path, segmentName(100)), "old");
    flip(join(path, "undercroft.manifest"), 20);
    flip(join(path, "undercroft.manifest"), 4096 + 20);
    const directory = await open(path);
    expect(directory.recovery).toMatchObject({ kind: "cold", lostSegments: 13 });
    expect(recovered(directory)).toEqual([]);
    expect(readFileSync(join(path, "notes.txt"), "utf8")).toBe("mine");
    expect(existsSync(join(path, "undercroft.index"))).toBe(false);
    expect(existsSync(join(path, segmentName(100)))).toBe(false);
    await directory.close(clean);
  });

  test("of the epochs file starts cold, because a clear may be lost", async () => {
    for (const harm of ["missing", "short", "flipped"]) {
      const path = scratchDirectory();
      await leaveKilled(path);
      const file = join(path, "undercroft.epochs");
      if (harm === "missing") rmSync(file);
      if (harm === "short") truncateSync(file, 100);
      if (harm === "flipped") flip(file, 1024);
      const directory = await open(path);
      expect(directory.recovery).toMatchObject({ kind: "cold", clearEpoch: 0 });
      expect(statSync(file).size).toBe(epochsFileBytes);
      expect(recovered(directory)).toEqual([]);
      await directory.close(clean);
    }
  });

  test("of the tags file starts cold, as an invalidation may be forgotten", async () => {
    for (const harm of ["missing", "short", "header", "slot"]) {
      const path = scratchDirectory();
      await leaveKilled(path);
      const file = join(path, "undercroft.tags");
      const length = statSync(file).size;
      if (harm === "missing") rmSync(file);
      if (harm === "short") truncateSync(file, length - 1);
      if (harm === "header") flip(file, 12);
      if (harm === "slot") flip(file, length - 32);
      const directory = await open(path);
      expect(directory.recovery).toMatchObject({ kind: "cold" });
      expect(directory.tags).toEqual({ floor: 0, dropped: 0, tags: [] });
      expect(statSync(file).size).toBe(length);
      expect(recovered(directory)).toEqual([]);
      await directory.close(clean);
    }
  });

  test("of segment files loses those segments, even after a clean close", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    for (const segment of [0, 1, 2, 3]) fill(first, segment, [segment + 1]);
    writeSnapshot(first.snapshotToWrite, 64, [], [Buffer.from("index")], hasher);
    await first.close(clean);
    rmSync(join(path, segmentName(0)));
    truncateSync(join(path, segmentName(1)), first.segmentBytes - 1);
    renameSync(join(path, segmentName(2)), join(path, segmentName(7)));
    const second = await open(path);
    expect(second.recovery).toMatchObject({ kind: "scan", lostSegments: 3 });
    expect(second.snapshotToRead).toBeNull();
    expect(recovered(second)).toEqual([4]);
    await second.close(clean);
  });

  test("an open that fails at any disk operation leaves nothing open", async () => {
    const path = scratchDirectory();
    await leaveKilled(path);
    let failures = 0;
    for (let at = 1; at < 50; at++) {
      let operations = 0;
      let opening = true;
      const device = faultyDevice(fileDevice, () => {
        operations += 1;
        return opening && operations === at ? { kind: "error", code: "EIO" } : undefined;
      });
      const before = readdirSync("/dev/fd").length;
      const outcome = await open(path, { device }).catch((error: unknown) => error);
      opening = false;
      if (!(outcome instanceof Error)) {
        await (outcome as OpenDirectory).close(unclean);
        break;
      }
      expect(outcome).toMatchObject({ code: "ERR_DISK_IO" });
      expect(readdirSync("/dev/fd").length).toBe(before);
      failures += 1;
    }
    expect(failures).toBeGreaterThanOrEqual(6);
    const directory = await open(path);
    expect(directory.recovery.kind).toBe("scan");
    expect(recovered(directory)).toEqual([1, 2, 3, 4, 5, 6]);
    await directory.close(clean);
  });

  test("a close that cannot sync rejects, is not clean, and frees the directory", async () => {
    const path = scratchDirectory();
    let broken = false;
    const device = faultyDevice(fileDevice, ({ kind }) =>
      broken && kind === "fsync" ? { kind: "error", code: "EIO" } : undefined,
    );
    const first = await open(path, { device });
    broken = true;
    await expect(first.syncThrough(5)).rejects.toMatchObject({ code: "ERR_DISK_IO" });
    expect(first.fsyncBarrier).toBe(0);
    // The system tells of lost writes once: a sync that works again proves nothing.
    broken = false;
    await expect(first.close(clean)).rejects.toMatchObject({ code: "ERR_DISK_IO" });
    const second = await open(path);
    expect(second.recovery.kind).toBe("cold");
    expect(second.recovery.reason).toMatch(/^a sync failed while the cache was open/);
    await second.close(clean);
    const third = await open(path);
    expect(third.recovery.kind).toBe("scan");
    await third.close(clean);
  });
});
