// What is encrypted comes back as it was, at its own offset of its own use of a file only; no nonce
// comes twice.
import { describe, expect, test } from "vitest";
import {
  BatchBuilder,
  BatchReader,
  DiskCipher,
  indexBytesOf,
  openRecord,
  resetSegment,
  scanSegment,
  verifyRecord,
  writeBatch,
} from "../../dist/src/disk/mod.js";
import { fileDevice } from "../../dist/src/device/mod.js";
import { flagDiskLocation } from "../../dist/src/record/mod.js";
import { hasher, identity, key, makeRecord, scratchFile, segmentBytes } from "./scratch.js";

const { nonce } = identity;
const cipher = new DiskCipher(Buffer.alloc(32, 1));
const other = new DiskCipher(Buffer.alloc(32, 2));

interface Written {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Records of several sizes, encrypted, as they are on disk. */
function records(count: number, use = nonce): { fd: number; written: Written[] } {
  const { fd } = scratchFile();
  resetSegment(fd, segmentBytes, { ...identity, nonce: use }, key, hasher, false);
  const builder = new BatchBuilder(64 * 1024, hasher, cipher);
  builder.begin({ nonce: use, offset: 64, segmentBytes, recordCount: 0 });
  const places: [number, number][] = [];
  for (let number = 1; number <= count; number++) {
    const value = "secret".repeat(number % 40);
    const record = makeRecord(`key-${number}`, value, number, flagDiskLocation);
    const offset = builder.append(record, 0, record.length, number, 0, number, Infinity);
    places.push([offset, record.length + 16]);
  }
  const batch = Buffer.from(builder.finish(0));
  writeBatch(fd, batch, 64);
  const bytesAt = (offset: number, size: number) => batch.subarray(offset - 64, offset - 64 + size);
  const written = places.map(([offset, size]) => ({ offset, bytes: bytesAt(offset, size) }));
  return { fd, written };
}

function opened(bytes: Buffer, offset: number, by: DiskCipher, use = nonce): number {
  return openRecord(bytes, 0, bytes.length, { nonce: use, offset, hasher, cipher: by });
}

describe("a record", () => {
  test("comes back, and its key and value are not on disk", () => {
    const { written } = records(60);
    for (const [index, { offset, bytes }] of written.entries()) {
      expect(bytes.includes("secret") || bytes.includes("key-")).toBe(false);
      const copy = Buffer.from(bytes);
      const wanted = makeRecord(
        `key-${index + 1}`,
        "secret".repeat((index + 1) % 40),
        index + 1,
        1,
      );
      wanted.fill(0, 24, 32);
      expect(opened(copy, offset, cipher)).toBe(wanted.length);
      expect(copy.subarray(0, wanted.length).equals(wanted)).toBe(true);
    }
  });

  test("is damaged to another key, at another offset, in another use of the file", () => {
    const [{ offset, bytes }] = records(1).written as [Written];
    expect(opened(Buffer.from(bytes), offset, other)).toBe(0);
    // With a checksum made to fit: it finds accidents only.
    for (const [at, use] of [
      [offset + 16, nonce],
      [offset, nonce + 1n],
    ] as const) {
      expect(opened(resealed(bytes, at, use), at, cipher, use)).toBe(0);
    }
  });

  test("with any changed byte is damaged, even if its checksum is made to fit", () => {
    const [{ offset, bytes }] = records(1).written as [Written];
    for (let at = 0; at < bytes.length; at++) {
      if (at >= 20 && at < 24) continue; // the checksum itself
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 4;
      expect(opened(resealed(changed, offset, nonce), offset, cipher), `byte ${at}`).toBe(0);
    }
  });
});

/** With the checksum of these bytes at this offset. */
function resealed(bytes: Buffer, offset: number, use: bigint): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32LE(0, 20);
  const size = Math.min(copy.readUIntLE(0, 3), copy.length);
  copy.writeUInt32LE(hasher.low32(copy.subarray(0, size), use ^ BigInt(offset)), 20);
  return copy;
}

