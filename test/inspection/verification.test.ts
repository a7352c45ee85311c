// Every kind of damage is found and named; nothing is changed; what a running cache writes is no
// fault.
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, fileDevice } from "../../dist/src/device/mod.js";
import { type Fault, verifyDirectory } from "../../dist/src/inspection/mod.js";
import { flipByte } from "../disk-log/scratch-cache.js";
import { copyOf, fillCache, newFolder, openAt, scratchFolder, stateOf } from "./made-directory.js";

let closed = "";
/** The same, as a kill leaves it. */
let left = "";

beforeAll(async () => {
  [closed, left] = [newFolder(), newFolder()];
  const cache = await openAt(closed);
  await fillCache(cache);
  const copy = copyOfOpen();
  await cache.close();
  left = copy;
});

afterAll(() => {
  for (const path of [closed, left]) rmSync(path, { recursive: true, force: true });
});

function copyOfOpen(): string {
  for (const name of readdirSync(closed)) {
    if (!statSync(join(closed, name)).isFile()) continue;
    writeFileSync(join(left, name), readFileSync(join(closed, name)));
  }
  return left;
}

/** The offset of the first batch's end, by its header. */
function firstBatch(path: string): { index: number; end: number } {
  const file = readFileSync(join(path, "segment-000.ucs"));
  const [count, records, details] = [72, 76, 84].map((at) => file.readUInt32LE(at));
  const index = 128 + (records ?? 0);
  return { index, end: index + (count ?? 0) * 16 + (details ?? 0) };
}

test("a closed directory, and one that was left, are whole, and stay as they are", async () => {
  for (const [path, isClosed] of [[closed, true] as const, [left, false] as const]) {
    const before = stateOf(path);
    const found = await verifyDirectory(path);
    expect(found).toMatchObject({ faultCount: 0, faults: [], notes: [], isLive: false, isClosed });
    expect(found.records).toBeGreaterThan(1200);
    expect(found.segments).toBeGreaterThan(1);
    expect(stateOf(path)).toBe(before);
  }
});

describe("a flipped byte", () => {
  const segment = "segment-000.ucs";
  const cases: [name: string, file: string, kind: Fault["kind"], at: number, named?: number][] = [
    ["a copy of the manifest", "undercroft.manifest", "checksum", 300, 0],
    ["the other copy", "undercroft.manifest", "checksum", 4096 + 4090, 4096],
    ["the header of the epochs", "undercroft.epochs", "header", 3, 0],
    ["a slot of a clear", "undercroft.epochs", "slot", 1024 + 16 * 67 + 5, 1024 + 16 * 67],
    ["the second copy of a tag floor", "undercroft.epochs", "slot", 6656 + 2, 6656],
    ["what nothing uses of the epochs", "undercroft.epochs", "padding", 3700],
    ["a namespace", "undercroft.epochs", "slot", 8192 + 256 + 70, 8192 + 256],
    ["the header of the tags", "undercroft.tags", "header", 20, 0],
    ["the mark of forgotten tags", "undercroft.tags", "slot", 2048 + 3, 2048],
    ["what nothing uses of the tags", "undercroft.tags", "padding", 3000],
    ["a free slot of a tag", "undercroft.tags", "slot", 4096 + 32 * 9 + 30, 4096 + 32 * 9],
    ["the header of the schemas", "undercroft.shapes", "header", 0, 0],
    ["a schema", "undercroft.shapes", "checksum", 4160 + 6, 64],
    ["behind the schemas", "undercroft.shapes", "padding", 30_000],
    ["the header of the snapshot", "undercroft.index", "header", 33, 0],
    ["the table of the snapshot", "undercroft.index", "header", 90, 0],
    ["the header of a segment", segment, "header", 25, 0],
    ["the header of a batch", segment, "batch", 64 + 33, 64],
    ["the header of a record", segment, "record", 128 + 8, 128],
    ["the value of a record", segment, "record", 128 + 60, 128],
  ];
  test.each(cases)("in %s is found", async (_, file, kind, at, named = at) => {
    const path = copyOf(closed);
    flipByte(join(path, file), at);
    const before = stateOf(path);
    const { faults } = await verifyDirectory(path);
    expect(faults).toContainEqual(expect.objectContaining({ file, kind, offset: named }));
    expect(faults).toHaveLength(1);
    expect(faults[0]?.segment).toBe(file === segment ? 0 : null);
    expect(stateOf(path)).toBe(before);
  });

  test("in an index, a tombstone, a gap and behind the batches is found", async () => {
    const { index, end } = firstBatch(closed);
    const segmentBytes = statSync(join(closed, segment)).size;
    for (const [at, kind, offset] of [
      [index + 3, "index", index],
      [end - 1, "index", index],
      [segmentBytes - 3, "tombstone", segmentBytes - 8],
    ] as const) {
      const path = copyOf(closed);
      flipByte(join(path, segment), at);
      const { faults } = await verifyDirectory(path);
      expect(faults).toEqual([expect.objectContaining({ file: segment, kind, offset })]);
    }
  });

  test("anywhere in a file that is used is found", async () => {
    let random = 12_345;
    const next = (below: number): number => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((random / 2 ** 32) * below);
    };
    const path = copyOf(closed);
    const files = readdirSync(path).filter((name) => {
      const isSegment = name.startsWith("segment");
      return !isSegment || readFileSync(join(path, name)).readUInt32LE(0) !== 0;
    });
    for (let round = 0; round < 120; round++) {
      const file = files[next(files.length)] ?? "";
      const at = next(statSync(join(path, file)).size);
      flipByte(join(path, file), at);
      const { faultCount } = await verifyDirectory(path);
      expect(faultCount, `${file} at ${at}`).toBeGreaterThan(0);
      flipByte(join(path, file), at);
    }
    expect((await verifyDirectory(path)).faultCount).toBe(0);
  });
});

