// What an open trusts of an earlier session beside the files themselves: the mount that they were
// on, that they are the same files, and how much time has passed.

import { cpSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { resumeTime } from "../../dist/src/directory/trust/session-time.js";
import { readStorage, storageNameBytesMax } from "../../dist/src/directory/trust/storage.js";
import { scratchDirectory } from "../disk/scratch.js";
import {
  clean,
  fill,
  leaveKilled,
  open,
  recovered,
  unclean,
  wallNow,
} from "./scratch-directory.js";

describe("the storage", () => {
  test("mounted anew under a killed cache has lost what was not synced", async () => {
    const path = scratchDirectory();
    const first = await open(path, { storage: "mount 1" });
    fill(first, 0, [1, 2, 3]);
    await first.syncThrough(3);
    await first.close(unclean);
    const second = await open(path, { storage: "mount 2" });
    expect(second.recovery).toMatchObject({ kind: "cold", lostSegments: first.segmentCount });
    expect(second.recovery.reason).toMatch(/mounted anew while the cache was open/);
    expect(recovered(second)).toEqual([]);
    await second.close(unclean);
    const third = await open(path, { storage: "mount 2" });
    expect(third.recovery.kind).toBe("scan");
    await third.close(clean);
  });

  test("mounted anew after a clean close keeps everything", async () => {
    const path = scratchDirectory();
    const first = await open(path, { storage: "mount 1" });
    fill(first, 0, [1, 2, 3]);
    await first.close(clean);
    const second = await open(path, { storage: "mount 2" });
    expect(second.recovery.kind).toBe("scan");
    expect(recovered(second)).toEqual([1, 2, 3]);
    await second.close(clean);
  });

  test("mounted anew in another boot keeps what was synced, as after any power loss", async () => {
    const path = scratchDirectory();
    await leaveKilled(path, 3);
    const second = await open(path, { bootId: "boot-2", storage: "mount 2" });
    expect(second.recovery.kind).toBe("barrier");
    expect(recovered(second)).toEqual([1, 2, 3]);
    await second.close(unclean);
  });

  test.runIf(process.platform === "linux")("has a name that stays while it is mounted", () => {
    const path = scratchDirectory();
    const name = readStorage(path);
    expect(name.length).toBeLessThanOrEqual(storageNameBytesMax);
    mkdirSync(join(path, "below"));
    expect(readStorage(join(path, "below"))).toBe(name);
    expect(readStorage("/dev/shm")).toMatch(/^tmpfs /);
    expect(readStorage(join(path, "missing"))).toBe("");
  });
});

describe("the files", () => {
  test.each(["under the same name", "beside the original"])(
    "copied %s: nothing is kept",
    async (where) => {
      const base = scratchDirectory();
      const [path, copy] = [join(base, "cache"), join(base, "copy")];
      const first = await open(path);
      fill(first, 0, [1, 2, 3]);
      await first.close(clean);
      cpSync(path, copy, { recursive: true, preserveTimestamps: true });
      if (where === "under the same name") {
        rmSync(path, { recursive: true });
        renameSync(copy, path);
      }
      const second = await open(where === "under the same name" ? path : copy);
      expect(second.recovery).toMatchObject({ kind: "cold", lostSegments: first.segmentCount });
      expect(second.recovery.reason).toMatch(/copy, or was put back from a backup/);
      expect(recovered(second)).toEqual([]);
      await second.close(clean);
      const third = await open(second.path);
      expect(third.recovery.kind).toBe("scan");
      await third.close(clean);
    },
  );

  test("moved with their directory: everything is kept", async () => {
    const base = scratchDirectory();
    const first = await open(join(base, "cache"));
    fill(first, 0, [1, 2, 3]);
    await first.close(unclean);
    renameSync(join(base, "cache"), join(base, "moved"));
    const second = await open(join(base, "moved"));
    expect(second.recovery.kind).toBe("scan");
    expect(recovered(second)).toEqual([1, 2, 3]);
    await second.close(clean);
  });
});

describe("the time", () => {
  const hour = 3_600_000;
  const left = { lastAliveMs: wallNow, clockAheadMs: 0, uptimeMs: 10 * hour, bootId: "boot-1" };
  const found = { wallNow, uptimeMs: 10 * hour, bootId: "boot-1" };

  test.each([
    ["nothing has passed", {}, {}, 0, false],
    ["an hour has passed", {}, { wallNow: wallNow + hour, uptimeMs: 11 * hour }, 0, false],
    ["put ahead while closed: counts as passed", {}, { wallNow: wallNow + hour }, 0, false],
    ["put back while closed", {}, { wallNow: wallNow - 2 * hour, uptimeMs: 11 * hour }, 3, false],
    ["put back, in another boot", {}, { wallNow: wallNow - hour, bootId: "boot-2" }, 0, true],
    ["put back, uptime unknown then", { uptimeMs: 0 }, { wallNow: wallNow - hour }, 0, true],
    ["put back, uptime unknown now", {}, { wallNow: wallNow - hour, uptimeMs: null }, 0, true],
    ["put back, a container's uptime", {}, { wallNow: wallNow - hour, uptimeMs: hour }, 0, true],
    ["ahead before", { clockAheadMs: 2 * hour }, { wallNow: wallNow - 2 * hour }, 2, false],
    [
      "ahead before, in another boot",
      { clockAheadMs: 2 * hour },
      { wallNow: wallNow - hour, bootId: "boot-2" },
      2,
      false,
    ],
  ])("%s", (_, earlier, now, aheadHours, isBehind) => {
    const resumed = resumeTime({ ...left, ...earlier }, { ...found, ...now });
    expect(resumed).toEqual({ aheadMs: aheadHours * hour, isBehind });
  });

  test("goes on over sessions of a clock that was put back", async () => {
    const path = scratchDirectory();
    const first = await open(path, { uptimeMs: hour });
    fill(first, 0, [1, 2]);
    const time = { lastAliveMs: wallNow, clockAheadMs: 2 * hour, uptimeMs: hour };
    await first.close({ ...unclean, ...time });
    const now = { wallNow: wallNow - 2 * hour, uptimeMs: hour };
    const second = await open(path, now);
    expect(second.recovery.dropExpiring).toBe(false);
    expect(second.clockAheadMs).toBe(2 * hour);
    // A kill: the manifest has what the open wrote.
    await second.close({ ...unclean, ...time });
    const third = await open(path, { wallNow: wallNow - 5 * hour, uptimeMs: 2 * hour });
    expect(third.clockAheadMs).toBe(6 * hour);
    expect(recovered(third)).toEqual([1, 2]);
    await third.close(clean);
  });
});
