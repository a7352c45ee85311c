import fc from "fast-check";
import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/record/mod.js";
import { createdBaseOf, encodeTags, RecordReader } from "../../dist/src/record/mod.js";

interface Fields {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly codecId: number;
  readonly flags: number;
  readonly sequence: number;
  readonly sinceMs: number;
  readonly diskLocation: bigint | undefined;
  readonly expiresMs: number | undefined;
  readonly staleUntilMs: number | undefined;
  readonly tags: readonly string[];
  readonly revision: number | undefined;
}

/** A record as layout.ts defines it, written field by field without the code under test. */
function encode(fields: Fields): Buffer {
  const { key, value, diskLocation, expiresMs, staleUntilMs, tags, revision } = fields;
  const tagField = encodeTags(tags, () => ({ low: 1, high: 1 }));
  const stale = expiresMs === undefined ? undefined : staleUntilMs;
  const words = [diskLocation, expiresMs, stale].filter((word) => word !== undefined);
  const revisionBytes = revision === undefined ? 0 : 8;
  const extensionBytes = words.length * 8 + tagField.length + revisionBytes;
  const record = Buffer.alloc(24 + extensionBytes + key.length + value.length);
  record.writeUInt32LE(record.length, 0);
  record.writeUInt16LE(key.length - 1, 4);
  record.writeUInt8(fields.codecId + (revision === undefined ? 0 : 128), 6);
  let flags = fields.flags;
  if (diskLocation !== undefined) flags |= 1;
  if (expiresMs !== undefined) flags |= 2;
  if (stale !== undefined) flags |= 4;
  if (tags.length > 0) flags |= 8;
  record.writeUInt8(flags, 7);
  record.writeUIntLE(fields.sequence, 8, 6);
  record.writeUInt8(extensionBytes / 8, 14);
  record.writeUInt8(Math.floor(fields.sinceMs / 2 ** 32), 15);
  record.writeUInt32LE(fields.sinceMs % 2 ** 32, 16);
  let field = 24;
  for (const word of words) {
    if (typeof word === "bigint") record.writeBigUInt64LE(word, field);
    else record.writeDoubleLE(word, field);
    field += 8;
  }
  tagField.copy(record, field);
  if (revision !== undefined) record.writeDoubleLE(revision, field + tagField.length);
  record.set(key, 24 + extensionBytes);
  record.set(value, 24 + extensionBytes + key.length);
  return record;
}

const tag = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" });
const anyFields: fc.Arbitrary<Fields> = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  value: fc.uint8Array({ maxLength: 300 }),
  codecId: fc.nat(15),
  flags: fc.constantFrom(0, 16, 32, 64, 128, 48),
  sequence: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  sinceMs: fc.integer({ min: 0, max: 2 ** 40 - 1 }),
  diskLocation: fc.option(fc.bigInt({ min: 0n, max: 2n ** 44n }), { nil: undefined }),
  expiresMs: fc.option(fc.double({ min: 0, max: 1e15, noNaN: true }), { nil: undefined }),
  staleUntilMs: fc.option(fc.double({ min: 0, max: 1e15, noNaN: true }), { nil: undefined }),
  tags: fc.array(tag, { maxLength: 8 }),
  revision: fc.option(fc.maxSafeNat(), { nil: undefined }),
});

function assertSame(record: RecordReader, fields: Fields, base: number): void {
  expect(record.codecId).toBe(fields.codecId);
  expect(record.sequence).toBe(fields.sequence);
  expect(record.createdMs).toBe(base + fields.sinceMs);
  expect(record.expiresMs).toBe(fields.expiresMs ?? Infinity);
  const until = fields.expiresMs === undefined ? undefined : fields.staleUntilMs;
  expect(record.staleUntilMs).toBe(until ?? fields.expiresMs ?? Infinity);
  expect(record.tags()).toEqual(fields.tags);
  expect(record.revision).toBe(fields.revision);
  const { buffer, keyStart, keyEnd, valueStart, valueEnd } = record;
  expect(Uint8Array.from(buffer.subarray(keyStart, keyEnd))).toEqual(fields.key);
  expect(Uint8Array.from(buffer.subarray(valueStart, valueEnd))).toEqual(fields.value);
}

