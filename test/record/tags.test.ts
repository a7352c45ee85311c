import { describe, expect, test } from "vitest";

import { encodeTags, extensionSizeMax, tagHash } from "../../dist/src/record/mod.js";

describe("encodeTags()", () => {
  test("of no tags is nothing", () => {
    expect(encodeTags([])).toHaveLength(0);
  });

  test("is count, bytes of the names, hashes, names, zeros to 8 bytes", () => {
    const hex = encodeTags(["a", "bc"]).toString("hex");
    const hashes = ["2c290ce4", "f2a92b3e"];
    expect(hex).toBe(`02000700${hashes.join("")}0100${"61"}0200${"6263"}${"00".repeat(5)}`);
  });

  test.each([[["user:7"]], [["a", "b"]], [["é", "漢字", "😀"]], [["x".repeat(128)]]])(
    "of %j is a multiple of 8 bytes",
    (tags) => {
      expect(encodeTags(tags).length % 8).toBe(0);
    },
  );

  test("of the most tags that a set accepts fits the extension beside the times", () => {
    // A set takes 16 tags of together 1,024 bytes (config/operation-options.ts).
    const names = Array.from({ length: 16 }, (_, number) => `${number}`.padEnd(64, "x"));
    expect(encodeTags(names).length + 24).toBeLessThanOrEqual(extensionSizeMax);
  });
});

describe("tagHash()", () => {
  // FNV-1a's published vectors.
  test.each([
    ["", 0x811c9dc5],
    ["a", 0xe40c292c],
    ["b", 0xe70c2de5],
    ["foobar", 0xbf9cf968],
  ])("of %j is FNV-1a", (name, hash) => {
    expect(tagHash(Buffer.from(name))).toBe(hash);
  });
});
