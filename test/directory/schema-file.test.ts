// The schema file: a whole schema comes back under its id, a damaged one is lost, and no wrong byte
// turns one schema into another.

import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import {
  decodeSchema,
  encodeSchema,
  schemaEntriesStart,
  schemaImageBytes,
  schemaSlotOf,
  schemasMax,
} from "../../dist/src/dictionary/mod.js";
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptySchemas, readSchemas } from "../../dist/src/directory/schema-file.js";
import { clean, open, unclean } from "./scratch-directory.js";
import { hasher, scratchDirectory } from "../disk/scratch.js";

const seed = 0x1234_5678_9abc_def0n;

/** A file with these schemas, as the table writes it. */
function fileOf(schemas: readonly (readonly string[])[], by = seed): Buffer {
  const file = emptySchemas();
  let offset = schemaEntriesStart;
  for (const [id, keys] of schemas.entries()) {
    const entry = encodeSchema(id, keys) as Buffer;
    entry.copy(file, offset);
    file.writeUInt32LE(offset, schemaSlotOf(id));
    file.writeUInt32LE(entry.length, schemaSlotOf(id) + 4);
    file.writeBigUInt64LE(hasher.h64(entry, by), schemaSlotOf(id) + 8);
    offset = (offset + entry.length + 7) & ~7;
  }
  return file;
}

/** The schemas of an image by id; null for a lost one. */
function schemasOf(image: Buffer, count: number): (string[] | null)[] {
  return Array.from({ length: count }, (_, id) => {
    const offset = image.readUInt32LE(schemaSlotOf(id));
    const bytes = image.readUInt32LE(schemaSlotOf(id) + 4);
    return offset === 0 ? null : decodeSchema(image.subarray(offset, offset + bytes), id);
  });
}

const schemas = [["id", "name"], [], ["name", "id", "naïve \u{1f600}"], ["x".repeat(500)]];

describe("readSchemas()", () => {
  test("reads what was written, and where the next goes", () => {
    const { image, count, end } = readSchemas(fileOf(schemas), seed, hasher);
    expect(schemasOf(image, count)).toEqual(schemas);
    expect(end % 8).toBe(0);
    expect(image.subarray(end).every((byte) => byte === 0)).toBe(true);
    const most = Array.from({ length: schemasMax }, (_, id) => [`${id}`]);
    expect(readSchemas(fileOf(most), seed, hasher).count).toBe(schemasMax);
    expect(readSchemas(emptySchemas(), seed, hasher)).toMatchObject({
      count: 0,
      end: schemaEntriesStart,
    });
  });

  test("any wrong byte loses schemas at most, and no id is used again", () => {
    const whole = fileOf(schemas);
    const { end } = readSchemas(whole, seed, hasher);
    const wrong: number[] = [];
    for (let at = 0; at < end; at++) {
      // Most slots are free.
      if (at > 200 && at < schemaEntriesStart - 20) continue;
      for (const flip of [1, 0xff]) {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        const { image, count } = readSchemas(damaged, seed, hasher);
        const found = schemasOf(image, schemasMax);
        const mixed = found.some(
          (keys, id) => !isDeepStrictEqual(keys ?? schemas[id], schemas[id]),
        );
        const lost = schemas.filter((_, id) => found[id] === null).length;
        // Only magic and version affect all of them.
        const isAllowed = at < 12 || (count >= schemas.length && lost <= 1);
        if (mixed || !isAllowed) wrong.push(at);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("accepts nothing from another directory, a file of another length or noise", () => {
    const nothing = (file: Buffer): void => {
      const { image } = readSchemas(file, seed, hasher);
      expect(image.equals(Buffer.alloc(schemaImageBytes))).toBe(true);
    };
    nothing(fileOf(schemas, seed + 1n));
    nothing(fileOf(schemas).subarray(0, -1));
    nothing(Buffer.concat([fileOf(schemas), Buffer.alloc(1)]));
    nothing(Buffer.alloc(0));
    const noise = Buffer.from(emptySchemas());
    for (let at = 64; at < noise.length; at++) noise[at] = (at * 2654435761) >>> 24;
    nothing(noise);
    expect(readSchemas(noise, seed, hasher).count).toBe(schemasMax);
  });

  test("an entry overwritten before its schema was counted is lost, not mixed", () => {
    const file = fileOf(schemas);
    const offset = file.readUInt32LE(schemaSlotOf(3));
    (encodeSchema(3, ["other"]) as Buffer).copy(file, offset);
    const { image, count } = readSchemas(file, seed, hasher);
    expect(schemasOf(image, count)).toEqual([...schemas.slice(0, 3), null]);
  });
});

describe("a directory", () => {
  test("keeps its schemas over a close or a kill, and drops them at a cold start", async () => {
    const path = scratchDirectory();
    const first = await open(path);
    expect(first.schemas.count).toBe(0);
    writeFileSync(join(path, "undercroft.shapes"), fileOf(schemas, first.seed));
    await first.close({ ...clean, schemas: 4 });
    for (const end of [unclean, clean, unclean]) {
      const next = await open(path);
      expect(schemasOf(next.schemas.image, next.schemas.count)).toEqual(schemas);
      await next.close(end);
    }
    const cold = await open(path, { codecName: "other" });
    expect(cold.schemas).toMatchObject({ count: 0, end: schemaEntriesStart });
    expect(readFileSync(join(path, "undercroft.shapes")).equals(emptySchemas())).toBe(true);
    await cold.close(clean);
  });

  test.each([
    ["is absent", (file: string) => rmSync(file)],
    ["is cut", (file: string) => truncateSync(file, 5000)],
    ["is empty", (file: string) => truncateSync(file, 0)],
    ["is longer", (file: string) => truncateSync(file, 40_000)],
    ["is zeros", (file: string) => writeFileSync(file, Buffer.alloc(schemaImageBytes))],
  ])("gives no id out again when the file %s", async (_, damage) => {
    const path = scratchDirectory();
    const file = join(path, "undercroft.shapes");
    const first = await open(path);
    writeFileSync(file, fileOf(schemas, first.seed));
    await first.close({ ...clean, schemas: 4 });
    damage(file);
    const next = await open(path);
    expect(next.recovery.kind).not.toBe("cold");
    expect(next.schemas.count).toBe(4);
    expect(schemasOf(next.schemas.image, 4)).toEqual([null, null, null, null]);
    await next.close(clean);
    expect(existsSync(file) && readFileSync(file).length).toBe(schemaImageBytes);
    const last = await open(path);
    expect(last.schemas.count).toBe(4);
    await last.close(clean);
  });
});