test("no nonce comes twice, though the same records are written to the same offsets", () => {
  const nonces = new Set<string>();
  let count = 0;
  for (let round = 0; round < 40; round++) {
    for (const { offset, bytes } of records(200).written) {
      nonces.add(`${offset} ${bytes.toString("hex", 24, 32)}`);
      count += 1;
    }
  }
  expect(nonces.size).toBe(count);
});

test("the index of a batch is read with its key, and verified without", () => {
  const { fd } = records(50);
  const found = scanSegment(fd, segmentBytes, key, hasher, fileDevice, cipher);
  expect(found).toMatchObject({ recordCount: 50, damagedBatches: 0 });
  for (const wrong of [other, null]) {
    const scan = scanSegment(fd, segmentBytes, key, hasher, fileDevice, wrong);
    expect(scan).toMatchObject({ recordCount: 0, damagedBatches: 1 });
  }
  const reader = new BatchReader({ fd, segmentBytes, nonce, hasher, device: fileDevice });
  const batch = reader.header(64, 0);
  if (typeof batch === "string") throw new Error(batch);
  const index = Buffer.alloc(indexBytesOf(batch));
  expect(reader.isWhole(batch, index)).toBe(true);
  const sizes: number[] = [];
  const opens = new BatchReader({ fd, segmentBytes, nonce, hasher, device: fileDevice, cipher });
  opens.index(batch, index, ({ unit, size }) => {
    const record = Buffer.alloc(size);
    fileDevice.readAtSync(fd, record, 0, size, unit * 16);
    sizes.push(verifyRecord(record, 0, size, nonce, unit * 16, hasher));
  });
  expect(sizes.every((size) => size > 0) && sizes.length === 50).toBe(true);
});

test("blocks and words come back to their key, purpose and number only", () => {
  const plain = Buffer.from("some bytes of an index");
  const block = cipher.sealBlock(plain, "snapshot", 3);
  expect(cipher.openBlock(block, "snapshot", 3)?.equals(plain)).toBe(true);
  expect(block.includes(plain)).toBe(false);
  expect(cipher.sealBlock(plain, "snapshot", 3).equals(block)).toBe(false);
  for (const found of [
    cipher.openBlock(block, "snapshot", 4),
    cipher.openBlock(block, "tags", 3),
    other.openBlock(block, "snapshot", 3),
    cipher.openBlock(block.subarray(0, 20), "snapshot", 3),
  ]) {
    expect(found).toBeNull();
  }
  const words = [123n, 2n ** 64n - 1n] as const;
  const sealed = cipher.sealWords(words, "tags");
  expect(sealed).not.toContain(123n);
  expect(cipher.openWords(sealed, "tags")).toEqual(words);
  expect(other.openWords(sealed, "tags")).not.toEqual(words);
});

test("a schema comes back by its slot, and none has the nonce of another", () => {
  const entry = Buffer.from("some property names");
  const slotOf = (offset: number): Buffer => {
    const slot = Buffer.alloc(16, 9);
    slot.writeUInt32LE(offset, 0);
    return slot;
  };
  const sealed = cipher.sealSchema(entry, slotOf(4160));
  expect(sealed.entry).toHaveLength(entry.length);
  expect(cipher.openSchemaSlot(sealed.slot).equals(slotOf(4160))).toBe(true);
  expect(cipher.openSchema(sealed.entry, sealed.slot).equals(entry)).toBe(true);
  expect(other.openSchemaSlot(sealed.slot).equals(slotOf(4160))).toBe(false);
  const elsewhere = cipher.sealSchema(entry, slotOf(4200));
  expect(elsewhere.slot.equals(sealed.slot)).toBe(false);
  expect(elsewhere.entry.equals(sealed.entry)).toBe(false);
});
