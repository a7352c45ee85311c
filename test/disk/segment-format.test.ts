// The example in docs/internals/files.md is what the writer writes and the scan reads. So a format
// that changes by accident fails here, and so does an outdated page.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  BatchBuilder,
  resetSegment,
  segmentKeyOf,
  scanSegment,
  verifyRecord,
  writeBatch,
  appendTombstone,
} from "../../dist/src/disk/mod.js";
import { flagExpires } from "../../dist/src/record/mod.js";
import { hasher, makeRecord, scratchFile, segmentBytes } from "./scratch.js";

const page = readFileSync(new URL("../../docs/internals/files.md", import.meta.url), "utf8");
const directorySeed = 0x1234567890abcdefn;
const key = segmentKeyOf(directorySeed, 0);
const identity = { nonce: 0x1122334455667788n, serial: 1, createdMs: 1_750_000_000_000 };
const expires = 1_750_000_060_000;

/** The bytes of the page's example; what it leaves out is zero. */
function example(): Buffer {
  const bytes = Buffer.alloc(segmentBytes);
  const lines = [...page.matchAll(/^([0-9a-f]{6}) {2}((?:[0-9a-f]{2} ){16})/gm)];
  expect(lines.length).toBe(18);
  for (const [, at = "", hex = ""] of lines) {
    Buffer.from(hex.replaceAll(" ", ""), "hex").copy(bytes, Number.parseInt(at, 16));
  }
  return bytes;
}

test("the writer writes the example, byte for byte", () => {
  const { fd, file } = scratchFile();
  resetSegment(fd, segmentBytes, identity, key, hasher, false);
  const builder = new BatchBuilder(1024, hasher);
  builder.begin({ nonce: identity.nonce, offset: 64, segmentBytes, recordCount: 0 });
  const add = (record: Buffer, name: string, sequence: number, until: number): number => {
    const hash = hasher.h64(Buffer.from(name), directorySeed);
    const [low, high] = [Number(hash & 0xffff_ffffn), Number(hash >> 32n)];
    return builder.append(record, 0, record.length, low, high, sequence, until);
  };
  const first = add(makeRecord("user:7", "Ada", 5), "user:7", 5, Infinity);
  const second = makeRecord("user:8", "Grace", 6, flagExpires);
  second.writeDoubleLE(expires, 24);
  add(second, "user:8", 6, expires);
  writeBatch(fd, builder.finish(0), 64);
  appendTombstone(fd, segmentBytes, identity.nonce, 0, first / 16);
  expect(readFileSync(file).equals(example())).toBe(true);
});

test("the scan reads the example", () => {
  const { fd } = scratchFile();
  const bytes = example();
  writeBatch(fd, bytes.subarray(64), 64);
  expect(scanSegment(fd, segmentBytes, key, hasher)).toBeNull();
  const whole = scratchFile();
  resetSegment(whole.fd, segmentBytes, identity, key, hasher, false);
  writeBatch(whole.fd, bytes.subarray(64), 64);
  const found = scanSegment(whole.fd, segmentBytes, key, hasher);
  expect(found).toMatchObject({ ...identity, recordCount: 2, endOffset: 0x110, maxSequence: 6 });
  expect([...(found?.entries.dead ?? [])]).toEqual([1, 0]);
  expect([...(found?.entries.expires ?? [])]).toEqual([Infinity, expires]);
  expect(verifyRecord(Buffer.from(bytes), 128, 64, identity.nonce, 128, hasher)).toBe(33);
  expect(verifyRecord(Buffer.from(bytes), 176, 64, identity.nonce, 176, hasher)).toBe(43);
});