test("a file that is missing, cut or emptied is named", async () => {
  const path = copyOf(closed);
  rmSync(join(path, "undercroft.epochs"));
  truncateSync(join(path, "undercroft.tags"), 5000);
  truncateSync(join(path, "undercroft.shapes"), 0);
  truncateSync(join(path, "segment-001.ucs"), 100);
  rmSync(join(path, "segment-002.ucs"));
  // The header of a segment that holds entries, made void: only the snapshot knows.
  const zeroed = readFileSync(join(path, "segment-000.ucs")).fill(0, 0, 64);
  writeFileSync(join(path, "segment-000.ucs"), zeroed);
  const { faults } = await verifyDirectory(path);
  expect(faults.map(({ file, kind }) => `${file} ${kind}`)).toEqual([
    "undercroft.epochs missing",
    "undercroft.tags length",
    "undercroft.shapes length",
    "segment-000.ucs header",
    "segment-001.ucs length",
    "segment-002.ucs missing",
  ]);
});

test("without a manifest there is one fault, and nothing else can be told", async () => {
  for (const damage of [
    (file: string) => rmSync(file),
    (file: string) => writeFileSync(file, Buffer.alloc(8192)),
    (file: string) => truncateSync(file, 100),
  ]) {
    const path = copyOf(closed);
    damage(join(path, "undercroft.manifest"));
    const { faultCount, segments } = await verifyDirectory(path);
    expect([faultCount, segments]).toEqual([1, 0]);
  }
});

/** Zeros from the middle of the first batch on. */
function cutBatch(path: string): void {
  const { index, end } = firstBatch(path);
  const file = join(path, "segment-000.ucs");
  const bytes = readFileSync(file);
  const rest = bytes.length - bytes.subarray(end).length;
  bytes.fill(0, index - 50, rest).fill(0, rest);
  writeFileSync(file, bytes);
}

test("a batch that a kill cut short is a note, and a fault after a close", async () => {
  const [killed, broken] = [copyOf(left), copyOf(closed)];
  for (const path of [killed, broken]) cutBatch(path);
  const found = await verifyDirectory(killed);
  expect(found).toMatchObject({ faultCount: 0, notes: [expect.stringContaining("cut short")] });
  const { faults } = await verifyDirectory(broken);
  expect(faults.map(({ kind, offset }) => [kind, offset])).toContainEqual([
    "index",
    firstBatch(closed).index,
  ]);
});

test("a format of another version is refused", async () => {
  const path = copyOf(closed);
  const file = join(path, "undercroft.manifest");
  const bytes = readFileSync(file);
  for (const copy of [0, 4096]) bytes.writeUInt32LE(99, copy + 8);
  writeFileSync(file, bytes);
  await expect(verifyDirectory(path)).rejects.toMatchObject({ code: "ERR_FORMAT_VERSION" });
});

describe("an open directory", () => {
  test("is whole at any moment while a cache writes to it", async () => {
    const path = scratchFolder();
    const cache = await openAt(path, { near: false });
    let isOver = false;
    const writing = (async () => {
      for (let number = 0; !isOver; number++) {
        await cache.setAsync(`k${number % 3000}`, "v".repeat(number % 2000), { tags: ["t"] });
        if (number % 7 === 0) cache.delete(`k${(number * 7) % 3000}`);
        if (number % 400 === 0) cache.deleteByTag(`t${number}`);
      }
    })();
    try {
      for (let round = 0; round < 15; round++) {
        const { faults, isLive } = await verifyDirectory(path);
        expect(faults).toEqual([]);
        expect(isLive).toBe(true);
        await cache.flush();
      }
    } finally {
      isOver = true;
      await writing;
      await cache.close();
    }
    expect((await verifyDirectory(path)).faultCount).toBe(0);
  });

  test("has no fault in what is being written, and has one in what stays wrong", async () => {
    const path = scratchFolder();
    const cache = await openAt(path);
    await fillCache(cache);
    try {
      for (const [looks, expected] of [
        [1, 0],
        [3, 0],
        [Infinity, "some"],
      ] as const) {
        const { faultCount, isLive } = await verifyDirectory(path, { device: torn(looks) });
        const count = faultCount === 0 ? 0 : "some";
        expect([looks, count, isLive]).toEqual([looks, expected, true]);
      }
    } finally {
      await cache.close();
    }
  });
});

/** A device whose first reads of the second record of a segment find zeros, as before a write. */
function torn(looks: number): Device {
  let left = looks;
  return {
    ...fileDevice,
    readAtSync(fd, buffer, offset, length, position) {
      const read = fileDevice.readAtSync(fd, buffer, offset, length, position);
      // What the verifier reads records by begins at the first record.
      const isWindow = position === 128 && read > 4096;
      if (isWindow && left > 0) {
        left -= 1;
        buffer.fill(0, offset + 40, offset + 48);
      }
      return read;
    },
  };
}
