import { describe, expect, test } from "vitest";

import { encodeTags, extensionSizeMax, tagHashesOf } from "../../dist/src/record/mod.js";

const hashOf = (_bytes: Uint8Array, from: number, to: number): { low: number; high: number } => ({
  low: (0x11111111 * (to - from)) >>> 0,
  high: 0xa0000000 + (to - from),
});

describe("encodeTags()", () => {
  test("of no tags is nothing", () => {
    expect(encodeTags([], hashOf)).toHaveLength(0);
  });

  test("is count, bytes of the names, hashes, names, zeros to 8 bytes", () => {
    const hex = encodeTags(["a", "bc"], hashOf).toString("hex");
    const hashes = ["11111111010000a0", "22222222020000a0"];
    const names = `0100${"61"}0200${"6263"}${"00"}`;
    expect(hex).toBe(`0200070000000000${hashes.join("")}${names}`);
  });

  test.each([[["user:7"]], [["a", "b"]], [["é", "漢字", "😀"]], [["x".repeat(128)]]])(
    "of %j is a multiple of 8 bytes",
    (tags) => {
      expect(encodeTags(tags, hashOf).length % 8).toBe(0);
    },
  );

  test("of the most tags that a set accepts fits the extension beside the times", () => {
    // A set takes 16 tags of together 1,024 bytes (config/operation-options.ts).
    const names = Array.from({ length: 16 }, (_, number) => `${number}`.padEnd(64, "x"));
    expect(encodeTags(names, hashOf).length + 24).toBeLessThanOrEqual(extensionSizeMax);
  });
});

describe("tagHashesOf()", () => {
  test.each([0, 1, 2, 3, 4, 7])("finds the hashes behind other fields, flags %i", (others) => {
    const fields = [1, 2, 4].filter((flag) => (others & flag) !== 0).length * 8;
    const tags = encodeTags(["a", "bc"], hashOf);
    const record = Buffer.concat([Buffer.alloc(3), Buffer.alloc(24 + fields, 0xee), tags]);
    record.writeUInt8(others | 8, 3 + 7);
    expect(tagHashesOf(record, 3).equals(tags.subarray(8, 24))).toBe(true);
    record.writeUInt8(others, 3 + 7);
    expect(tagHashesOf(record, 3)).toHaveLength(0);
  });
});
