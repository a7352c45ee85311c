// The manifest: two copies of which one may be damaged anywhere, and versions that are refused and
// not deleted.

import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fileDevice } from "../../dist/src/device/mod.js";
import { faultyDevice } from "../device/faulty-device.js";
import {
  decodeManifest,
  encodeManifest,
  ManifestFile,
  manifestCopyBytes,
  manifestVersion,
  type ManifestFields,
} from "../../dist/src/directory/manifest.js";
import { hasher, scratchDirectory } from "../disk/scratch.js";

const fields: ManifestFields = {
  sealedKey: Buffer.alloc(60, 7),
  clean: true,
  closedUnsynced: false,
  identity: Buffer.from("0123456789abcdef"),
  seed: 2n ** 64n - 1n,
  segmentBytes: 2 ** 30,
  segmentCount: 128,
  generation: 12,
  nextSequence: 2 ** 47,
  fsyncBarrier: 2 ** 47 - 1,
  keepThrough: 77,
  dropExpiring: true,
  lastAliveMs: 1_750_000_000_000.5,
  clockAheadMs: 7_200_000.25,
  uptimeMs: 86_400_000.75,
  bootId: "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
  storage: "x".repeat(64),
  codecName: "\u20ac".repeat(64),
  schemas: 7,
  snapshot: "too-large",
  leftOut: 7,
};
const ourFile = { inode: 2n ** 64n - 1n, born: 1_750_000_000_000_000_001n };
const older = { ...fields, clean: false, nextSequence: 5, keepThrough: Infinity };

function file(first: Buffer, second: Buffer): Buffer {
  return Buffer.concat([first, second]);
}

test("comes back as it was written", () => {
  const copy = encodeManifest(fields, 3, ourFile, hasher);
  expect(copy.length).toBe(manifestCopyBytes);
  const reading = decodeManifest(file(Buffer.alloc(manifestCopyBytes), copy), hasher);
  expect(reading).toEqual({ kind: "valid", fields, revision: 3, file: ourFile });
  const names = { bootId: "", storage: "", codecName: "j" };
  const edge = { ...older, ...names, dropExpiring: false, snapshot: "failed" as const, seed: 0n };
  const zero = decodeManifest(
    file(encodeManifest(edge, 2, ourFile, hasher), Buffer.alloc(0)),
    hasher,
  );
  expect(zero).toEqual({ kind: "valid", fields: edge, revision: 2, file: ourFile });
});

test("any flipped byte of one copy leaves the other in use", () => {
  const newer = encodeManifest(fields, 4, ourFile, hasher);
  const before = encodeManifest(older, 3, ourFile, hasher);
  for (let position = 0; position < manifestCopyBytes; position++) {
    newer[position] = (newer[position] ?? 0) ^ (1 << (position % 8));
    const reading = decodeManifest(file(newer, before), hasher);
    expect(reading).toEqual({ kind: "valid", fields: older, revision: 3, file: ourFile });
    newer[position] = (newer[position] ?? 0) ^ (1 << (position % 8));
  }
  expect(decodeManifest(file(newer, before), hasher)).toMatchObject({ revision: 4 });
  before[100] = ~(before[100] ?? 0) & 0xff;
  expect(decodeManifest(file(newer, before), hasher)).toMatchObject({ revision: 4 });
});

test("two damaged copies, no copy and half a file are damage", () => {
  const damaged = encodeManifest(fields, 4, ourFile, hasher);
  damaged[30] = ~(damaged[30] ?? 0) & 0xff;
  expect(decodeManifest(file(damaged, damaged), hasher).kind).toBe("damaged");
  expect(decodeManifest(Buffer.alloc(2 * manifestCopyBytes), hasher).kind).toBe("damaged");
  expect(decodeManifest(Buffer.alloc(0), hasher).kind).toBe("damaged");
  expect(decodeManifest(damaged.subarray(0, 11), hasher).kind).toBe("damaged");
});

