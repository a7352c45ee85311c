// The index snapshot: whole or not at all, used once, never larger than its share.

import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MiB } from "../../dist/src/base/mod.js";
import { fileDevice } from "../../dist/src/device/mod.js";
import { faultyDevice } from "../device/faulty-device.js";
import {
  readSnapshot,
  type SegmentState,
  type SnapshotPlace,
  writeSnapshot,
} from "../../dist/src/directory/mod.js";
import { hasher, scratchDirectory, seed } from "../disk/scratch.js";

const bucketCount = 4096;
const segments: SegmentState[] = [
  {
    nonce: 2n ** 64n - 1n,
    serial: Number.MAX_SAFE_INTEGER,
    createdMs: 1.5,
    maxExpires: Infinity,
    endOffset: 2 ** 30,
    recordCount: 2 ** 24,
    tombstoneCount: 17,
  },
  {
    nonce: 0n,
    serial: 0,
    createdMs: 0,
    maxExpires: 0,
    endOffset: 0,
    recordCount: 0,
    tombstoneCount: 0,
  },
];

function place(change: Partial<SnapshotPlace> = {}): SnapshotPlace {
  const file = join(scratchDirectory(), "undercroft.index");
  const identity = Buffer.alloc(16, 7);
  return { file, bytesMax: 8 * MiB, identity, generation: 3, seed, isSynced: true, ...change };
}

function payload(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31) >>> 3;
  return bytes;
}

/** The payload of a snapshot, or null if it was refused. */
function read(where: SnapshotPlace, buckets = bucketCount): Buffer | null {
  const chunks: Buffer[] = [];
  const found = readSnapshot(where, buckets, (chunk) => chunks.push(Buffer.from(chunk)), hasher);
  // A refused snapshot hands nothing out.
  expect(found).toEqual(found === null ? null : segments);
  expect(found === null ? chunks : []).toEqual([]);
  return found === null ? null : Buffer.concat(chunks);
}

function write(where: SnapshotPlace, ...chunks: Uint8Array[]): boolean {
  return writeSnapshot(where, bucketCount, segments, chunks, hasher);
}

describe("a snapshot", () => {
  test.each([0, 1, 12, MiB - 1, MiB, MiB + 1, 2 * MiB + 5])(
    "of %i bytes comes back unchanged, in one chunk or many, and is then removed",
    (length) => {
      const where = place();
      const bytes = payload(length);
      expect(write(where, bytes)).toBe(true);
      expect(read(where)?.equals(bytes)).toBe(true);
      expect(existsSync(where.file)).toBe(false);
      expect(read(where)).toBeNull();
      const pieces: Buffer[] = [];
      for (let at = 0; at < length; at += 300_007) pieces.push(bytes.subarray(at, at + 300_007));
      expect(write(where, ...pieces, Buffer.alloc(0))).toBe(true);
      expect(read(where)?.equals(bytes)).toBe(true);
    },
  );

  test("is readable by its owner only, and its description may be posted to threads", () => {
    const where = place();
    expect(write(where, payload(10))).toBe(true);
    expect(statSync(where.file).mode & 0o777).toBe(0o600);
    expect(read(structuredClone(where))?.length).toBe(10);
  });

  test("comes from shared memory", () => {
    const where = place();
    const shared = new Uint8Array(new SharedArrayBuffer(1000)).fill(9);
    expect(write(where, shared)).toBe(true);
    expect(read(where)?.equals(Buffer.alloc(1000, 9))).toBe(true);
  });

  test("of another directory, generation, seed or index is refused and removed", () => {
    const others: Partial<SnapshotPlace>[] = [
      { identity: Buffer.alloc(16, 8) },
      { generation: 4 },
      { seed: seed + 1n },
      { bytesMax: 100 },
    ];
    for (const other of others) {
      const where = place();
      expect(write(where, payload(1000))).toBe(true);
      expect(read({ ...where, ...other })).toBeNull();
      expect(existsSync(where.file)).toBe(false);
    }
    const where = place();
    expect(write(where, payload(1000))).toBe(true);
    expect(read(where, bucketCount * 2)).toBeNull();
  });

  test("with any flipped byte, any cut or any added byte is refused whole", () => {
    const where = place();
    expect(write(where, payload(300))).toBe(true);
    const whole = readFileSync(where.file);
    for (let position = 0; position < whole.length; position++) {
      const damaged = Buffer.from(whole);
      damaged[position] = (damaged[position] ?? 0) ^ (1 << (position % 8));
      writeFileSync(where.file, damaged);
      expect(read(where)).toBeNull();
      writeFileSync(where.file, whole.subarray(0, position));
      expect(read(where)).toBeNull();
    }
    writeFileSync(where.file, Buffer.concat([whole, Buffer.alloc(1)]));
    expect(read(where)).toBeNull();
    writeFileSync(where.file, whole);
    expect(read(where)?.length).toBe(300);
  });

  test("hands nothing out if only its last megabyte is damaged", () => {
    const where = place();
    expect(write(where, payload(3 * MiB))).toBe(true);
    const bytes = readFileSync(where.file);
    bytes[bytes.length - 9] = ~(bytes.at(-9) ?? 0) & 0xff;
    writeFileSync(where.file, bytes);
    expect(read(where)).toBeNull();
  });
});

