// A directory whose files cannot be synced, as under Node's permission model: it works, it says so,
// and nothing of it outlives a stop of the machine. Another boot id stands for such a stop.
import { fstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UndercroftError } from "../../dist/src/base/mod.js";
import { type Device, fileDevice } from "../../dist/src/device/mod.js";
import {
  epochsName,
  readSnapshot,
  writeClearEpoch,
  writeSnapshot,
} from "../../dist/src/directory/mod.js";
import { hasher, scratchDirectory } from "../disk/scratch.js";
import { clean, fill, open, recovered, unclean } from "./scratch-directory.js";

function denied(): UndercroftError {
  const cause = Object.assign(new Error("fsync is disabled"), { code: "ERR_ACCESS_DENIED" });
  return new UndercroftError("ERR_DISK_IO", "Cannot sync", { cause });
}

/** The device of a process that may not sync. */
const device: Device = {
  ...fileDevice,
  fsync: () => Promise.reject(denied()),
  fsyncSync: () => {
    throw denied();
  },
};

const sameBoot = { device, bootId: "boot-1" };

/** A session that may not sync, closed in order with two records and a snapshot. */
async function leaveUnsynced(path: string): Promise<void> {
  const directory = await open(path, sameBoot);
  fill(directory, 0, [1, 2]);
  writeSnapshot(directory.snapshotToWrite, 64, [], [Buffer.from("index")], hasher);
  await directory.close({ ...clean, nextSequence: 3 });
}

describe("a directory that cannot be synced", () => {
  test("opens and says why a power loss ends what it keeps", async () => {
    const directory = await open(scratchDirectory(), sameBoot);
    expect(directory.isSynced).toBe(false);
    expect(directory.recovery.reason).toMatch(/^the directory was empty; Node's permission model/);
    await directory.close(clean);
  });

  test.each([
    ["may not sync either", device],
    ["may sync", fileDevice],
  ])("closed in order, is clean for a later session that %s", async (_what, later) => {
    const path = scratchDirectory();
    await leaveUnsynced(path);
    const next = await open(path, { device: later });
    expect(next.recovery.kind).toBe("clean");
    const chunks: string[] = [];
    if (next.snapshotToRead === null) throw new Error("there is a snapshot to read");
    readSnapshot(next.snapshotToRead, 64, (chunk) => chunks.push(chunk.toString()), hasher);
    expect(chunks).toEqual(["index"]);
    expect(recovered(next)).toEqual([1, 2]);
    await next.close(clean);
  });

  test("is empty after a stop of the machine", async () => {
    const path = scratchDirectory();
    await leaveUnsynced(path);
    const next = await open(path, { bootId: "boot-2" });
    expect(next.recovery.kind).toBe("cold");
    expect(next.recovery.reason).toContain("the machine stopped after the cache was closed");
    await next.close(clean);
  });

  test("is empty after a stop of the machine, though an earlier session had synced", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    fill(first, 0, [1, 2]);
    await first.syncThrough(2);
    await first.close({ ...clean, nextSequence: 3 });
    const second = await open(path, sameBoot);
    expect(second.recovery.kind).toBe("scan");
    await second.close({ ...clean, nextSequence: 3 });
    const third = await open(path, { bootId: "boot-2" });
    expect(third.recovery.kind).toBe("cold");
    await third.close(clean);
  });

  test("is trusted again once a session has synced it", async () => {
    const path = scratchDirectory();
    await leaveUnsynced(path);
    const second = await open(path);
    expect(second.isSynced).toBe(true);
    await second.close({ ...clean, nextSequence: 3 });
    const third = await open(path, { bootId: "boot-2" });
    expect(third.recovery.kind).toBe("clean");
    expect(recovered(third)).toEqual([1, 2]);
    await third.close(clean);
  });
});

test("an open syncs what an open before it has failed to sync", async () => {
  const path = scratchDirectory();
  const first = await open(path);
  writeClearEpoch(first.epochsFd, first.seed, 0, 9);
  await first.close(unclean);
  // As the page cache has it: a sync that fails leaves what was written as if it were synced.
  const isEpochs = (fd: number): boolean =>
    fstatSync(fd).ino === statSync(join(path, epochsName)).ino;
  let [isDirty, isLost, isBroken] = [true, false, true];
  const device: Device = {
    ...fileDevice,
    writeAtSync(fd, bytes, offset, length, at) {
      fileDevice.writeAtSync(fd, bytes, offset, length, at);
      if (isEpochs(fd)) isDirty = true;
    },
    fsyncSync(fd) {
      if (!isEpochs(fd)) return fileDevice.fsyncSync(fd);
      if (isDirty) isLost = isBroken;
      isDirty = false;
      if (isBroken) throw new UndercroftError("ERR_DISK_IO", "EIO");
    },
  };
  await expect(open(path, { device })).rejects.toMatchObject({ code: "ERR_DISK_IO" });
  expect(isLost).toBe(true);
  isBroken = false;
  const second = await open(path, { device });
  expect([second.clearEpoch, isLost]).toEqual([9, false]);
  await second.close(clean);
});