describe("RecordReader.parse()", () => {
  test("parses any record, at any offset of any buffer", () => {
    const starts = fc.integer({ min: 0, max: 12 }).map((eighth) => eighth * 8);
    const base = fc.constantFrom(0, 1577836800000);
    fc.assert(
      fc.property(anyFields, starts, base, (fields, start, baseMs) => {
        const bytes = encode(fields);
        const record = new RecordReader(0, baseMs);
        record.adopt(Buffer.concat([Buffer.alloc(start, 255), bytes, Buffer.alloc(9, 255)]));
        record.parse(start);
        expect(record.size).toBe(bytes.length);
        assertSame(record, fields, baseMs);
      }),
    );
  });

  test("forgets the record before", () => {
    const record = new RecordReader(0, 0);
    const [rich, plain] = fc.sample(anyFields, 2) as [Fields, Fields];
    const tagged = {
      ...rich,
      expiresMs: 5,
      staleUntilMs: 9,
      diskLocation: 3n,
      tags: ["a"],
      revision: 7,
    };
    const bare = {
      ...plain,
      expiresMs: undefined,
      staleUntilMs: undefined,
      diskLocation: undefined,
      tags: [],
      revision: undefined,
    };
    for (const fields of [tagged, bare, tagged]) {
      record.adopt(encode(fields));
      record.parse(0);
      assertSame(record, fields, 0);
    }
  });

  test("returns the longest key", () => {
    const key = new Uint8Array(at.keyLengthMax).fill(7);
    const [some] = fc.sample(anyFields, 1) as [Fields];
    const record = new RecordReader(0, 0);
    record.adopt(encode({ ...some, key }));
    record.parse(0);
    expect(record.keyEnd - record.keyStart).toBe(65_536);
  });
});

describe("RecordReader.key()", () => {
  test("is a string, or its own bytes if bytes were given", () => {
    const [some] = fc.sample(anyFields, 1) as [Fields];
    const record = new RecordReader(0, 0);
    record.adopt(encode({ ...some, key: Buffer.from("schlüssel:7"), flags: 0 }));
    record.parse(0);
    expect(record.key()).toBe("schlüssel:7");
    record.adopt(encode({ ...some, key: Buffer.from("abc"), flags: at.flagKeyBytes }));
    record.parse(0);
    const key = record.key() as Uint8Array;
    expect(key).toEqual(Uint8Array.of(97, 98, 99));
    record.buffer.fill(0);
    expect(key).toEqual(Uint8Array.of(97, 98, 99));
  });
});

describe("RecordReader.ensure()", () => {
  test("grows buffer and word view together, and never shrinks", () => {
    const record = new RecordReader(10, 0);
    expect(record.buffer.length).toBe(4096);
    for (const bytes of [4096, 4097, 8192, 100_000]) {
      record.ensure(bytes);
      expect(record.buffer.length).toBeGreaterThanOrEqual(bytes);
      expect(record.words.length * 4).toBe(record.buffer.length);
      record.words[1] = 0x01020304;
      expect(record.buffer.readUInt32LE(4)).toBe(0x01020304);
    }
    const { buffer } = record;
    record.ensure(100);
    expect(record.buffer).toBe(buffer);
  });
});

test("createdBaseOf() counts from 2020, or from 1970 for an earlier clock", () => {
  expect(createdBaseOf(Date.UTC(2025, 0, 1))).toBe(Date.UTC(2020, 0, 1));
  expect(createdBaseOf(Date.UTC(2020, 0, 1))).toBe(Date.UTC(2020, 0, 1));
  expect(createdBaseOf(Date.UTC(2020, 0, 1) - 1)).toBe(0);
  expect(createdBaseOf(0)).toBe(0);
  // 40 bits reach until 2054.
  expect(new Date(Date.UTC(2020, 0, 1) + 2 ** 40 - 1).getUTCFullYear()).toBe(2054);
});

test("the header's fields do not overlap, and the sequence is in one aligned word", () => {
  const starts = [
    [at.recordSize, 4],
    [at.recordKeyLength, 2],
    [at.recordCodec, 1],
    [at.recordFlags, 1],
    [at.recordSequence, 6],
    [at.recordExtensionUnits, 1],
    [at.recordCreatedHigh, 1],
    [at.recordCreatedLow, 4],
    [at.recordChecksum, 4],
  ] as const;
  let end = 0;
  for (const [start, bytes] of starts) {
    expect(start).toBe(end);
    end = start + bytes;
  }
  expect(end).toBe(at.recordHeaderSize);
  expect(at.recordSequence % 8).toBe(0);
  expect(at.recordHeaderSize % at.recordAlignment).toBe(0);
  const flags = [
    at.flagDiskLocation,
    at.flagExpires,
    at.flagStale,
    at.flagTags,
    at.flagKeyBytes,
    at.flagCompressed,
    at.flagChunked,
    at.flagChunk,
  ];
  expect(flags.reduce((sum, flag) => sum + flag, 0)).toBe(255);
});