describe("writeSnapshot()", () => {
  test("keeps its limit to the byte, and leaves no larger file", () => {
    const whole = place();
    expect(write(whole, payload(2000))).toBe(true);
    const bytesMax = statSync(whole.file).size;
    expect(write(place({ bytesMax }), payload(2000))).toBe(true);
    const small = place({ bytesMax: bytesMax - 1 });
    expect(write(small, payload(2000))).toBe(false);
    expect(existsSync(small.file)).toBe(false);
    const tiny = place({ bytesMax: 100 });
    expect(write(tiny, payload(0))).toBe(false);
    expect(existsSync(tiny.file)).toBe(false);
  });

  test("replaces an older one, and never writes through a link", () => {
    const where = place();
    expect(write(where, payload(2000))).toBe(true);
    expect(write(where, payload(10))).toBe(true);
    expect(read(where)?.length).toBe(10);
    const victim = join(scratchDirectory(), "victim");
    writeFileSync(victim, "precious");
    symlinkSync(victim, where.file);
    expect(write(where, payload(10))).toBe(true);
    expect(readFileSync(victim, "utf8")).toBe("precious");
    expect(read(where)?.length).toBe(10);
  });

  test("leaves no file if the disk fails at any operation", () => {
    for (const broken of [1, 2, 3, 4]) {
      let operations = 0;
      const device = faultyDevice(fileDevice, () => {
        operations += 1;
        return operations === broken ? { kind: "error", code: "ENOSPC" } : undefined;
      });
      const where = place();
      const run = (): boolean =>
        writeSnapshot(where, bucketCount, segments, [payload(100)], hasher, device);
      expect(run).toThrow(expect.objectContaining({ code: "ERR_DISK_IO" }));
      expect(existsSync(where.file)).toBe(false);
    }
  });

  test("leaves no file if the index stops half-way", () => {
    const where = place();
    function* chunks(): Generator<Uint8Array> {
      yield payload(2 * MiB);
      throw new Error("the index stopped");
    }
    expect(() => writeSnapshot(where, bucketCount, segments, chunks(), hasher)).toThrow("stopped");
    expect(existsSync(where.file)).toBe(false);
  });

  test("fails with a code where it cannot write", () => {
    const where = place();
    mkdirSync(where.file);
    expect(() => write(where, payload(1))).toThrow(
      expect.objectContaining({ code: "ERR_DISK_IO" }),
    );
  });
});

test("readSnapshot() fails with a code if the file changes between its two readings", () => {
  const where = place();
  expect(write(where, payload(100))).toBe(true);
  const device = faultyDevice(fileDevice, ({ nth }) =>
    // Head, table, frame; then the frame again.
    nth === 4 ? { kind: "flip", at: 0 } : undefined,
  );
  const run = (): unknown => readSnapshot(where, bucketCount, () => undefined, hasher, device);
  expect(run).toThrow(expect.objectContaining({ code: "ERR_DISK_IO" }));
  expect(existsSync(where.file)).toBe(false);
});