test.each([
  { nextSequence: 2 ** 47 + 1 },
  { fsyncBarrier: 2 ** 50 },
  { keepThrough: 2 ** 48 },
  { generation: 2 ** 48 },
  { lastAliveMs: Number.NaN },
  { clockAheadMs: Infinity },
  { uptimeMs: 1e300 },
  { schemas: 257 },
])("%j is damage: no cache comes so far", (change) => {
  const copy = encodeManifest({ ...fields, ...change }, 3, ourFile, hasher);
  expect(decodeManifest(file(copy, copy), hasher).kind).toBe("damaged");
});

describe("another version", () => {
  const other = (revision: number): Buffer => {
    const copy = encodeManifest(fields, revision, ourFile, hasher);
    copy.writeUInt32LE(manifestVersion + 1, 8);
    return copy;
  };
  const signed = (copy: Buffer): Buffer => {
    copy.writeBigUInt64LE(hasher.h64(copy.subarray(0, 4088)), 4088);
    return copy;
  };

  test("is reported if the newest whole copy has it, or both copies have it", () => {
    const ours = encodeManifest(older, 3, ourFile, hasher);
    const theirs = { kind: "otherVersion", version: manifestVersion + 1 };
    expect(decodeManifest(file(signed(other(4)), ours), hasher)).toEqual(theirs);
    expect(decodeManifest(file(other(4), other(5)), hasher)).toEqual(theirs);
  });

  test("in one damaged copy is damage, not a version", () => {
    const ours = encodeManifest(older, 3, ourFile, hasher);
    expect(decodeManifest(file(other(4), ours), hasher).kind).toBe("valid");
    expect(decodeManifest(file(other(4), Buffer.alloc(4096)), hasher).kind).toBe("damaged");
  });
});

describe("ManifestFile", () => {
  const open = (): { fd: number; path: string } => {
    const path = join(scratchDirectory(), "manifest");
    return { fd: openSync(path, "w+"), path };
  };

  test("writes the copies in turn, each synced before the next", async () => {
    const { fd, path } = open();
    const steps: string[] = [];
    const device = faultyDevice(fileDevice, ({ kind, position }) => {
      steps.push(kind === "write" ? `write ${position}` : kind);
      return undefined;
    });
    const manifest = new ManifestFile(fd, hasher, { fields: older, revision: 0 }, device);
    const writes = [6, 7, 8].map((nextSequence) => manifest.write({ nextSequence }));
    await Promise.all(writes);
    expect(steps).toEqual(["write 4096", "fsync", "write 0", "fsync", "write 4096", "fsync"]);
    const written = { kind: "valid", fields: { ...older, nextSequence: 8 }, revision: 3 };
    const { ino: inode, birthtimeNs: born } = fstatSync(fd, { bigint: true });
    const expected = { ...written, file: { inode, born } };
    expect(decodeManifest(readFileSync(path), hasher)).toEqual(expected);
    await manifest.writeBoth({ clean: true });
    const bytes = readFileSync(path);
    for (const at of [0, 4096]) {
      const half = decodeManifest(bytes.subarray(at, at + 4096), hasher);
      expect(half).toMatchObject({ fields: { clean: true, nextSequence: 8 } });
    }
    closeSync(fd);
  });

  test("rejects when the disk fails, keeps the other copy, and writes again later", async () => {
    const { fd, path } = open();
    let broken = false;
    const device = faultyDevice(fileDevice, () =>
      broken ? { kind: "error", code: "EIO" } : undefined,
    );
    const manifest = new ManifestFile(fd, hasher, { fields: older, revision: 0 }, device);
    await manifest.write({ nextSequence: 6 });
    broken = true;
    await expect(manifest.write({ nextSequence: 7 })).rejects.toMatchObject({
      code: "ERR_DISK_IO",
    });
    expect(decodeManifest(readFileSync(path), hasher)).toMatchObject({
      fields: { nextSequence: 6 },
    });
    broken = false;
    await manifest.write({});
    expect(decodeManifest(readFileSync(path), hasher)).toMatchObject({
      fields: { nextSequence: 7 },
    });
    closeSync(fd);
  });
});
